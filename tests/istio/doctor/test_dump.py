"""Dumps that are none, and dumps that mean harm."""

import json
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from extproc.errors import DumpError
from extproc.istio.doctor.dump import DEEPEST, LARGEST_BYTES, parse_dump
from extproc.istio.doctor.examine import examine
from extproc.istio.doctor.finding import Expected
from extproc.istio.doctor.node import LONGEST_NAME, Node, shown
from extproc.istio.doctor.sources import from_file

LISTENERS = "type.googleapis.com/envoy.admin.v3.ListenersConfigDump"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b'{"configs": [{"@type"', "not JSON, or not all of it"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 1_000_000, "nests too deeply"),
        (b'{"a":' * 1_000_000, "nests too deeply"),
        (b"[]", "has no listeners"),
        (b"null", "has no listeners"),
        (b'{"configs": {"a": 1}}', "has no listeners"),
        (b'{"configs": [1, null, "x", [], {"@type": 5}]}', "has no listeners"),
        (b'{"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump"}]}', "has no listeners"),
    ],
)
def test_what_is_no_dump_is_refused(text: bytes, sentence: str) -> None:
    with pytest.raises(DumpError, match=sentence):
        parse_dump(text)


@pytest.mark.parametrize("levels", [190, 250, 900])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_dump_is_read_at_any_depth_or_refused(levels: int, opening: str, clean: bytes, expected: Expected) -> None:
    closing = "]" if opening == "[" else "}"
    deep = opening * levels + "1" + closing * levels
    dump = clean.replace(
        b'"per_connection_buffer_limit_bytes"', f'"deep": {deep}, "per_connection_buffer_limit_bytes"'.encode()
    )

    with nullcontext() if levels < DEEPEST else pytest.raises(DumpError, match="nests too deeply"):
        assert {each.id for each in examine(dump, expected)} == {"unknown_field"}


def test_a_file_without_end_is_read_up_to_the_limit_and_refused() -> None:
    with pytest.raises(DumpError, match="more than 256 MiB"):
        parse_dump(from_file(Path("/dev/zero")).dump)
    assert LARGEST_BYTES == 256 << 20


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match=r"cannot be read \(No such file"):
        from_file(tmp_path / "absent")


@pytest.mark.parametrize("hostile", [None, True, 1, "x", [], {}, [[]], [None], [{"listener": 5}], {"listener": []}])
@pytest.mark.parametrize("field", ["static_listeners", "dynamic_listeners"])
def test_any_shape_of_a_section_is_borne(field: str, hostile: object, expected: Expected) -> None:
    dump = {"configs": [{"@type": LISTENERS, field: hostile}]}

    assert examine(json.dumps(dump).encode(), expected)[0].id == "not_attached"


ODD = (None, True, 0, -1, 10**30, 1.5, "", "x", "9" * 400 + "s", "-1s", "nan", [], {}, [None], [[]], {"@type": 5})


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of everything in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in items:
        yield (*path, key)
        yield from places(member, (*path, key))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=strategies.data())
def test_whatever_stands_anywhere_in_a_dump_is_borne(
    data: strategies.DataObject, clean: bytes, expected: Expected
) -> None:
    dump = place = json.loads(clean)
    *steps, last = data.draw(strategies.sampled_from(sorted(places(dump), key=str)))
    for step in steps:
        place = place[step]
    place[last] = data.draw(strategies.sampled_from(ODD))

    with suppress(DumpError):
        examine(json.dumps(dump).encode(), expected)


def test_a_name_is_shown_as_short_ascii_without_control_characters() -> None:
    assert shown("a\x1b[31m\n\u202e") == r"a\u001b[31m\n\u202e"
    assert len(shown("x" * 10_000)) <= LONGEST_NAME + len(r"\u2026")


def test_a_path_quotes_what_is_no_plain_name() -> None:
    node = Node(".configs[0]", {"a": 1})

    assert node.path_to("plain_name") == ".configs[0].plain_name"
    assert node.path_to('extproc."x') == r'.configs[0]["extproc.\"x"]'
