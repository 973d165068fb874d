"""envoyfilters/: what is committed is what the command prints, and kustomize makes nothing else of it."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from istio.manifests.rendering import ROOT, SCHEMAS, Object, problems
from typer.testing import CliRunner

from extproc.cli.render import app
from extproc.errors import ConfigurationError
from extproc.istio.manifests.reading import check_files
from extproc.istio.protojson import manifests

FOLDER = ROOT / "envoyfilters"
KUSTOMIZE = ROOT / ".tools/bin/kustomize"

STOCK: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "istio-ingressgateway"}}
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
    (committed,) = yaml.safe_load_all((FOLDER / "overlays" / overlay / "gateway-pods.yaml").read_text())
    (patch,) = printed(overlay, "--part", "gateway-pods")

    assert committed == STOCK | patch


@pytest.mark.parametrize("overlay", sorted(set(OVERLAYS) - {"gateway-api"}))
def test_kustomize_takes_the_patch_of_the_gateways_pods(tmp_path: Path, overlay: str) -> None:
    labels, proxy = {"istio": "ingressgateway"}, {"name": "istio-proxy", "image": "auto"}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [proxy]}}
    spec = {"selector": {"matchLabels": labels}, "template": pods}
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(STOCK | {"spec": spec}))
    shutil.copy(FOLDER / "overlays" / overlay / "gateway-pods.yaml", tmp_path)
    page = (ROOT / "docs/how-to/attach-with-kustomize.md").read_text()
    (patches,) = (each for each in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "gateway-pods" in each)
    (tmp_path / "kustomization.yaml").write_text(f"resources: [gateway.yaml]\n{patches}")

    (deployment,) = built(tmp_path)
    template = deployment["spec"]["template"]
    assert template["metadata"]["labels"] == labels | {"extproc": "enabled"}
    assert "ext_proc_graceful_grpc_close" in template["metadata"]["annotations"]["proxy.istio.io/config"]
    assert ("extproc" in [each["name"] for each in template["spec"]["containers"]]) == (overlay == "in-pod")


def test_the_container_beside_the_gateway_goes_as_the_how_to_says(tmp_path: Path) -> None:
    """Kubectl merges as kustomize does; what stays is the label, the annotations and the group of the volumes."""
    mount, labels = {"name": "certs", "mountPath": "/certs"}, {"istio": "ingressgateway"}
    pod = {
        "containers": [{"name": "istio-proxy", "image": "auto", "volumeMounts": [mount]}],
        "volumes": [{"name": "certs", "emptyDir": {}}],
    }
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    page = (ROOT / "docs/how-to/attach-in-pod.md").read_text()
    (away,) = re.findall(r"--patch '(.*?)'\n", page, re.DOTALL)
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(STOCK | {"spec": spec}))
    (tmp_path / "away.yaml").write_text(yaml.safe_dump(STOCK | yaml.safe_load(away)))
    shutil.copy(FOLDER / "overlays/in-pod/gateway-pods.yaml", tmp_path)

    def patched(*files: str) -> Object:
        patches = [{"path": file} for file in files]
        (tmp_path / "kustomization.yaml").write_text(
            yaml.safe_dump({"resources": ["gateway.yaml"], "patches": patches})
        )
        return built(tmp_path)[0]["spec"]["template"]["spec"]

    assert len(patched("gateway-pods.yaml")["volumes"]) == 7
    assert patched("gateway-pods.yaml", "away.yaml") == pod | {"securityContext": {"fsGroup": 1337}}


def test_what_the_how_to_says_of_kustomize_is_so(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/attach-with-kustomize.md").read_text()
    (own,) = (each for each in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "server.yaml" in each)
    for name, text in {"own": own, "moved": "resources: [../own]\nnamespace: extproc\n"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "kustomization.yaml").write_text(text)
    for part in ("server", "gateway"):
        (tmp_path / "own" / f"{part}.yaml").write_text(manifests(printed("service", "--part", part)))

    def checked(folder: Path) -> int:
        (tmp_path / "all.yaml").write_text(manifests(built(folder)))
        return check_files([tmp_path / "all.yaml"])

    pods = by_name(built(tmp_path / "own"))["Deployment", "extproc"]["spec"]["template"]["spec"]
    assert pods["imagePullSecrets"] == [{"name": "registry"}]
    assert checked(tmp_path / "own") == 1
    with pytest.raises(ConfigurationError, match="extproc is not the server's own"):
        checked(tmp_path / "moved")


def test_the_base_is_a_server_that_nobody_asks() -> None:
    assert by_name(built(FOLDER / "base")) == by_name(printed("service", "--part", "server"))
