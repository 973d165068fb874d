"""The Helm chart makes of its values what the command makes of the same configuration."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from istio.manifests.rendering import POLICY, ROOT, SCHEMAS, Object, problems

from extproc.config import Settings, load_settings
from extproc.istio.attachment import ApiGateway, Attachment, ClassicGateway
from extproc.istio.manifests.pod import Workload
from extproc.istio.manifests.render import render
from extproc.server.translation import most_memory_bytes

CHART = ROOT / "envoyfilters/chart"
HELM = ROOT / ".tools/bin/helm"
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())

OPTED_IN = ClassicGateway("istio-system", "istio-ingressgateway-service-account", (("extproc", "enabled"),))
PLAIN = Attachment(gateway=OPTED_IN, namespace="gate")
RESPONSES_PASS = {"policy": {"points": {"response": None}}}

CASES: dict[str, tuple[Object, Object, Attachment]] = {
    "defaults": ({}, {}, PLAIN),
    "status and message": ({"blocking": {"status": 451, "message": "No"}}, {}, PLAIN),
    "failure status": ({"blocking": {"failure_status": 429}}, {}, PLAIN),
    "shadow": ({"configuration": {"policy": {"mode": "shadow"}}}, {}, PLAIN),
    "a headers point": ({"configuration": {"policy": {"points": {"headers": "a/b"}}}}, {}, PLAIN),
    "upgrades evaluated": (
        {"configuration": {"inspection": {"states": {"request": {"upgrade": "evaluate"}}}}},
        {},
        PLAIN,
    ),
    "streams evaluated": (
        {"configuration": {"inspection": {"states": {"response": {"stream": "evaluate"}}}}},
        {},
        PLAIN,
    ),
    "requests only": ({"inspectResponses": False}, RESPONSES_PASS, PLAIN),
    "limits": (
        {
            "configuration": {
                "inspection": {"request_body_bytes": 3 << 20, "decoded_bytes": 20 << 20, "memory_bytes": 512 << 20},
                "policy": {"memory_bytes": 100 << 20},
            }
        },
        {},
        PLAIN,
    ),
    "larger responses": ({"configuration": {"inspection": {"response_body_bytes": 12 << 20}}}, {}, PLAIN),
    "time-outs": ({"configuration": {"policy": {"deadline_ms": 20}, "envoy": {"message_timeout_ms": 1050}}}, {}, PLAIN),
    "headers": (
        {
            "configuration": {
                "headers": {"prefix": "x-gate-"},
                "mutations": {"request_headers": ["x-user", "x-gate.*"], "response_headers": [], "path": True},
            }
        },
        {},
        PLAIN,
    ),
    "an excluded route": (
        {"gateway": {"excludedRoutes": ["health", "null", "123", "a #b", "shop.example/a/b: *c"]}},
        {},
        replace(PLAIN, excluded_routes=("health", "null", "123", "a #b", "shop.example/a/b: *c")),
    ),
    "another mesh": (
        {"trustDomain": "bank.example", "gateway": {"selector": ["istio=edge", "a.b/c="], "namespace": "edge"}},
        {},
        replace(
            PLAIN,
            trust_domain="bank.example",
            gateway=replace(OPTED_IN, namespace="edge", labels=(("istio", "edge"), ("a.b/c", ""))),
        ),
    ),
    "gateway api": (
        {"gateway": {"kind": "gateway-api", "namespace": "shop", "name": "edge"}},
        {},
        replace(PLAIN, gateway=ApiGateway("shop", "edge")),
    ),
}


def helm(folder: Path, values: Object, *command: str) -> subprocess.CompletedProcess[str]:
    file = folder / "values.yaml"
    file.write_text(json.dumps({"policies": {"shop/request.rego": POLICY}} | values))
    options = ["--kube-version", "1.30.0", "--values", str(file), "--namespace", "gate"]
    return subprocess.run([HELM, *command, *options], capture_output=True, text=True, check=False)


def templated(folder: Path, values: Object) -> list[Object]:
    done = helm(folder, values, "template", "extproc", str(CHART))
    assert (done.returncode, done.stderr) == (0, "")
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def rendered(folder: Path, values: Object, beside: Object, attachment: Attachment) -> list[Object]:
    (folder / "policies/shop").mkdir(parents=True)
    (folder / "policies/shop/request.rego").write_text(POLICY)
    configuration = merged(values.get("configuration", {}), {"blocking": values.get("blocking", {})}, beside)
    file = folder / "extproc.yaml"
    file.write_text(json.dumps(merged(configuration, {"policy": {"paths": ["policies"]}})))
    settings = load_settings(file)
    workload = Workload(image="extproc:0.1.0", memory_bytes=most_memory_bytes(settings))
    return render(settings, attachment, workload, "all")


def merged(*documents: Object) -> Object:
    result: Object = {}
    for document in documents:
        for key, value in document.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def comparable(documents: Iterable[Object]) -> dict[tuple[str, str], Object]:
    """By name; without what differs on purpose: the namespace is helm's, and injection is asked for by the pods."""
    found = {(each["kind"], each["metadata"]["name"]): each for each in documents if each["kind"] != "Namespace"}
    template = found["Deployment", "extproc"]["spec"]["template"]["metadata"]
    template["labels"] = {"app.kubernetes.io/name": template["labels"]["app.kubernetes.io/name"]}
    template["annotations"]["extproc/content"] = "a digest"
    data = found["ConfigMap", "extproc-config"]["data"]
    data["extproc.yaml"] = Settings.model_validate(yaml.safe_load(data["extproc.yaml"]))
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_chart_is_what_the_command_prints(tmp_path: Path, case: str) -> None:
    values, beside, attachment = CASES[case]
    documents = templated(tmp_path, values)

    assert problems(documents, SCHEMAS[0]) == ""
    assert comparable(documents) == comparable(rendered(tmp_path, values, beside, attachment))


def test_lint_finds_nothing(tmp_path: Path) -> None:
    done = helm(tmp_path, {}, "lint", str(CHART), "--strict")

    assert done.returncode == 0, done.stdout
    assert re.findall(r"\[(?:WARNING|ERROR)\].*", done.stdout) == []


def test_a_server_can_be_installed_before_the_gateway_asks_it(tmp_path: Path) -> None:
    kinds = [each["kind"] for each in templated(tmp_path, {"gateway": {"enabled": False}})]

    assert "EnvoyFilter" not in kinds
    assert "Deployment" in kinds


def test_a_change_of_a_policy_is_a_rollout(tmp_path: Path) -> None:
    def digest(values: Object) -> str:
        (found,) = (each for each in templated(tmp_path, values) if each["kind"] == "Deployment")
        return found["spec"]["template"]["metadata"]["annotations"]["extproc/content"]

    digests = {digest({}), digest({"policies": {"a.rego": "package a\n"}}), digest({"blocking": {"status": 451}})}
    assert len(digests) == 3


REFUSED: dict[str, tuple[Object, str]] = {
    "no policy": ({"policies": {}}, "policies: at least one"),
    "a policy outside of its folder": ({"policies": {"../a.rego": POLICY}}, "'../a.rego' does not match pattern"),
    "a misspelt value": ({"bloking": {}}, "'bloking' not allowed"),
    "a misspelt key of the server": ({"configuration": {"inspection": {"bytes": 1}}}, "'bytes' not allowed"),
    "a status that is no denial": ({"blocking": {"status": 200}}, "minimum: got 200, want 400"),
    "an address that the chart writes": ({"configuration": {"listen": "0.0.0.0:1"}}, "'listen' not allowed"),
    "a time-out below the deadline": (
        {"configuration": {"policy": {"deadline_ms": 1600}}},
        "message_timeout_ms must be at least policy.deadline_ms + 500 = 2100",
    ),
    "a Gateway without a name": ({"gateway": {"kind": "gateway-api"}}, "/gateway/name"),
    "a selector that selects nothing": ({"gateway": {"selector": []}}, "/gateway/selector"),
    "one pod": ({"replicas": 1}, "minimum: got 1, want 2"),
    "a route of no name": ({"gateway": {"excludedRoutes": ["shop.example/"]}}, "/gateway/excludedRoutes/0"),
    "any trust domain": ({"trustDomain": "*"}, "/trustDomain"),
    "a size that is none": ({"receipts": {"size": "lots"}}, "/receipts/size"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_helm_refuses(tmp_path: Path, case: str) -> None:
    values, message = REFUSED[case]
    done = helm(tmp_path, values, "template", "extproc", str(CHART))

    assert done.returncode == 1
    assert message in done.stderr


def places(values: Object, *path: str) -> Iterator[tuple[str, ...]]:
    """Every value of the chart, and every group of them."""
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from places(value, *path, key)


@pytest.mark.parametrize("place", [*places(DEFAULTS)], ids="/".join)
def test_a_value_that_is_left_blank_is_refused_and_takes_no_default_away(
    tmp_path: Path, place: tuple[str, ...]
) -> None:
    blank: Object | None = None
    for key in reversed(place):
        blank = {key: blank}
    done = helm(tmp_path, blank or {}, "template", "extproc", str(CHART))

    assert done.returncode == 1
    assert f"missing property '{place[-1]}'" in done.stderr


BLANK_SETTINGS = [
    "policy",
    "policy/mode",
    "inspection/request_body_bytes",
    "headers/prefix",
    "envoy/message_timeout_ms",
]


@pytest.mark.parametrize("place", BLANK_SETTINGS)
def test_a_blank_key_of_the_server_is_refused_or_means_its_default(tmp_path: Path, place: str) -> None:
    blank: Object | None = None
    for key in reversed(place.split("/")):
        blank = {key: blank}
    done = helm(tmp_path, {"configuration": blank}, "template", "extproc", str(CHART))

    assert done.returncode == 1
    assert "got null" in done.stderr


def test_the_schema_is_what_is_rendered_of_the_settings() -> None:
    program = "from envoyfilters.values_schema import values_schema; print(values_schema(), end='')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert (CHART / "values.schema.json").read_text() == done.stdout, "run `make envoyfilters`"


def leaves(values: Object, prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in values.items():
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {prefix + key: value}
    return found


def test_the_reference_has_every_value_with_its_default() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| `(.*?)` \|", (CHART / "README.md").read_text(), re.MULTILINE)

    assert {name: yaml.safe_load(default) for name, default in rows} == leaves(DEFAULTS)
