"""JSON that others collected: JSONTestSuite, orjson's data and the Big List of Naughty Strings.

`EXTPROC_TEST_DATA` names the folder; a missing folder fails, it never skips.
"""

import json
import os
from pathlib import Path
from urllib.parse import quote_plus

import orjson
import pytest

from extproc.core.decoding import decode
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed

_REPO = Path(__file__).parents[2]
_DATA = Path(os.environ.get("EXTPROC_TEST_DATA", str(_REPO.parent / "shared" / "data")))
_JSON = MediaType("application/json")
_FORM = MediaType("application/x-www-form-urlencoded")

_OUR_CHOICE = {
    # a float64 exists for it, or it rounds to zero
    "i_number_double_huge_neg_exp.json": True,
    "i_number_too_big_neg_int.json": True,
    "i_number_too_big_pos_int.json": True,
    "i_number_very_big_negative_int.json": True,
    # an exponent of four digits or more
    "i_number_huge_exp.json": False,
    "i_number_pos_double_huge_exp.json": False,
    "i_number_real_underflow.json": False,
    # beyond the float64 range
    "i_number_neg_int_huge_exp.json": False,
    "i_number_real_neg_overflow.json": False,
    "i_number_real_pos_overflow.json": False,
    # lone surrogates
    "i_object_key_lone_2nd_surrogate.json": False,
    "i_string_1st_surrogate_but_2nd_missing.json": False,
    "i_string_1st_valid_surrogate_2nd_invalid.json": False,
    "i_string_incomplete_surrogate_and_escape_valid.json": False,
    "i_string_incomplete_surrogate_pair.json": False,
    "i_string_incomplete_surrogates_escape_valid.json": False,
    "i_string_invalid_lonely_surrogate.json": False,
    "i_string_invalid_surrogate.json": False,
    "i_string_inverted_surrogates_U+1D11E.json": False,
    "i_string_lone_second_surrogate.json": False,
    # not UTF-8
    "i_string_UTF-16LE_with_BOM.json": False,
    "i_string_UTF-8_invalid_sequence.json": False,
    "i_string_UTF8_surrogate_U+D800.json": False,
    "i_string_invalid_utf-8.json": False,
    "i_string_iso_latin_1.json": False,
    "i_string_lone_utf8_continuation_byte.json": False,
    "i_string_not_in_unicode_range.json": False,
    "i_string_overlong_sequence_2_bytes.json": False,
    "i_string_overlong_sequence_6_bytes.json": False,
    "i_string_overlong_sequence_6_bytes_null.json": False,
    "i_string_truncated-utf-8.json": False,
    "i_string_utf16BE_no_BOM.json": False,
    "i_string_utf16LE_no_BOM.json": False,
    # a byte order mark; too deep
    "i_structure_UTF-8_BOM_empty_object.json": False,
    "i_structure_500_nested_arrays.json": False,
}
_DUPLICATE_NAMES = {  # valid by the grammar, and the reason why ours is stricter
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
}
_TRANSFORM_REFUSED = {
    "object_same_key_different_values.json",
    "object_same_key_same_value.json",
    "object_same_key_unclear_values.json",
    "string_1_escaped_invalid_codepoint.json",
    "string_1_invalid_codepoint.json",
    "string_2_escaped_invalid_codepoints.json",
    "string_2_invalid_codepoints.json",
    "string_3_escaped_invalid_codepoints.json",
    "string_3_invalid_codepoints.json",
}
_JSONCHECKER_ACCEPTED = {
    "fail01.json",  # a string at the top: RFC 4627 refused it, RFC 8259 does not
    "fail18.json",  # twenty levels: within our depth
}


def _accepted(folder: str, pattern: str = "*.json") -> dict[str, bool]:
    files = sorted((_DATA / folder).glob(pattern))
    assert files, f"no test data in {_DATA / folder}: set EXTPROC_TEST_DATA"
    return {file.name: _accepts(file.read_bytes()) for file in files}


def _accepts(data: bytes) -> bool:
    try:
        return decode(data, _JSON, Limits()) == Decoded(parsed=data)
    except Malformed:
        return False


def test_everything_that_is_no_json_is_refused() -> None:
    accepted = _accepted("json-test-suite/test_parsing", "n_*")
    assert len(accepted) == 188
    assert accepted == dict.fromkeys(accepted, False)


def test_everything_that_is_json_is_accepted_but_for_duplicate_names() -> None:
    accepted = _accepted("json-test-suite/test_parsing", "y_*")
    assert len(accepted) == 95
    assert accepted == {name: name not in _DUPLICATE_NAMES for name in accepted}


def test_whatever_the_standard_leaves_open_is_answered_by_our_table() -> None:
    assert _accepted("json-test-suite/test_parsing", "i_*") == _OUR_CHOICE


def test_texts_that_readers_transform_differently_are_refused() -> None:
    accepted = _accepted("json-test-suite/test_transform")
    assert len(accepted) == 22
    assert accepted == {name: name not in _TRANSFORM_REFUSED for name in accepted}


def test_a_second_collection_is_judged_as_its_names_say() -> None:
    checker = _accepted("orjson/data/jsonchecker")
    assert checker == {name: name.startswith("pass") or name in _JSONCHECKER_ACCEPTED for name in checker}
    roundtrip = _accepted("orjson/data/roundtrip")
    assert roundtrip == dict.fromkeys(roundtrip, True)


def _naughty_strings() -> list[str]:
    strings: list[str] = orjson.loads((_DATA / "blns" / "blns.json").read_bytes())
    assert len(strings) == 515
    return strings


@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_naughty_string_is_a_json_string_and_a_name_like_any_other(ascii_only: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    for text in _naughty_strings():
        assert _accepts(json.dumps([text, {text: text}], ensure_ascii=ascii_only).encode())
        assert not _accepts(
            json.dumps({text: 1}, ensure_ascii=ascii_only).encode()[:-1] + b"," + json.dumps(text).encode() + b":1}"
        )


def test_a_naughty_string_comes_out_of_a_form_as_it_went_in() -> None:
    refused = []
    for text in _naughty_strings():
        data = f"name={quote_plus(text)}&{quote_plus(text)}=value".encode()
        expected: dict[str, list[str]] = {"name": [text]}
        expected.setdefault(text, []).append("value")
        try:
            assert decode(data, _FORM, Limits()) == Decoded(parsed=orjson.dumps(expected))
        except Malformed:
            refused.append(text)
    # A space before a name, which PHP drops; nothing else is refused.
    assert len(refused) == 2
    assert {text[:1] for text in refused} == {" "}
