"""docs/configuration.md against the settings: neither may name a key that the other does not know."""

import json
from collections.abc import Iterator
from types import UnionType
from typing import get_args

import pytest
from docs.page import Page
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from extproc.config import Settings

PAGE = "configuration.md"


def defaults(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every key with its default, as JSON has it."""
    for name, field in model.model_fields.items():
        kinds = get_args(field.annotation) if isinstance(field.annotation, UnionType) else (field.annotation,)
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if section is not None:
            yield from defaults(section, f"{prefix}{name}.")
        else:
            yield prefix + name, None if field.is_required() else to_jsonable_python(field.default)


def test_every_key_is_in_the_table_with_its_default(page: Page) -> None:
    written = {key: json.loads(cells[1].strip("`")) for key, cells in page.table("| key | type and bounds |").items()}
    assert written == dict(defaults(Settings))


def test_every_variable_of_the_examples_is_read(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, (cell,) in page.table("| key | variable |").items():
        name, _, value = cell.strip("`").partition("=")
        monkeypatch.setenv(name, value.strip("'"))
        assert name == f"EXTPROC_{key.upper().replace('.', '__')}"
    settings = Settings()
    assert settings.blocking.status == 451
    assert settings.inspection.states.request.malformed == "evaluate"
    assert settings.policy.data == {"limits": {"orders": 10}}


@pytest.mark.parametrize("key", ["policy.contract", "policy.challenger"])
def test_a_planned_key_is_named_and_does_not_exist(page: Page, key: str) -> None:
    assert f"`{key}`" in page.text
    assert key not in dict(defaults(Settings))
