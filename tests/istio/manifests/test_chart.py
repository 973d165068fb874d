"""The Helm chart makes of its values what the command makes of the same configuration."""

import json
import re
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
import yaml
from istio.manifests.rendering import POLICY, ROOT, SCHEMAS, Object, problems

from extproc.config import Settings, load_settings
from extproc.istio.attachment import ApiGateway, Attachment, ClassicGateway
from extproc.istio.manifests.files import PolicyFile, policies_name
from extproc.istio.manifests.pod import Workload
from extproc.istio.manifests.render import render
from extproc.server.translation import most_memory_bytes

CHART = ROOT / "envoyfilters/chart"
HELM = ROOT / ".tools/bin/helm"
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())

OPTED_IN = ClassicGateway("istio-system", "istio-ingressgateway-service-account", (("extproc", "enabled"),))
PLAIN = Attachment(gateway=OPTED_IN, namespace="gate")
RESPONSES_PASS = {"policy": {"points": {"response": None}}}
SAN = {"tls": {"client_san": ["spiffe://example.org/gateway", "gateway.example.org"]}}
FILES = {"tls": {"certificate": "c.pem", "key": "k.pem", "client_ca": "a.pem"}}

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
    "data": (
        {"configuration": {"policy": {"data": {"ids": [9007199254740991, -1.5], "deep": {"x": {"y": [True, "9"]}}}}}},
        {},
        PLAIN,
    ),
    "time-outs": ({"configuration": {"policy": {"deadline_ms": 20}, "envoy": {"message_timeout_ms": 1050}}}, {}, PLAIN),
    "headers": (
        {
            "configuration": {
                "headers": {"prefix": "x-gate-"},
                "mutations": {
                    "request_headers": ["x-user", "x-gate.*", "x!#$%&'+^`|~_"],
                    "response_headers": [],
                    "path": True,
                },
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
    "TLS of our own": ({"configuration": SAN}, FILES, PLAIN),
    "TLS of our own, gateway api": (
        {
            "configuration": {"policy": {"mode": "shadow"}, **SAN},
            "gateway": {"kind": "gateway-api", "namespace": "shop", "name": "edge"},
            "revision": "stable",
        },
        FILES,
        replace(PLAIN, gateway=ApiGateway("shop", "edge")),
    ),
}


def helm(folder: Path, values: Object, *command: str, namespace: str = "gate") -> subprocess.CompletedProcess[str]:
    file = folder / "values.yaml"
    file.write_text(json.dumps({"policies": {"shop/request.rego": POLICY}} | values))
    options = ["--kube-version", "1.30.0", "--values", str(file), "--namespace", namespace]
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
    if template["labels"].get("sidecar.istio.io/inject") == "true":
        del template["labels"]["sidecar.istio.io/inject"]
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


def test_a_namespace_that_reads_like_a_number_is_a_name(tmp_path: Path) -> None:
    done = helm(tmp_path, {}, "template", "extproc", str(CHART), namespace="123")
    documents = [each for each in yaml.safe_load_all(done.stdout) if each]

    assert {each["metadata"]["namespace"] for each in documents} == {"123", "istio-system"}


@pytest.mark.parametrize("values", [{}, {"configuration": SAN}], ids=["defaults", "TLS of our own"])
def test_lint_finds_nothing(tmp_path: Path, values: Object) -> None:
    done = helm(tmp_path, values, "lint", str(CHART), "--strict")

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


def test_the_policies_are_named_after_their_content_as_the_command_does_it(tmp_path: Path) -> None:
    texts = {"a/b.rego": "package a\n", "a.rego": "package b # é\n", "z/data.json": "{}"}
    documents = templated(tmp_path, {"policies": texts})
    maps = [each["metadata"]["name"] for each in documents if each["kind"] == "ConfigMap"]

    files = [PolicyFile(PurePosixPath("policies", name), text.encode()) for name, text in texts.items()]
    assert sorted(maps) == ["extproc-config", policies_name(files)]
