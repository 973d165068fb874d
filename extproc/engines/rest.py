"""What OPA's REST API answers, read strictly: bytes in, values out.

Source: https://www.openpolicyagent.org/docs/rest-api (OPA 1.22): data, policy and error documents, provenance.
"""

import hashlib
import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NoReturn, NotRequired

import orjson
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from extproc.core.engine import PolicyIdentity
from extproc.errors import EngineError

_CODE = re.compile(r"[a-z_]{1,64}")


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who answered: OPA's version, and the revision of each bundle by its name."""

    version: str
    bundles: Mapping[str, str] = field(default_factory=dict)

    @property
    def revision(self) -> str:
        """The bundles' own words, in the order of their names, joined by a comma."""
        return ",".join(filter(None, (self.bundles[name] for name in sorted(self.bundles))))

    def identity(self, policy_digest: str) -> PolicyIdentity:
        """The identity that goes with it; the digest of a server's data is not known (see OpaEngine)."""
        return PolicyIdentity("opa", self.version, self.revision, policy_digest, data_digest="")


@dataclass(frozen=True, slots=True)
class Answer:
    """`result` is JSON text with the very number literals that OPA wrote, or None where the value is undefined."""

    result: bytes | None
    decision_id: str
    provenance: Provenance | None


@dataclass(frozen=True, slots=True)
class Modules:
    """The Rego that a server holds: the digest of it, and the path of each rule that is not a function.

    `policy_digest` is made as extproc.engines.sources makes it, from every module of the server, tests too.  The name
    of a module is its path within its bundle, else the id that the server knows it by.
    """

    policy_digest: str
    rules: frozenset[tuple[str, ...]]

    def define(self, entrypoint: str) -> bool:
        """Whether a rule is at the entrypoint, below it, or above it (a rule's value may hold the entrypoint)."""
        path = tuple(entrypoint.split("/"))
        return any(rule[: len(path)] == path[: len(rule)] for rule in self.rules)


class _Bundle(TypedDict):
    revision: NotRequired[str]


class _Provenance(TypedDict):
    version: str
    bundles: NotRequired[dict[str, _Bundle]]


class _Data(TypedDict):
    result: NotRequired[object]
    decision_id: NotRequired[str]
    provenance: NotRequired[_Provenance]


class _Error(TypedDict):
    code: str


class _Failure(TypedDict):
    code: str
    errors: NotRequired[list[_Error]]


class _Term(TypedDict):
    type: str
    value: object


class _Head(TypedDict):
    ref: list[_Term]
    args: NotRequired[list[object]]


class _Rule(TypedDict):
    head: _Head


class _Package(TypedDict):
    path: list[_Term]


class _Ast(TypedDict):
    package: _Package
    rules: NotRequired[list[_Rule]]


class _Module(TypedDict):
    id: str
    raw: str
    ast: _Ast


class _Policies(TypedDict):
    result: NotRequired[list[_Module]]


_DATA, _FAILURE, _POLICIES = TypeAdapter(_Data), TypeAdapter(_Failure), TypeAdapter(_Policies)


def read_answer(status: int, body: bytes) -> Answer:
    """The answer to a query of `/v1/data`.

    Raises EngineError: with OPA's error code where OPA failed (its message could quote the input), and where the answer
    is none.
    """
    if status != HTTPStatus.OK:
        raise EngineError(_failure(status, body))
    try:
        document = json.loads(
            body.decode(), parse_float=orjson.Fragment, parse_int=orjson.Fragment, parse_constant=_refuse
        )
        data = _DATA.validate_python(document, strict=True)
        result = orjson.dumps(data["result"]) if "result" in data else None
    except (ValueError, RecursionError, orjson.JSONEncodeError):
        raise EngineError("the server's answer is not a data document of OPA's") from None
    return Answer(result, data.get("decision_id", ""), _provenance(data.get("provenance")))


def _failure(status: int, body: bytes) -> str:
    """The innermost code, for the outer one says no more than `internal_error`."""
    try:
        document = _FAILURE.validate_json(body)
    except ValueError:
        return f"the server answered with status {status}"
    codes = [error["code"] for error in document.get("errors", [])] or [document["code"]]
    return codes[0] if _CODE.fullmatch(codes[0]) else f"the server answered with status {status}"


def _provenance(document: _Provenance | None) -> Provenance | None:
    if document is None:
        return None
    bundles = {name: bundle.get("revision", "") for name, bundle in document.get("bundles", {}).items()}
    return Provenance(document["version"], bundles)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def read_policies(status: int, body: bytes, bundles: Iterable[str]) -> Modules:
    """The answer to `GET /v1/policies` of a server with these bundles.  Raises EngineError."""
    if status != HTTPStatus.OK:
        raise EngineError(_failure(status, body))
    try:
        modules = _POLICIES.validate_json(body).get("result", [])
        lines = sorted(f"{_name(m['id'], bundles)} {_digest(m['raw'])}\n" for m in modules)
    except ValueError:
        raise EngineError("the server's answer is not a list of policies") from None
    return Modules(_digest("".join(lines)), frozenset(path for m in modules for path in _rules(m["ast"])))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _name(module_id: str, bundles: Iterable[str]) -> str:
    """A bundle's name comes first in an id; a folder that was loaded as a bundle is named after itself, twice."""
    for bundle in map(posixpath.normpath, bundles):
        if module_id.startswith(f"{bundle}/"):
            return module_id.removeprefix(f"{bundle}/").removeprefix(f"{bundle.lstrip('/')}/")
    return module_id


def _rules(ast: _Ast) -> Iterator[tuple[str, ...]]:
    package = tuple(str(term["value"]) for term in ast["package"]["path"][1:])  # the first one is `data`
    for rule in ast.get("rules", []):
        if not rule["head"].get("args"):
            yield package + tuple(_static(rule["head"]["ref"]))


def _static(ref: list[_Term]) -> Iterator[str]:
    """The reference up to the first key that only evaluation knows."""
    for index, term in enumerate(ref):
        if index and term["type"] != "string":
            return
        yield str(term["value"])
