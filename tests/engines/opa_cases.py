"""OPA's own conformance cases, out of the module archive of the OPA version that libopa/go.mod pins.

A case is a query over modules, data and input.  libopa answers entrypoints, so the query becomes the body of a rule
that collects its bindings: `result contains {"x": x} if { data.p.q = x }`.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import yaml

from extproc.config.values import Builtin

_LIBOPA = Path(__file__).parents[2] / "libopa"
_GO = _LIBOPA.parent / ".tools" / "go"
_ALL_OF_DATA = "data = x"  # as a rule it would depend on itself


@dataclass(frozen=True)
class Case:
    """One case, with OPA's own fields (v1/test/cases/cases.go)."""

    fields: Mapping[str, Any]

    @property
    def note(self) -> str:
        """Its name."""
        return str(self.fields["note"])

    @property
    def code(self) -> str | None:
        """The code of the error that it wants."""
        return self.fields.get("want_error_code")

    @property
    def words(self) -> str | None:
        """What the error's text must contain."""
        return self.fields.get("want_error")

    @property
    def wants_an_error(self) -> bool:
        """An error goes before a result; one case has both."""
        return self.code is not None or self.words is not None

    @cached_property
    def specification(self) -> bytes:
        """What libopa prepares."""
        texts = self.fields.get("modules") or ()
        modules = {f"test-{number}.rego": text for number, text in enumerate(texts)}
        whole = self.fields["query"] == _ALL_OF_DATA
        return json.dumps(
            {
                "modules": modules if whole else modules | {"query.rego": self._rule()},
                "data": self.fields.get("data") or {},
                "entrypoints": ["" if whole else "libopa_conformance/result"],
                "allow_builtins": list(get_args(Builtin)),
                "strict_builtin_errors": self.fields.get("strict_error", False),
                "explain": True,
            }
        ).encode()

    def _rule(self) -> str:
        query = self.fields["query"].strip()
        bound = {name for binding in self.fields.get("want_result") or () for name in binding}
        if plain := re.fullmatch(r"data\.\S+ = (\w+)", query):
            bound.add(plain[1])
        bindings = ", ".join(f'"{name}": {name}' for name in sorted(bound - {"input"}))
        return f"package libopa_conformance\n\nresult contains {{{bindings}}} if {{\n{query}{self._with}\n}}\n"

    @cached_property
    def input(self) -> bytes | None:
        """The input document, None where the case has none or has one that is no JSON."""
        if (term := self.fields.get("input_term")) is not None:
            return term.encode() if _is_json(term) else None
        return json.dumps(self.fields["input"]).encode() if "input" in self.fields else None

    @property
    def _with(self) -> str:
        """An input that is no JSON, such as a set, as part of the query."""
        term = self.fields.get("input_term")
        return "" if term is None or _is_json(term) else f" with input as {term}"

    def bindings(self, result: bytes | None) -> list[str]:
        """What libopa answered, as `wanted` has it."""
        value = [] if result is None else json.loads(result)
        return self._canonical([{"x": value}] if self.fields["query"] == _ALL_OF_DATA else value)

    @property
    def wanted(self) -> list[str]:
        """The bindings that it wants, as sorted JSON texts; each comes once, as in OPA's own comparison."""
        return self._canonical(self.fields["want_result"])

    def _canonical(self, bindings: list[dict[str, Any]]) -> list[str]:
        if self.fields.get("sort_bindings"):
            bindings = [{name: sorted(value, key=_text) for name, value in one.items()} for one in bindings]
        return sorted({_text(one) for one in bindings})


def _text(value: object) -> str:
    return json.dumps(_number(value), sort_keys=True)


def _number(value: object) -> object:
    """1.0 is 1, as it is in Rego."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_number(element) for element in value]
        case dict():
            return {name: _number(element) for name, element in value.items()}
        case _:
            return value


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


class _Loader(yaml.CSafeLoader):
    """YAML as OPA reads it: a date is a text, and `on` too."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool"))]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), ["t", "f"])


def cases() -> Iterator[Case]:
    """All of the pinned version, in the order of their files; Go fetches the archive where it is not there yet."""
    command = [_GO, "mod", "download", "-json", "github.com/open-policy-agent/opa"]
    found = subprocess.run(command, cwd=_LIBOPA, check=True, capture_output=True)
    for file in sorted(Path(json.loads(found.stdout)["Dir"], "v1/test/cases/testdata/v1").rglob("*.yaml")):
        for fields in yaml.load(file.read_bytes(), _Loader)["cases"]:  # noqa: S506 - a safe loader's subclass
            yield Case(fields)
