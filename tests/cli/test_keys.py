import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from extproc.cli import keys
from extproc.evidence.keys import load_key_ring, load_signer


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(keys.app, arguments)


def test_a_new_key_is_named_by_its_id(tmp_path: Path) -> None:
    file = tmp_path / "signing.pem"
    result = run("new", str(file))
    assert (result.exit_code, result.stdout) == (0, load_signer(file).kid + "\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_key_that_exists_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "signing.pem"
    file.write_text("precious")
    result = run("new", str(file))
    assert (result.exit_code, result.stderr) == (2, f"error: {file} exists and is left alone: name another file\n")
    assert file.read_text() == "precious"


def test_what_show_prints_can_be_pinned(tmp_path: Path) -> None:
    file, pinned = tmp_path / "signing.pem", tmp_path / "pinned"
    run("new", str(file))
    signer = load_signer(file)
    for options in ((), ("--pem",)):
        result = run("show", str(file), *options)
        pinned.write_text(result.stdout)
        load_key_ring(pinned).verify(signer.kid, signer.sign(b"receipt"), b"receipt")
        assert (result.exit_code, "PRIVATE" in result.stdout) == (0, False)
    assert json.loads(run("show", str(file)).stdout)["keys"][0]["kid"] == signer.kid


def test_a_missing_key_exits_with_2(tmp_path: Path) -> None:
    result = run("show", str(tmp_path / "missing.pem"))
    assert (result.exit_code, result.stdout, result.stderr.startswith("error: ")) == (2, "", True)


@pytest.mark.parametrize("command", ["new", "show"])
def test_help_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert (result.exit_code, f"extproc keys {command} receipts/signing.pem" in result.stdout) == (0, True)
