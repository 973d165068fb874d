"""Reading the file and the variables.  Every error names its key, its line where there is one, and what would be valid.

A variable wins over the file (`EXTPROC_BLOCKING__STATUS=451`).  Relative paths in either are relative to the file's
folder, or to the working directory where there is no file.
"""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from json import JSONDecodeError
from os import environ
from pathlib import Path
from types import UnionType
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError

from extproc.config.document import Lines, read_document
from extproc.config.settings import BundleKey, Evidence, Policy, Settings, Tls
from extproc.errors import ConfigurationError

_PREFIX = "EXTPROC_"
_NOT_SETTINGS = frozenset({"EXTPROC_CONFIG", "EXTPROC_TEST_DATA"})
"""Variables of the command line and of the test suite, which share the prefix."""
_SERVICE_NAME = re.compile(r"EXTPROC_(?:\w+_)?SERVICE_(?:HOST|PORT(?:_\w+)?)")
_SERVICE_PORT = re.compile(r"EXTPROC_(?:\w+_)?PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?")
"""What Kubernetes gives every pod beside a Service named `extproc` or `extproc-…`
(https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables)."""
_UNION_STEP = re.compile(r"constrained-|literal\[|function-")
"""A step of pydantic's that names a member of a union, not a key."""
_PLAINLY = {
    "missing": "is required",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping of keys",
    "model_attributes_type": "must be a mapping of keys",
    "path_type": "must be a path",
    "tuple_type": "must be a list",
}


def load_settings(file: Path | None) -> Settings:
    """The whole configuration, or ConfigurationError with one line for each thing that is wrong."""
    document, lines = ({}, {}) if file is None else read_document(file)
    # BaseSettings takes options whose names begin with an underscore.
    hidden = [f"{file}:{lines[key,]}: {key}: unknown key" for key in document if key.startswith("_")]
    unknown = hidden + sorted(_unknown_variables())
    if unknown:
        raise ConfigurationError("\n".join(unknown))
    try:
        settings = Settings(**document)  # type: ignore[arg-type]  # for pydantic to judge; model_validate hides SettingsError
    except ValidationError as error:
        where = "environment" if file is None else str(file)
        raise ConfigurationError("\n".join(_sentences(error.errors(), where, lines))) from None
    except SettingsError as error:
        raise ConfigurationError(_not_json(error)) from None
    return _anchored(settings, Path.cwd() if file is None else file.resolve().parent)


def _sentences(errors: Iterable[ErrorDetails], where: str, lines: Lines) -> Iterator[str]:
    """One for each place: where a value may be of two kinds, both are named."""
    found: dict[str, list[str]] = {}
    for error in errors:
        path, message = _path_of(error), _message_of(error)
        key = f"{'.'.join(path)}: " if error["loc"] else ""
        found.setdefault(f"{_place(path, where, lines)}: {key}", []).append(message)
    return (start + ", or ".join(dict.fromkeys(messages)) for start, messages in found.items())


def _path_of(error: ErrorDetails) -> tuple[str, ...]:
    """The key that the error is about; a rule about several keys begins with the one to change."""
    path = tuple(str(step) for step in error["loc"])
    if not path:
        return tuple(_message_of(error).partition(" ")[0].split("."))
    return path if error["type"] == "extra_forbidden" else tuple(step for step in path if not _UNION_STEP.match(step))


def _message_of(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return f"unknown key{_suggestion(tuple(str(step) for step in error['loc']))}"
    message = error["msg"].removeprefix("Value error, ")
    return _PLAINLY.get(error["type"]) or re.sub(r"^(?:URL (?:input|scheme)|Input|String) should", "must", message)


def _place(path: tuple[str, ...], where: str, lines: Lines) -> str:
    """The variable that gave the value, else the line, else the file."""
    parts = [path[:length] for length in range(len(path), 0, -1)]
    given = {name.upper(): name for name in environ}
    for part in parts:
        if variable := given.get(_PREFIX + "__".join(part).upper()):
            return f"environment: {variable}"
    line = next((lines[part] for part in parts if part in lines), None)
    return where if line is None else f"{where}:{line}"


def _suggestion(path: tuple[str, ...]) -> str:
    """The nearest keys of the section that does not know this one."""
    section: type[BaseModel] = Settings
    for step in path[:-1]:
        field = section.model_fields.get(step)
        below = _section(None if field is None else field.annotation)
        if below is None:
            return ""
        section = below
    near = get_close_matches(path[-1], section.model_fields, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(section.model_fields)}"


def _section(annotation: object) -> type[BaseModel] | None:
    """The section that a key holds, also where it may be null."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _unknown_variables() -> Iterator[str]:
    for name, value in environ.items():
        if name.startswith(_PREFIX) and name not in _NOT_SETTINGS and not _of_kubernetes(name, value):
            key = name.removeprefix(_PREFIX).split("__")[0].lower()
            if key not in Settings.model_fields:
                yield f"environment: {name}: unknown key{_suggestion((key,))}"


def _of_kubernetes(name: str, value: str) -> bool:
    is_port = value.startswith(("tcp://", "udp://", "sctp://")) or "_PORT_" in name
    return bool(_SERVICE_NAME.fullmatch(name) or (is_port and _SERVICE_PORT.fullmatch(name)))


def _not_json(error: SettingsError) -> str:
    """Names the variable, not its value, for it may be a secret in the wrong place."""
    cause = error.__cause__
    text = cause.doc if isinstance(cause, JSONDecodeError) else None
    names = sorted(name for name, value in environ.items() if name.upper().startswith(_PREFIX) and value == text)
    return (
        f"environment: {' or '.join(names) or error}: must be JSON, "
        """for it is a list or a mapping, such as EXTPROC_POLICY__PATHS='["policies"]'"""
    )


def _anchored(settings: Settings, folder: Path) -> Settings:
    """The same settings with every path absolute."""
    policy, evidence, tls = settings.policy, settings.evidence, settings.tls
    return settings.model_copy(
        update={
            "tls": None if tls is None else _anchored_tls(tls, folder),
            "policy": Policy.model_copy(
                policy,
                update={
                    "paths": tuple(folder / path for path in policy.paths),
                    "bundle_keys": {
                        id_: BundleKey.model_copy(key, update={"file": folder / key.file})
                        for id_, key in policy.bundle_keys.items()
                    },
                },
            ),
            "evidence": Evidence.model_copy(
                evidence,
                update={
                    "directory": folder / evidence.directory,
                    "key": None if evidence.key is None else folder / evidence.key,
                    "hmac_key": None if evidence.hmac_key is None else folder / evidence.hmac_key,
                },
            ),
        }
    )


def _anchored_tls(tls: Tls, folder: Path) -> Tls:
    files = {"certificate": tls.certificate, "key": tls.key, "client_ca": tls.client_ca}
    return tls.model_copy(update={name: folder / file for name, file in files.items()})
