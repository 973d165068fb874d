"""The mistakes that istiod takes in silence are errors here, each with its place."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from extproc.errors import ConfigurationError
from extproc.istio.attachment import Attachment, ClassicGateway
from extproc.istio.envoy_filter import read
from extproc.istio.gateway import FilterSettings
from extproc.istio.patches import envoy_filter

ATTACHMENT = Attachment(gateway=ClassicGateway("istio-system", "gateway", (("istio", "ingressgateway"),)))
DOCUMENT = envoy_filter(FilterSettings(), ATTACHMENT).document()

EXT_PROC = 4
"""The place of the patch with ext_proc."""

Mistake = Callable[[dict], None]  # type: ignore[type-arg]  # any JSON object


def patch(document: dict) -> dict:  # type: ignore[type-arg]
    return document["spec"]["configPatches"][EXT_PROC]["patch"]


def ext_proc(document: dict) -> dict:  # type: ignore[type-arg]
    return patch(document)["value"]["typed_config"]


def misspelt_list(document: dict) -> None:  # type: ignore[type-arg]
    document["spec"]["configPatch"] = document["spec"].pop("configPatches")


VALUE = rf"EnvoyFilter spec\.configPatches\.{EXT_PROC}\.patch\.value: "

MISTAKES: dict[str, tuple[Mistake, str]] = {
    "a misspelt list of patches": (misspelt_list, r"EnvoyFilter spec\.config"),
    "no patches": (lambda d: d["spec"].update(configPatches=[]), r"spec\.configPatches: .*at least 1 item"),
    "a patch without a value": (lambda d: patch(d).pop("value"), r"configPatches\.4\.patch\.value: Field required"),
    "a patch with an empty value": (lambda d: patch(d).update(value={}), r"configPatches\.4\.patch\.value: "),
    "no selector": (lambda d: d["spec"].pop("workloadSelector"), "exactly one of workloadSelector and targetRefs"),
    "a selector without labels": (
        lambda d: d["spec"]["workloadSelector"].update(labels={}),
        r"workloadSelector\.labels",
    ),
    "selector and targetRefs": (
        lambda d: d["spec"].update(targetRefs=[{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"}]),
        "exactly one of workloadSelector and targetRefs",
    ),
    "a version that an upgrade leaves behind": (
        lambda d: d["spec"]["configPatches"][EXT_PROC]["match"].update(proxy={"proxyVersion": r"^1\.31.*"}),
        r"match\.proxy: Extra inputs",
    ),
    "priority 0": (lambda d: d["spec"].update(priority=0), r"spec\.priority"),
    "an unknown operation": (lambda d: patch(d).update(operation="INSERT_BEFOR"), r"patch\.operation"),
    "a misspelt field of ext_proc": (
        lambda d: ext_proc(d).update(failure_mode_alow=False),
        VALUE + '.*no field named "failure_mode_alow"',
    ),
    "a misspelt nested field": (
        lambda d: ext_proc(d)["processing_mode"].update(request_body_mod="BUFFERED"),
        VALUE + '.*no field named "request_body_mod"',
    ),
    "an unknown enumerator": (
        lambda d: ext_proc(d)["processing_mode"].update(request_body_mode="BUFERED"),
        VALUE + ".*BUFERED",
    ),
    "a text for a boolean": (lambda d: ext_proc(d).update(failure_mode_allow="false"), VALUE + ".*failure_mode_allow"),
    "a number for a duration": (lambda d: ext_proc(d).update(message_timeout=2), VALUE + ".*message_timeout"),
    "a duration without its unit": (lambda d: ext_proc(d).update(message_timeout="2"), VALUE + ".*message_timeout"),
    "an unknown @type": (lambda d: ext_proc(d).update({"@type": "type.googleapis.com/acme.Gate"}), VALUE + ".*acme"),
    "a date, which JSON lacks": (lambda d: d["metadata"].update(name={1, 2}), "EnvoyFilter: .*not JSON serializable"),
}


def test_what_is_rendered_reads_back() -> None:
    read(DOCUMENT)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_that_istiod_takes_is_an_error_with_its_place(mistake: str) -> None:
    document = deepcopy(DOCUMENT)
    make, message = MISTAKES[mistake]
    make(document)

    with pytest.raises(ConfigurationError, match=message):
        read(document)


def test_a_kind_of_patch_that_we_never_write_is_refused() -> None:
    document = deepcopy(DOCUMENT)
    document["spec"]["configPatches"][EXT_PROC]["applyTo"] = "BOOTSTRAP"  # type: ignore[index, call-overload]

    with pytest.raises(ConfigurationError, match=r"configPatches\.4\.applyTo"):
        read(document)
