"""The command as a person meets it: help with examples, the version, completion, and how it ends."""

import os
import subprocess
import sys

import pytest
import typer.main
from typer.testing import CliRunner

from extproc import __version__
from extproc.cli.main import app


def commands(command: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command that does something; only a group has `commands`."""
    inner: dict[str, object] | None = getattr(command, "commands", None)
    if inner is None:
        return [path]
    return [leaf for name, one in inner.items() for leaf in commands(one, (*path, name))]


COMMANDS = commands(typer.main.get_command(app))


def extproc(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "extproc", *arguments],
        env=os.environ | {"COLUMNS": "200"} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_commands_are_found() -> None:
    assert {
        ("serve",),
        ("demo",),
        ("config", "check"),
        ("doctor",),
        ("render", "envoy"),
        ("receipts", "verify"),
    } <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_help_shows_an_example_of_the_command(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"}, prog_name="extproc")
    assert shown.exit_code == 0
    assert "Example" in shown.output
    assert f"extproc {' '.join(path)}" in shown.output.split("Example")[1]


def test_the_version() -> None:
    ended = extproc("--version")
    assert (ended.returncode, ended.stdout) == (0, f"extproc {__version__}\n")


@pytest.mark.parametrize("arguments", [(), ("config",), ("receipts",), ("keys",), ("render",)])
def test_without_a_command_the_help_is_shown(arguments: tuple[str, ...]) -> None:
    ended = extproc(*arguments)
    assert (ended.returncode, f"Usage: extproc {' '.join(arguments)}".strip() in ended.stdout + ended.stderr) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nope",), "No such command 'nope'"),
        (("serve", "--nope"), "No such option"),
        (("serve", "surplus"), "unexpected extra argument"),
        (("config", "check"), "Missing argument"),
        (("render", "envoy"), "Missing option"),
    ],
)
def test_a_wrong_use_is_exit_status_2(arguments: tuple[str, ...], sentence: str) -> None:
    ended = extproc(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_for_the_command_of_our_name(shell: str) -> None:
    shown = extproc("--show-completion", SHELL=f"/bin/{shell}", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    if "extproc" not in shown.stdout:  # typer detects the shell by its parent process, or is told here
        shown = extproc("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert (shown.returncode, "_EXTPROC_COMPLETE" in shown.stdout) == (0, True)


def test_a_command_completes() -> None:
    completed = extproc(_EXTPROC_COMPLETE="complete_bash", COMP_WORDS="extproc re", COMP_CWORD="1")
    assert completed.stdout.split() == ["render", "receipts"]
