"""The chart's values: what helm refuses, and where they are written down."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from istio.manifests.rendering import POLICY, ROOT, Object
from istio.manifests.test_chart import CHART, DEFAULTS, helm

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
    "a number that helm would change": (
        {"configuration": {"policy": {"data": {"accounts": [{"id": 9007199254740993}]}}}},
        "/configuration/policy/data/accounts/0/id': maximum: got 9.007",
    ),
    "a size that is none": ({"receipts": {"size": "lots"}}, "/receipts/size"),
    "a misspelt key of tls": ({"configuration": {"tls": {"san": ["gateway.example"]}}}, "'san' not allowed"),
}
TLS_REFUSED: dict[str, tuple[Object, str]] = {
    "a peer that nobody checks": ({}, "client_san: name a URI or DNS name of the gateway's certificate"),
    "no name": ({"client_san": []}, "client_san: name a URI or DNS name of the gateway's certificate"),
    **{
        f"a path for {key}": (
            {"client_san": ["gateway.example"], key: "/etc/tls.pem"},
            f"configuration.tls.{key}: take it out and make the Secret extproc-tls",
        )
        for key in ("certificate", "key", "client_ca")
    },
}


@pytest.mark.parametrize("case", REFUSED)
def test_helm_refuses(tmp_path: Path, case: str) -> None:
    values, message = REFUSED[case]
    done = helm(tmp_path, values, "template", "extproc", str(CHART))

    assert done.returncode == 1
    assert message in done.stderr


@pytest.mark.parametrize("schema", [(), ("--skip-schema-validation",)], ids=["by schema", "without"])
@pytest.mark.parametrize("case", TLS_REFUSED)
def test_helm_says_what_else_to_write_for_tls(tmp_path: Path, case: str, schema: tuple[str, ...]) -> None:
    tls, message = TLS_REFUSED[case]
    done = helm(tmp_path, {"configuration": {"tls": tls}}, "template", "extproc", str(CHART), *schema)

    assert (done.returncode, done.stdout) == (1, "")
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
    "tls",
    "tls/client_san",
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


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "Only pods with extproc=enabled"),
        ({"gateway": {"enabled": False}}, "nobody asks it"),
        ({"gateway": {"kind": "gateway-api", "namespace": "shop", "name": "edge"}}, "The Gateway edge in shop asks"),
        ({"configuration": {"policy": {"mode": "shadow"}}}, "policy.mode is shadow: nothing is blocked"),
    ],
)
def test_the_notes_say_who_asks(tmp_path: Path, values: Object, said: str) -> None:
    """Helm prints them after an installation alone, so they stand in a manifest here."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    notes = (chart / "templates/NOTES.txt").read_text()
    wrapped = (
        f'{{{{- define "notes" }}}}{notes}{{{{ end }}}}\nkind: Notes\nnotes: {{{{ include "notes" . | toJson }}}}\n'
    )
    (chart / "templates/notes.yaml").write_text(wrapped)

    done = helm(tmp_path, values, "template", "extproc", str(chart), "--show-only", "templates/notes.yaml")
    (text,) = (each["notes"] for each in yaml.safe_load_all(done.stdout) if each)
    assert said in text
    assert ("nothing is blocked" in text) == ("configuration" in values)
    assert "extproc doctor --probe" in text


def test_the_patch_of_the_readme_is_what_the_command_prints() -> None:
    (written,) = re.findall(r"--patch '(.*?)'\n```", (CHART / "README.md").read_text(), re.DOTALL)
    committed = yaml.safe_load((ROOT / "envoyfilters/overlays/service/gateway-pods.yaml").read_text())

    def read(patch: Object) -> Object:
        metadata = patch["spec"]["template"]["metadata"]
        return metadata | {"annotations": {k: yaml.safe_load(v) for k, v in metadata["annotations"].items()}}

    assert read(yaml.safe_load(written)) == read(committed)
