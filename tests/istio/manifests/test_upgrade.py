"""docs/how-to/upgrade-and-remove-on-istio.md: from one rendering to another, and back, as far as files go."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from istio.manifests.rendering import CLASSIC, IN_POD, WORKLOAD, Object, configured, one, rendered
from istio.manifests.test_chart import CHART, DEFAULTS, helm, merged

from extproc.istio.attachment import Attachment
from extproc.istio.manifests.pod import Workload
from extproc.istio.protojson import manifests

Documents: TypeAlias = Sequence[Object]
OTHER = "package extproc.request\n\ndecision := false\n"
SAN = {"client_san": ["spiffe://example.org/gateway"]}


@dataclass(frozen=True, slots=True)
class Release:
    """What an operator says: to the command by its configuration and options, to helm by `values`."""

    configuration: Object
    values: Object
    attachment: Attachment = CLASSIC
    workload: Workload = WORKLOAD
    policy: str | None = None


def of_configuration(**keys: Object) -> Release:
    return Release(keys, {"configuration": keys})


def of_attachment(values: Object, **fields: Any) -> Release:  # noqa: ANN401 - of an Attachment
    return Release({}, values, attachment=replace(CLASSIC, **fields))


def of_workload(values: Object, **fields: Any) -> Release:  # noqa: ANN401 - of a Workload
    return Release({}, values, workload=replace(WORKLOAD, **fields))


FIRST = Release({}, {})
ROLLING = {
    "a policy": Release({}, {"policies": {"shop/request.rego": OTHER}}, policy=OTHER),
    "limits": of_configuration(inspection={"request_body_bytes": 3 << 20}),
    "time-outs": of_configuration(policy={"deadline_ms": 20}, envoy={"message_timeout_ms": 1050}),
    "shadow": of_configuration(policy={"mode": "shadow"}),
    "requests only": Release({"policy": {"points": {"response": None}}}, {"inspectResponses": False}),
    "an image": of_workload({"image": "registry.example/extproc:2"}, image="registry.example/extproc:2"),
    "a disk": of_workload({"receipts": {"storageClass": "fast"}}, storage_class="fast"),
    "TLS of our own": Release(
        {"tls": SAN | {"certificate": "c.pem", "key": "k.pem", "client_ca": "a.pem"}}, {"configuration": {"tls": SAN}}
    ),
}
STAYING = {
    "replicas": of_workload({"replicas": 5}, replicas=5),
    "an excluded route": of_attachment({"gateway": {"excludedRoutes": ["health"]}}, excluded_routes=("health",)),
    "another label": of_attachment(
        {"gateway": {"selector": ["istio=edge"]}}, gateway=replace(CLASSIC.gateway, labels=(("istio", "edge"),))
    ),
    "another trust domain": of_attachment({"trustDomain": "bank.example"}, trust_domain="bank.example"),
}
CHANGES = ROLLING | STAYING
WAYS = ["command", "chart"]


@pytest.fixture(params=WAYS)
def printed(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Release], str]:
    """The manifests of a release, byte for byte, by the command and by helm."""

    def command(release: Release) -> str:
        file = configured(tmp_path)
        file.write_text(json.dumps(merged({"policy": {"paths": ["policies"]}}, release.configuration)))
        if release.policy is not None:
            (tmp_path / "policies/shop/request.rego").write_text(release.policy)
        return manifests(rendered(file, release.attachment, release.workload))

    def chart(release: Release) -> str:
        done = helm(tmp_path, release.values, "template", "extproc", str(CHART))
        assert done.stderr == ""
        return done.stdout

    return command if request.param == "command" else chart


def read(text: str) -> list[Object]:
    return [each for each in yaml.safe_load_all(text) if each]


def names(documents: Documents) -> set[tuple[str, str, str]]:
    return {
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"])
        for each in documents
        if "policies" not in each["metadata"]["name"]
    }


def fixed(documents: Documents) -> Object:
    """What an API server takes no change of, and what others find us by."""
    deployment, service = one(documents, "Deployment"), one(documents, "Service")
    return {
        "selector": deployment["spec"]["selector"],
        "pods": {
            key: value
            for key, value in deployment["spec"]["template"]["metadata"]["labels"].items()
            if not key.startswith("sidecar.")
        },
        "service": service["spec"],
        "account": deployment["spec"]["template"]["spec"]["serviceAccountName"],
        "budget": one(documents, "PodDisruptionBudget")["spec"]["selector"],
        "versions": {each["kind"]: each["apiVersion"] for each in documents if each["kind"] in KINDS},
    }


KINDS = {"Deployment", "Service", "ServiceAccount", "ConfigMap", "NetworkPolicy", "DestinationRule", "EnvoyFilter"}


def template(documents: Documents) -> Object:
    """A change of it rolls the pods, and nothing else does."""
    pods: Object = one(documents, "Deployment")["spec"]["template"]
    return pods


def maps(documents: Documents) -> dict[str, Object]:
    """What the pods read."""
    return {each["metadata"]["name"]: each for each in documents if each["kind"] == "ConfigMap"}


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_changes_that_cannot_be_changed(printed: Callable[[Release], str], change: str) -> None:
    before, after = read(printed(FIRST)), read(printed(CHANGES[change]))

    assert fixed(before) == fixed(after)
    assert set(one(after, "Service")["spec"]) == {"selector", "ports"}  # a clusterIP is the cluster's
    assert "immutable" not in {key for each in maps(after).values() for key in each}


@pytest.mark.parametrize("change", CHANGES)
def test_no_object_is_left_behind_but_two_of_the_sidecars(printed: Callable[[Release], str], change: str) -> None:
    """`kubectl apply` takes nothing away; without sidecars nobody reads the two, and the page says so."""
    before, after = names(read(printed(FIRST))), names(read(printed(CHANGES[change])))

    of_sidecars = {each for each in before if each[0] in {"PeerAuthentication", "AuthorizationPolicy"}}
    assert before - after == (of_sidecars if change == "TLS of our own" else set())
    assert after - before == set()


@pytest.mark.parametrize("change", ROLLING)
def test_what_the_pods_run_or_read_is_a_rollout(printed: Callable[[Release], str], change: str) -> None:
    assert template(read(printed(FIRST))) != template(read(printed(ROLLING[change])))


@pytest.mark.parametrize("change", STAYING)
def test_what_is_not_theirs_is_none(printed: Callable[[Release], str], change: str) -> None:
    before, after = read(printed(FIRST)), read(printed(STAYING[change]))

    assert before != after
    assert template(before) == template(after)


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_changes_with_what_the_pods_read_and_with_nothing_else(
    printed: Callable[[Release], str], change: str
) -> None:
    before, after = read(printed(FIRST)), read(printed(CHANGES[change]))
    digests = {template(each)["metadata"]["annotations"]["extproc/content"] for each in (before, after)}

    assert (len(digests) == 1) is (maps(before) == maps(after))


def test_running_pods_keep_their_policy(printed: Callable[[Release], str]) -> None:
    """A ConfigMap of one name never has another content; only the configuration's has, which is read at the start."""
    before, after = maps(read(printed(FIRST))), maps(read(printed(ROLLING["a policy"])))

    assert set(before) & set(after) == {"extproc-config"}
    assert before["extproc-config"] == after["extproc-config"]


@pytest.mark.parametrize("change", CHANGES)
def test_the_old_release_rendered_again_is_what_it_was(printed: Callable[[Release], str], change: str) -> None:
    before = printed(FIRST)
    after = printed(CHANGES[change])

    assert before != after
    assert printed(FIRST) == before


def test_a_new_version_of_the_chart_is_a_new_image_and_nothing_else(tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    newer.mkdir()
    for file in CHART.rglob("*"):
        if file.is_file():
            copy = newer / file.relative_to(CHART)
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(file.read_text().replace("ersion: 0.1.0", "ersion: 0.2.0"))
    old, new = (helm(tmp_path, {}, "template", "extproc", str(chart)).stdout for chart in (CHART, newer))

    assert old != new
    assert old.replace("extproc:0.1.0", "extproc:0.2.0") == new


def test_a_release_that_is_upgraded_without_its_values_is_refused(tmp_path: Path) -> None:
    """`helm upgrade --set` alone forgets what was set before: there is no policy then, and no release."""
    done = helm(tmp_path, {"policies": DEFAULTS["policies"], "image": "NEW"}, "template", "extproc", str(CHART))

    assert (done.returncode, done.stdout) == (1, "")


def test_the_sidecars_revision_is_the_namespaces_by_the_command_and_the_pods_by_the_chart(
    printed: Callable[[Release], str], request: pytest.FixtureRequest
) -> None:
    """So the page says that pods are to be started anew."""
    revised = of_workload({"revision": "stable"}, revision="stable")
    rolls = template(read(printed(FIRST))) != template(read(printed(revised)))

    assert rolls is (request.node.callspec.params["printed"] == "chart")


def test_an_envoy_filter_for_another_label_takes_the_place_of_the_old_one(printed: Callable[[Release], str]) -> None:
    """Gateways that have not got that label pass everything from then on; the page has an order for it."""
    before, after = (one(read(printed(each)), "EnvoyFilter") for each in (FIRST, STAYING["another label"]))

    assert before["metadata"] == after["metadata"]
    assert before["spec"]["workloadSelector"] != after["spec"]["workloadSelector"]


@pytest.mark.parametrize("change", ["a policy", "limits", "shadow"])
def test_beside_the_gateway_the_patch_rolls_and_goes_back(tmp_path: Path, change: str) -> None:
    listen = {"listen": "unix:///run/extproc/extproc.sock"}

    def patch(release: Release) -> Object:
        file = configured(tmp_path)
        file.write_text(json.dumps(merged({"policy": {"paths": ["policies"]}}, listen, release.configuration)))
        if release.policy is not None:
            (tmp_path / "policies/shop/request.rego").write_text(release.policy)
        (document,) = rendered(file, IN_POD, part="gateway-pods")
        return document

    before = patch(FIRST)
    after = patch(ROLLING[change])
    assert before["spec"]["template"] != after["spec"]["template"]
    assert patch(FIRST) == before
