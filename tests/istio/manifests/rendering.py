"""Renderings, the schemas that they are held against, and a volume as the kubelet lays it out."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from extproc.config import load_settings
from extproc.istio.attachment import ApiGateway, Attachment, ClassicGateway
from extproc.istio.manifests.pod import Workload
from extproc.istio.manifests.render import Part, render
from extproc.istio.protojson import manifests

ROOT = Path(__file__).parents[3]
KUBECONFORM = ROOT / ".tools/bin/kubeconform"
SCHEMAS = sorted(path for path in (ROOT / ".tools/schemas").iterdir() if path.is_dir())

Object: TypeAlias = dict[str, Any]

CLASSIC = Attachment(gateway=ClassicGateway("istio-ingress", "gateway", (("istio", "ingress"),)))
GATEWAY_API = Attachment(gateway=ApiGateway("shop", "edge"))
IN_POD = Attachment(gateway=CLASSIC.gateway, profile="in-pod")
WORKLOAD = Workload(image="registry.example/extproc:1", memory_bytes=(3 << 30) + 1)

TLS = "tls: {certificate: c.pem, key: k.pem, client_ca: a.pem, client_san: [spiffe://example.org/gateway]}\n"

POLICY = "package extproc.request\n\ndecision := true\n"


def configured(folder: Path, text: str = "") -> Path:
    """A configuration with one folder of policies."""
    policies = folder / "policies"
    (policies / "shop").mkdir(parents=True, exist_ok=True)
    (policies / "shop/request.rego").write_text(POLICY)
    (policies / "shop/request_test.rego").write_text("package extproc.request_test\n")
    (policies / "shop/data.json").write_text('{"limit": 3}')
    file = folder / "extproc.yaml"
    file.write_text(f"policy: {{paths: [policies]}}\n{text}")
    return file


def rendered(
    file: Path, attachment: Attachment = CLASSIC, workload: Workload = WORKLOAD, part: Part = "all"
) -> list[Object]:
    return render(load_settings(file), attachment, workload, part)


def one(documents: Sequence[Object], kind: str, name: str = "extproc") -> Object:
    """The object of this kind and name."""
    (found,) = (each for each in documents if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def policies(documents: Sequence[Object]) -> Object:
    """Their ConfigMap, which is named after what it holds."""
    (found,) = (each for each in documents if each["kind"] == "ConfigMap" and "policies" in each["metadata"]["name"])
    return found


def problems(documents: Sequence[Mapping[str, object]], schemas: Path) -> str:
    """What kubeconform says, strictly; empty when all is well."""
    where = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    done = subprocess.run(
        [KUBECONFORM, "-strict", "-schema-location", where],
        input=manifests(documents).encode(),
        stdout=subprocess.PIPE,
        check=False,
    )
    return done.stdout.decode()


def lay_out(root: Path, volume: Mapping[str, Any], maps: Mapping[str, Object]) -> None:
    """A ConfigMap's volume as the kubelet does it: a version of its own, and links to what is in `..data`."""
    source = volume["configMap"]
    data = maps[source["name"]]["data"]
    items = source.get("items") or [{"key": key, "path": key} for key in data]
    version = root / "..2026_11_26"
    for item in items:
        file = version / item["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(data[item["key"]])
    (root / "..data").symlink_to(version.name)
    for name in {item["path"].partition("/")[0] for item in items}:
        (root / name).symlink_to(Path("..data", name))
