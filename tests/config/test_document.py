"""The file is read strictly, and whatever is wrong with it ends in one sentence, soon."""

from collections.abc import Callable
from pathlib import Path

import pytest

from extproc.config import load_settings
from extproc.config.document import MAX_BYTES, read_document
from extproc.errors import ConfigurationError

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
)


def test_values_and_lines(file: Path) -> None:
    file.write_text("# why\na: 1\nb:\n  c: [x, {d: 2}]\n")
    assert read_document(file) == (
        {"a": 1, "b": {"c": ["x", {"d": 2}]}},
        {("a",): 2, ("b",): 3, ("b", "c"): 4, ("b", "c", "0"): 4, ("b", "c", "1"): 4, ("b", "c", "1", "d"): 4},
    )


def test_an_empty_file_holds_no_key(file: Path) -> None:
    file.write_text("# nothing\n")
    assert read_document(file) == ({}, {})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("on", "on"),
        ("yes", "yes"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("0", 0),
        ("-7", -7),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".inf", ".inf"),
        ("2026-01-01", "2026-01-01"),
        ("'1'", "1"),
    ],
)
def test_a_scalar_means_what_it_means_in_yaml_1_2(file: Path, text: str, value: object) -> None:
    file.write_text(f"a: {text}\n")
    read = read_document(file)[0]["a"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\na: 2", "2: a: is there twice, first in line 1"),
        ("a:\n  b: 1\n  c: 2\n  b: 3", "4: a.b: is there twice, first in line 2"),
        ("a: [{b: 1, b: 2}]", "1: a.0.b: is there twice, first in line 1"),
        ("1: 2", "1: a key must be text: put it in quotes"),
        ("true: 2", "1: a key must be text: put it in quotes"),
        ("? [a, b]\n: 3", "1: a key must be text: put it in quotes"),
        ("- 1", " must hold a mapping of keys, such as `policy: {paths: [policies/]}`"),
        ("just text", " must hold a mapping of keys, such as `policy: {paths: [policies/]}`"),
        ("null", " must hold a mapping of keys, such as `policy: {paths: [policies/]}`"),
        ("a: [", " is not YAML: while parsing a flow node expected the node content"),
        ("\ta: 1", " is not YAML: while scanning for the next token found character"),
        ("a: 1\n---\nb: 2", " is not YAML: expected a single document in the stream"),
        ("a: &a [*a]", " is not YAML: aliases are not read: write it out"),
        ("a: *b", " is not YAML: aliases are not read: write it out"),
        ("a: !!python/object/apply:os.system [id]", " is not YAML: could not determine a constructor for the tag"),
        ("a: !!int x", " is not a configuration: invalid literal for int()"),
        ("a: \x01", " is not YAML: unacceptable character"),
        (b"a: \xff", " is not UTF-8 text"),
        (LAUGHS, " is not YAML: aliases are not read: write it out"),
        ("a: " + "[" * 50_000, " is not a configuration: maximum recursion depth exceeded"),
        ("a: " + "{b: " * 50_000, " is not a configuration: maximum recursion depth exceeded"),
        (b"a" * (MAX_BYTES + 1), " is larger than 1 MiB: this is no configuration"),
    ],
    ids=lambda value: str(value)[:24],
)
@pytest.mark.timeout(10)
def test_a_text_that_is_no_configuration_is_refused(
    refused: Callable[[str | bytes], str], text: str | bytes, sentence: str
) -> None:
    said = refused(text)
    assert said.startswith(sentence)
    assert "\n" not in said


def test_a_merge_key_is_an_unknown_key(refused: Callable[[str], str]) -> None:
    assert refused("<<: {workers: 2}\npolicy: {paths: [p]}").startswith("1: <<: unknown key")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("absent.yaml", "No such file or directory"), (".", "Is a directory"), ("f/x", "Not a directory")],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(ConfigurationError) as raised:
        load_settings(tmp_path / name)
    assert str(raised.value) == f"{tmp_path / name}: cannot be read ({reason}); name a file with --config"


@pytest.mark.timeout(10)
def test_a_file_without_an_end_is_not_read_to_its_end() -> None:
    with pytest.raises(ConfigurationError, match="is larger than 1 MiB"):
        read_document(Path("/dev/zero"))
