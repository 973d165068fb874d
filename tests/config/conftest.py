import os
from collections.abc import Callable
from pathlib import Path

import pytest

from extproc.config import Settings, load_settings
from extproc.errors import ConfigurationError


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the machine that runs the tests has set is no part of a test."""
    for name in os.environ:
        if name.upper().startswith("EXTPROC_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "extproc.yaml"


@pytest.fixture
def loaded(file: Path) -> Callable[[str], Settings]:
    """The settings of a text, which needs no policy of its own."""

    def load(text: str) -> Settings:
        file.write_text(text if "paths:" in text else f"{text}\npolicy: {{paths: [policies]}}\n")
        return load_settings(file)

    return load


@pytest.fixture
def refused(file: Path) -> Callable[[str | bytes], str]:
    """The sentence about a text that is wrong, without the name of the file."""

    def load(text: str | bytes) -> str:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ConfigurationError) as raised:
            load_settings(file)
        return str(raised.value).replace(f"{file}:", "")

    return load
