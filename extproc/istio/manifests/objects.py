"""What every object begins with."""

from typing import TypeAlias

from extproc.istio.attachment import LABELS, NAME

Document: TypeAlias = dict[str, object]


def kubernetes_object(api_version: str, kind: str, namespace: str | None, **content: object) -> Document:
    """One object named after us; `content` is what follows its metadata, but for `annotations`, and `name`."""
    metadata: Document = {"name": content.pop("name", NAME)}
    if namespace is not None:
        metadata["namespace"] = namespace
    metadata["labels"] = dict(LABELS)
    if annotations := content.pop("annotations", None):
        metadata["annotations"] = annotations
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
