import os
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

import pytest

from extproc.errors import EnvoyMissingError
from extproc.istio import binary
from extproc.istio.binary import envoy_binary


def test_the_binary_is_an_executable_file(envoy: Path) -> None:
    assert envoy.is_file()
    assert os.access(envoy, os.X_OK)


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Distribution:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(binary, "distribution", absent)

    with pytest.raises(EnvoyMissingError, match=r"install extproc-opa\[demo\]"):
        envoy_binary()
