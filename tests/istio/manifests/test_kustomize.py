"""envoyfilters/: what is committed is what the command prints, and kustomize makes nothing else of it."""

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from istio.manifests.rendering import ROOT, SCHEMAS, Object, problems
from typer.testing import CliRunner

from extproc.cli.render import app

FOLDER = ROOT / "envoyfilters"
KUSTOMIZE = ROOT / ".tools/bin/kustomize"

GATEWAY_API = ["--gateway", "gateway-api", "--gateway-namespace", "istio-ingress", "--gateway-name", "gateway"]
OVERLAYS: dict[str, tuple[str, list[str]]] = {
    "service": ("service", []),
    "shadow": ("shadow", []),
    "request-only": ("request-only", []),
    "gateway-api": ("service", GATEWAY_API),
    "own-tls": ("own-tls", []),
    "in-pod": ("in-pod", ["--profile", "in-pod"]),
}


def tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for folder in ("base", "overlays")
        for path in (root / folder).rglob("*.yaml")
    }


def by_name(documents: Iterable[Object]) -> dict[tuple[str, str], Object]:
    return {(each["kind"], each["metadata"]["name"]): each for each in documents}


def built(folder: Path) -> list[Object]:
    done = subprocess.run([KUSTOMIZE, "build", folder], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return list(yaml.safe_load_all(done.stdout))


def printed(overlay: str, *options: str) -> list[Object]:
    configuration, where = OVERLAYS[overlay]
    file = FOLDER / "configurations" / f"{configuration}.yaml"
    command = ["istio", "--config", str(file), "--image", "extproc", *where, *options]
    return list(yaml.safe_load_all(CliRunner().invoke(app, command, catch_exceptions=False).stdout))


def test_what_is_committed_is_what_is_rendered(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "envoyfilters", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)

    assert tree(FOLDER) == tree(tmp_path), "run `make envoyfilters`"


def test_every_overlay_is_here() -> None:
    assert {path.name for path in (FOLDER / "overlays").iterdir()} == set(OVERLAYS)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_what_the_command_prints(overlay: str) -> None:
    documents = built(FOLDER / "overlays" / overlay)

    assert by_name(documents) == by_name(printed(overlay))
    assert problems(documents, SCHEMAS[-1]) == ""


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_patch_of_the_gateways_pods_is_what_the_command_prints(overlay: str) -> None:
    committed = list(yaml.safe_load_all((FOLDER / "overlays" / overlay / "gateway-pods.yaml").read_text()))

    assert committed == printed(overlay, "--part", "gateway-pods")


def test_the_base_is_a_server_that_nobody_asks() -> None:
    assert by_name(built(FOLDER / "base")) == by_name(printed("service", "--part", "server"))
