"""Typed messages as text that Envoy reads: protojson with the field names of the .proto files."""

import json
from collections.abc import Iterable, Mapping

import betterproto2
import yaml
from typing_extensions import override
from yaml.emitter import ScalarAnalysis


def to_json(message: betterproto2.Message) -> str:
    """One JSON document; an `Any` carries its message inline under `@type`."""
    return json.dumps(message.to_dict(casing=betterproto2.Casing.SNAKE), indent=2) + "\n"


def to_yaml(message: betterproto2.Message) -> str:
    """The same document as YAML 1.1, with multi-line strings (the Lua source) as blocks."""
    document = message.to_dict(casing=betterproto2.Casing.SNAKE)
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120)


def manifests(documents: Iterable[Mapping[str, object]]) -> str:
    """Kubernetes objects as one stream of YAML documents."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, explicit_start=True)


class _Dumper(yaml.SafeDumper):
    """SafeDumper that never writes anchors and keeps lines as lines."""

    @override
    def ignore_aliases(self, data: object) -> bool:
        return True

    @override
    def analyze_scalar(self, scalar: str) -> ScalarAnalysis:
        """Rego is indented with tabs, which a block may hold (YAML 1.2 section 8.1); PyYAML would quote the whole."""
        analysis = super().analyze_scalar(scalar.replace("\t", " ") if "\n" in scalar else scalar)
        analysis.scalar = scalar
        return analysis


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)
