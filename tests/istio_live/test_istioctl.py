"""istioctl has nothing to say of what we render and ship; and what it says of a mistake, or does not."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from istio.manifests.rendering import CLASSIC, GATEWAY_API, IN_POD, TLS, WORKLOAD, configured, one, rendered
from istio.manifests.test_chart import CASES, templated
from istio.manifests.test_kustomize import FOLDER, OVERLAYS, built
from istio_live.istioctl import NOTHING, Said, analyze, validate
from istio_live.objects import Object
from istio_live.readme import EXAMPLES
from istio_live.stories import objects
from istio_live.test_mistakes import BY_NAME, MISTAKES, Mistake

RENDERED = {
    "classic": (CLASSIC, WORKLOAD, ""),
    "an excluded route": (replace(CLASSIC, excluded_routes=("health",)), replace(WORKLOAD, revision="stable"), ""),
    "gateway api": (GATEWAY_API, replace(WORKLOAD, storage_class="fast"), ""),
    "in-pod": (IN_POD, WORKLOAD, "listen: unix:///run/extproc/extproc.sock\n"),
}
SAID: dict[str, tuple[str, str]] = {
    "config_patch_for_config_patches": ("refuses", ""),
    "patch_without_value": ("refuses", "refuses"),
    "unknown_enumeration_value": ("refuses", "refuses"),
    "wrong_type": ("refuses", "refuses"),
    "duration_without_unit": ("refuses", "refuses"),
    "unknown_message": ("refuses", "refuses"),
    "misspelt_field_within_processing_mode": ("warns", "warns"),
    "misspelt_field": ("warns", "warns"),
    "version_that_is_no_expression": ("refuses", "refuses"),
}
"""What `validate` and `analyze` do; nothing of the mistakes that are not here."""


def both(documents: Sequence[Object], folder: Path) -> tuple[Said, Said]:
    return validate(documents, folder), analyze(documents, folder)


SOUND = (NOTHING, NOTHING)


@pytest.mark.parametrize("case", RENDERED)
def test_nothing_is_said_of_what_the_command_prints(tmp_path: Path, case: str) -> None:
    attachment, workload, text = RENDERED[case]
    assert both(rendered(configured(tmp_path, text), attachment, workload), tmp_path) == SOUND


@pytest.mark.parametrize("folder", ["base", *(f"overlays/{name}" for name in OVERLAYS if name != "own-tls")])
def test_nothing_is_said_of_what_kustomize_builds(tmp_path: Path, folder: str) -> None:
    assert both(built(FOLDER / folder), tmp_path) == SOUND


@pytest.mark.parametrize("case", ["defaults", "an excluded route", "another mesh", "gateway api"])
def test_nothing_is_said_of_the_chart(tmp_path: Path, case: str) -> None:
    assert both(templated(tmp_path, CASES[case][0]), tmp_path) == SOUND


OWN_TLS: dict[str, Callable[[Path], list[Object]]] = {
    "the command": lambda folder: rendered(configured(folder, TLS)),
    "kustomize": lambda _: built(FOLDER / "overlays/own-tls"),
    "the chart": lambda folder: templated(folder, CASES["TLS of our own"][0]),
}


@pytest.mark.parametrize("source", OWN_TLS)
def test_analyze_counts_no_ca_of_a_secret_and_says_nothing_else_of_tls_of_our_own(tmp_path: Path, source: str) -> None:
    validated, analyzed = both(OWN_TLS[source](tmp_path), tmp_path)
    (remark,) = analyzed.remarks

    assert (validated, analyzed.word) == (NOTHING, "warns")
    assert remark.startswith("Warning [IST0128] (DestinationRule ")


@pytest.mark.parametrize("example", sorted(folder.name for folder in EXAMPLES.glob("[!.]*")))
def test_validate_has_nothing_to_say_of_what_an_example_applies(tmp_path: Path, example: str) -> None:
    """`analyze` misses the application, which is yours."""
    assert validate(objects(example), tmp_path) == NOTHING


def _rule(documents: list[Object]) -> Object:
    policy: Object = one(documents, "DestinationRule")["spec"]["trafficPolicy"]
    return policy


SEEDED: dict[str, tuple[Callable[[list[Object]], object], tuple[str, str]]] = {
    "DestinationRule, misspelt field": (lambda all_: _rule(all_).update(tl={}), ("refuses", "")),
    "DestinationRule, unknown mode": (lambda all_: _rule(all_)["tls"].update(mode="MUTAL"), ("refuses", "refuses")),
    "DestinationRule, no host": (
        lambda all_: one(all_, "DestinationRule")["spec"].update(host=""),
        ("refuses", "refuses"),
    ),
    "AuthorizationPolicy, misspelt field": (
        lambda all_: one(all_, "AuthorizationPolicy")["spec"].update(rule=[]),
        ("refuses", ""),
    ),
    "AuthorizationPolicy, a port that is none": (
        lambda all_: one(all_, "AuthorizationPolicy")["spec"]["rules"][0]["to"][0]["operation"].update(ports=["x"]),
        ("refuses", "refuses"),
    ),
    "PeerAuthentication, unknown mode": (
        lambda all_: one(all_, "PeerAuthentication")["spec"]["mtls"].update(mode="STRICTLY"),
        ("refuses", "refuses"),
    ),
    "Service, a port of no protocol": (
        lambda all_: one(all_, "Service")["spec"]["ports"][0].update(appProtocol=None, name="rpc"),
        ("refuses", ""),
    ),
    "EnvoyFilter, unknown applyTo": (
        lambda all_: one(all_, "EnvoyFilter")["spec"]["configPatches"][0].update(applyTo="LISTNER"),
        ("refuses", "refuses"),
    ),
}


@pytest.mark.parametrize("case", SEEDED)
def test_a_mistake_in_an_object_is_seen(tmp_path: Path, case: str) -> None:
    seed, wanted = SEEDED[case]
    documents = copy.deepcopy(built(FOLDER / "overlays/service"))
    seed(documents)
    assert tuple(said.word for said in both(documents, tmp_path)) == wanted


@BY_NAME
def test_what_is_said_of_a_mistake_in_the_filter(tmp_path: Path, mistake: Mistake) -> None:
    wrong = mistake.of(one(built(FOLDER / "overlays/service"), "EnvoyFilter"))
    assert tuple(said.word for said in both([wrong], tmp_path)) == SAID.get(mistake.make.__name__, ("", ""))


def test_every_mistake_of_which_something_is_said_is_one() -> None:
    assert set(SAID) <= {mistake.make.__name__ for mistake in MISTAKES}


def test_analyze_looks_at_the_default_namespace_alone_unless_it_is_told_otherwise(tmp_path: Path) -> None:
    documents = copy.deepcopy(built(FOLDER / "overlays/service"))
    del one(documents, "EnvoyFilter")["spec"]["configPatches"][0]["patch"]["value"]
    assert [analyze(documents, tmp_path, everywhere=each).refused for each in (True, False)] == [True, False]
