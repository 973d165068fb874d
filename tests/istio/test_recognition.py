"""What `render check` takes for one of ours: a rendering of some configuration, and nothing that is weaker."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from extproc.config import Settings
from extproc.errors import ConfigurationError
from extproc.istio.attachment import ApiGateway, Attachment, ClassicGateway
from extproc.istio.mapping import envoy_filter_of
from extproc.istio.recognition import check

Document: TypeAlias = dict[str, Any]

CLASSIC = Attachment(gateway=ClassicGateway("istio-system", "gateway", (("istio", "ingressgateway"),)))
EXCLUDING = replace(CLASSIC, excluded_routes=("shop.example/health", "live"))
GATEWAY_API = Attachment(gateway=ApiGateway("shop", "edge"), namespace="gate")
IN_POD = replace(CLASSIC, profile="in-pod")

CONFIGURATIONS: dict[str, Document] = {
    "defaults": {},
    "shadow": {"policy": {"mode": "shadow"}},
    "requests only": {"policy": {"points": {"response": None}}},
    "a headers point": {"policy": {"points": {"headers": "a/b"}}},
    "limits and time-outs": {
        "inspection": {"request_body_bytes": 3 << 20},
        "envoy": {"message_timeout_ms": 2501},
        "blocking": {"failure_status": 429},
    },
    "headers": {
        "headers": {"prefix": "x-gate-"},
        "mutations": {"request_headers": ["x-user", "x-a.b|c*"], "response_headers": ["vary"], "path": True},
    },
}


def rendered(attachment: Attachment = CLASSIC, **keys: Any) -> Document:  # noqa: ANN401 - any key of the configuration
    policy = {"paths": [Path("policies")], **keys.pop("policy", {})}
    return dict(envoy_filter_of(Settings.model_validate({"policy": policy, **keys}), attachment).document())


@pytest.mark.parametrize("attachment", [CLASSIC, EXCLUDING, GATEWAY_API], ids=["classic", "excluding", "gateway api"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_whatever_is_rendered_is_recognised(name: str, attachment: Attachment) -> None:
    check(rendered(attachment, **CONFIGURATIONS[name]))


@pytest.mark.parametrize("workers", [1, 3])
def test_the_sockets_of_a_container_beside_the_gateway_are_recognised(workers: int) -> None:
    check(rendered(IN_POD, listen="unix:///run/extproc/s", workers=workers))


def test_name_labels_and_a_priority_are_free() -> None:
    document = rendered()
    document["metadata"] |= {"name": "gate", "labels": {"team": "edge"}}
    document["spec"]["priority"] = 200

    check(document)


def test_what_a_cluster_adds_is_no_mistake() -> None:
    document = rendered()
    document["metadata"] |= {
        "creationTimestamp": "2026-11-26T20:00:00Z",
        "generation": 3,
        "managedFields": [{"manager": "kubectl", "operation": "Update"}],
        "resourceVersion": "4711",
        "uid": "0c9f2b1e",
    }
    document["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
    document["status"] = {"observedGeneration": 3}

    check(document)


def patch(document: Document, name: str) -> Document:
    """The patch that has this filter, or that is for this kind of thing."""
    patches = document["spec"]["configPatches"]
    return next(each for each in patches if name in (each["applyTo"], each["patch"]["value"].get("name")))


def ext_proc(document: Document) -> Document:
    return patch(document, "extproc.policy")["patch"]["value"]["typed_config"]


def beside(patch: Document) -> Document:
    return patch["match"]["listener"]["filterChain"]["filter"]


def without(name: str) -> Callable[[Document], None]:
    return lambda document: document["spec"]["configPatches"].remove(patch(document, name))


def merge_for_insert(document: Document) -> None:
    for each in document["spec"]["configPatches"]:
        each["patch"]["operation"] = "MERGE"


def guard_first(document: Document) -> None:
    patches = document["spec"]["configPatches"]
    guard = patch(document, "extproc.request_guard")
    patches.remove(guard)
    patches.insert(2, guard)


MISTAKES: dict[str, tuple[Callable[[Document], None], str]] = {
    "an exclusion without a route": (
        lambda d: patch(d, "HTTP_ROUTE")["match"].pop("routeConfiguration"),
        r"spec\.configPatches\.6\.match\.routeConfiguration: missing, and without it every route passes uninspected",
    ),
    "an exclusion of a virtual host": (
        lambda d: patch(d, "HTTP_ROUTE").update(applyTo="VIRTUAL_HOST"),
        r"configPatches\.6\.applyTo",
    ),
    "an exclusion that is inserted": (
        lambda d: patch(d, "HTTP_ROUTE")["patch"].update(operation="INSERT_BEFORE"),
        r"configPatches\.6\.patch\.operation: 'INSERT_BEFORE', where render has 'MERGE'",
    ),
    "half an exclusion": (
        lambda d: patch(d, "HTTP_ROUTE")["patch"]["value"]["typed_per_filter_config"].pop("extproc.policy"),
        r"configPatches\.6\.patch\.value\.typed_per_filter_config\.extproc\.policy: missing",
    ),
    "an exclusion that does more": (
        lambda d: patch(d, "HTTP_ROUTE")["patch"]["value"].update(route={"cluster": "blackhole"}),
        r"configPatches\.6\.patch\.value\.route: .*which render does not have",
    ),
    "filters that are merged": (
        merge_for_insert,
        r"configPatches\.2\.patch\.operation: 'MERGE', where render has 'INSERT_BEFORE'",
    ),
    "a filter that goes nowhere": (
        lambda d: patch(d, "extproc.policy")["match"].pop("listener"),
        r"configPatches\.4\.match\.listener: missing",
    ),
    "a filter beside a filter that is not there": (
        lambda d: patch(d, "extproc.policy")["match"]["listener"]["filterChain"]["filter"]["subFilter"].update(
            name="r"
        ),
        r"subFilter\.name: 'r', where render has 'envoy\.filters\.http\.router'",
    ),
    "no request guard": (without("extproc.request_guard"), r"configPatches.*where render has .*request_guard"),
    "no response guard": (without("extproc.response_guard"), r"configPatches.*where render has .*response_guard"),
    "no filter that asks": (without("extproc.policy"), r"configPatches.*where render has"),
    "forged headers stay": (without("extproc.strip_client_headers"), r"configPatches.*where render has"),
    "no limit": (without("LISTENER"), r"configPatches.*where render has"),
    "a guard before what it guards": (
        guard_first,
        r"configPatches\.2: HTTP_FILTER extproc\.request_guard, where render has",
    ),
    "two of one filter": (
        lambda d: d["spec"]["configPatches"].append(patch(d, "extproc.policy")),
        r"configPatches.*where render has",
    ),
    "open on failure": (
        lambda d: ext_proc(d).update(failure_mode_allow=True),
        r"configPatches\.4\.patch\.value\.typed_config\.failure_mode_allow: True, which render does not have",
    ),
    "answers that are not waited for": (lambda d: ext_proc(d).update(observability_mode=True), "observability_mode"),
    "no answer in time": (lambda d: ext_proc(d).pop("message_timeout"), "message_timeout: missing"),
    "responses that are not sent": (
        lambda d: ext_proc(d)["processing_mode"].update(response_header_mode="SKIP", response_body_mode="NONE"),
        "processing_mode.response_header_mode: 'SKIP', where render has 'SEND'",
    ),
    "a status that no denial has": (
        lambda d: ext_proc(d).update(status_on_error={"code": "OK"}),
        r"no configuration renders this: blocking\.failure_status",
    ),
    "a status that does not exist": (
        lambda d: ext_proc(d).update(status_on_error={"code": 9}),
        r"no configuration renders this: blocking\.failure_status",
    ),
    "every header may be changed": (
        lambda d: ext_proc(d)["mutation_rules"]["allow_expression"].update(regex=".*"),
        r"no configuration renders this: mutations\.request_headers",
    ),
    "another prefix is stripped": (
        lambda d: patch(d, "extproc.strip_client_headers")["patch"]["value"]["typed_config"]["mutations"][
            "request_mutations"
        ][0]["remove_on_match"]["key_matcher"].update(prefix="x-other-"),
        "mutation_rules.allow_expression.regex",
    ),
    "another server": (
        lambda d: ext_proc(d)["grpc_service"]["envoy_grpc"].update(cluster_name="outbound|9000||nobody.extproc.svc"),
        r"grpc_service\.envoy_grpc\.cluster_name: 'outbound\|9000\|\|nobody\.extproc\.svc', where render has",
    ),
    "a guard that always allows": (
        lambda d: patch(d, "extproc.request_guard")["patch"]["value"]["typed_config"].pop("rules"),
        r"configPatches\.5\.patch\.value\.typed_config\.rules: missing",
    ),
    "no annotation for its service": (lambda d: d["metadata"].pop("annotations"), r"referenced-services: missing"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_no_configuration_renders_is_an_error_with_its_place(mistake: str) -> None:
    document = deepcopy(rendered(EXCLUDING))
    make, message = MISTAKES[mistake]
    make(document)

    with pytest.raises(ConfigurationError, match=rf"^EnvoyFilter .*{message}|^EnvoyFilter: {message}"):
        check(document)


def fields(node: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401 - any JSON
    """The place of every field."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if isinstance(key, str) or isinstance(value, dict):
            yield (*path, key)
        yield from fields(value, *path, key)


SAID_BY_DEFAULT = {"labels", "app.kubernetes.io/name", "apiVersion", "kind", "context", "group"}
"""What reads the same where it is absent."""

ASKED_FOR = {("spec", "configPatches", 6), ("spec", "configPatches", 7), "domainName"}
"""An exclusion, or its host, is the operator's to say."""


def test_no_field_can_be_left_out() -> None:
    whole = rendered(EXCLUDING, policy={"mode": "shadow"})
    unnoticed = []
    for *path, last in fields(whole):
        document = deepcopy(whole)
        node: Any = document
        for step in path:
            node = node[step]
        del node[last]
        try:
            check(document)
        except ConfigurationError:
            continue
        unnoticed.append((*path, last))

    meant = SAID_BY_DEFAULT | ASKED_FOR
    assert [each for each in unnoticed if each not in meant and each[-1] not in meant] == []
