"""Write the base, the overlays and the chart's schema into a folder, this one unless another is named.

The base is the server before anybody asks it.  An overlay adds the EnvoyFilter, changes those objects of the base that
its configuration changes, and deletes those that it does without; in-pod has no pods of its own, so no base.
"""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envoyfilters.values_schema import values_schema
from extproc.config import load_settings
from extproc.istio.attachment import ApiGateway, Attachment, ingress_gateway
from extproc.istio.manifests.objects import Document
from extproc.istio.manifests.pod import Workload
from extproc.istio.manifests.render import Part, render
from extproc.istio.protojson import manifests
from extproc.server.translation import most_memory_bytes

HERE = Path(__file__).parent
IMAGE = "extproc"

CLASSIC = ingress_gateway(kind="classic", namespace="istio-system", name=None, service_account=None, labels=())
GATEWAY_API = ApiGateway(namespace="istio-ingress", name="gateway")


@dataclass(frozen=True, slots=True)
class Overlay:
    """A configuration of configurations/, and the gateway that asks."""

    configuration: str
    attachment: Attachment

    def documents(self, part: Part) -> list[Document]:
        """As `extproc render istio` prints them."""
        settings = load_settings(HERE / "configurations" / f"{self.configuration}.yaml")
        workload = Workload(image=IMAGE, memory_bytes=most_memory_bytes(settings))
        return render(settings, self.attachment, workload, part)


OVERLAYS = {
    "service": Overlay("service", Attachment(gateway=CLASSIC)),
    "shadow": Overlay("shadow", Attachment(gateway=CLASSIC)),
    "request-only": Overlay("request-only", Attachment(gateway=CLASSIC)),
    "gateway-api": Overlay("service", Attachment(gateway=GATEWAY_API)),
    "own-tls": Overlay("own-tls", Attachment(gateway=CLASSIC)),
    "in-pod": Overlay("in-pod", Attachment(gateway=CLASSIC, profile="in-pod")),
}


def files() -> Iterator[tuple[str, str]]:
    """Every file below the folder, by its name, with its text."""
    base = {_name(each): each for each in OVERLAYS["service"].documents("server")}
    yield from _folder("base", resources=base, patches={})
    for name, overlay in OVERLAYS.items():
        documents = {_name(each): each for each in overlay.documents("all")}
        in_pod = overlay.attachment.profile == "in-pod"
        added = {file: each for file, each in documents.items() if in_pod or file not in base}
        patches = {} if in_pod else dict(_patches(base, documents))
        yield from _folder(f"overlays/{name}", added, patches, base=not in_pod)
        (patch,) = overlay.documents("gateway-pods")
        yield f"overlays/{name}/gateway-pods.yaml", manifests([_named(patch)])
    yield "chart/values.schema.json", values_schema()


def _patches(base: dict[str, Document], documents: dict[str, Document]) -> Iterator[tuple[str, Document]]:
    """What makes the documents of those of the base, by strategic merge."""
    for file, old in base.items():
        if file not in documents:
            yield file, {"$patch": "delete", **{key: old[key] for key in ("apiVersion", "kind", "metadata")}}
        elif documents[file] != old:
            yield file, _over(old, documents[file])


def _over(old: Document, new: Document) -> Document:
    """The new one, with a null for each key that only the old one has: a merge would keep it."""
    gone: Document = dict.fromkeys(key for key in old if key not in new)
    kept: Document = {}
    for key, value in new.items():
        before = old.get(key)
        kept[key] = _over(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return kept | gone


def _folder(
    folder: str, resources: dict[str, Document], patches: dict[str, Document], *, base: bool = False
) -> Iterator[tuple[str, str]]:
    kustomization: Document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [*(["../../base"] if base else []), *resources],
    }
    if patches:
        kustomization["patches"] = [{"path": file} for file in patches]
    yield f"{folder}/kustomization.yaml", manifests([kustomization])
    for file, document in (resources | patches).items():
        yield f"{folder}/{file}", manifests([document])


def _named(patch: Document) -> Document:
    """Of a Deployment that kustomize and kubectl know: without a kind and a name kustomize refuses it."""
    stock: Document = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "istio-ingressgateway"}}
    return patch if "kind" in patch else stock | patch


def _name(document: Document) -> str:
    metadata = document["metadata"]
    assert isinstance(metadata, dict)  # noqa: S101 - every object has one
    return f"{str(document['kind']).lower()}-{metadata['name']}.yaml"


def main(folder: Path) -> None:
    """What lies there from before goes."""
    for old in ("base", "overlays"):
        shutil.rmtree(folder / old, ignore_errors=True)
    for name, text in files():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
