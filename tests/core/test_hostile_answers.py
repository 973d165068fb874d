"""Answers that no honest policy gives: each is refused by its own word, and none is quoted."""

import json

import pytest
from core.stage import AT_REQUEST
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.decision import Decision, parse_decision
from extproc.core.rules import Mutations, Rules
from extproc.errors import ExtProcError, InvalidDecision, MutationRefused

ANYTHING = Rules(mutations=Mutations(("*",), ("*",), path=True))
SECRET = "s3cr3t"  # noqa: S105 - a value that no message may hold


def _refusal(result: bytes) -> str:
    with pytest.raises(InvalidDecision) as refused:
        parse_decision(result, AT_REQUEST, ANYTHING)
    return str(refused.value)


def _nested(levels: int) -> bytes:
    inner = b'{"a":' * levels + b"1" + b"}" * levels
    return b'{"allowed":true,"dynamic_metadata":%b}' % inner


@pytest.mark.parametrize(
    "result",
    [
        *(b"", b" ", b"{", b"tru", b"true false", b"True", b"\xef\xbb\xbftrue", b'{"allowed":true,}'),
        *(b"{'allowed':true}", b'{"allowed":true}\x00', b'{"allowed":NaN}'),
        b'{"allowed":true,"dynamic_metadata":{"a":Infinity}}',
    ],
)
def test_what_is_no_json_text_is_no_decision(result: bytes) -> None:
    assert _refusal(result) == "the result: no JSON text"


@pytest.mark.parametrize("text", [rb'"\ud800"', rb'"\udfff\ud800"', b'"\xff"', b'"\xed\xa0\x80"', b'"\x01"'])
def test_text_that_is_not_unicode_is_no_decision(text: bytes) -> None:
    assert _refusal(b'{"allowed":true,"body":%b}' % text) == "the result: no JSON text"


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (b"null", "dict_type"),
        (b'"true"', "dict_type"),
        (b"1", "dict_type"),
        (b"[]", "dict_type"),
        (b'[{"allowed":true}]', "dict_type"),
    ],
)
def test_a_value_of_another_type_is_no_decision(result: bytes, problem: str) -> None:
    assert _refusal(result) == f"'the result': {problem}"


@pytest.mark.parametrize("result", [b"{}", b'{"http_status":403}', b'{"Allowed":true}'])
def test_an_answer_that_does_not_say_allowed_is_no_decision(result: bytes) -> None:
    assert _refusal(result).startswith("'allowed': missing")


@pytest.mark.parametrize("value", ["1", "0", '"true"', "null", "[true]", '{"value":true}', "1.0"])
def test_only_a_boolean_allows(value: str) -> None:
    assert _refusal(f'{{"allowed":{value}}}'.encode()) == "'allowed': bool_type"


@pytest.mark.parametrize("name", ["alowed", "allow", "patch", "Inspect", "ALLOWED", "allowed ", "", "httpStatus"])
def test_an_unknown_key_never_opens_the_gate(name: str) -> None:
    place = name or "the result"
    assert _refusal(json.dumps({"allowed": True, name: SECRET}).encode()) == f"{place!r}: extra_forbidden"


def test_the_name_of_an_unknown_key_is_quoted_with_measure() -> None:
    message = _refusal(json.dumps({"allowed": True, "x\n" * 1_000_000: 1}).encode())
    assert message == repr("x\n" * 64) + ": extra_forbidden"


_WRONG = {
    "http_status": ['"403"', "403.0", "4e2", "true", "[403]"],
    "body": ["1", "{}", "true", '["s3cr3t"]'],
    "headers": [
        '"s3cr3t"',
        "null",
        '{"x-a":1}',
        '{"x-a":null}',
        '{"x-a":[1]}',
        '{"x-a":{"s3cr3t":1}}',
        '["s3cr3t"]',
        "[[]]",
    ],
    "request_headers_to_remove": ['"s3cr3t"', "null", "{}", "[1]", "[null]", '[["s3cr3t"]]'],
    "response_headers_to_add": ['"s3cr3t"', "null", '{"x-a":1}', '{"x-a":[null]}', "[1]"],
    "query_parameters_to_set": ['"s3cr3t"', "null", "[]", '{"a":1}', '{"a":[{}]}', '[{"a":"s3cr3t"}]'],
    "query_parameters_to_remove": ['"s3cr3t"', "null", "{}", "[1]"],
    "dynamic_metadata": ['"s3cr3t"', "null", "[]", "1"],
    "reasons": [
        *('"s3cr3t"', "null", "{}", '["s3cr3t"]', "[{}]", '[{"code":1}]', '[{"code":null}]'),
        *('[{"code":"a","odd":"s3cr3t"}]', '[{"code":"a","message":1}]', '[{"code":"a","rule":[]}]'),
        '[{"code":"a","severity":true}]',
    ],
    "labels": ['"s3cr3t"', "null", "[]", '{"a":1}', '{"a":null}', '{"a":["s3cr3t"]}', '{"a":true}'],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in _WRONG.items() for value in values])
def test_a_key_of_a_wrong_type_is_named_and_its_value_is_not(key: str, value: str) -> None:
    message = _refusal(f'{{"allowed":true,"{key}":{value}}}'.encode())
    assert message.startswith(f"'{key}")
    assert SECRET not in message


@pytest.mark.parametrize(
    "result",
    [
        b'{"allowed":false,"allowed":true}',
        rb'{"allowed":false,"\u0061llowed":true}',
        b'{"allowed" :false,"allowed":true}',
        b'{"allowed":true,"dynamic_metadata":{"a":1,"a":2}}',
        b'{"allowed":true,"labels":{"":":","":":"}}',
        rb'{"allowed":true,"labels":{"a":"\u0022:","a":"\u0022:"}}',
    ],
)
def test_a_name_twice_is_no_decision(result: bytes) -> None:
    assert _refusal(result) == "the result: a name twice in one object"


def test_an_answer_may_be_sixteen_levels_deep_and_no_deeper() -> None:
    assert parse_decision(_nested(15), AT_REQUEST, ANYTHING).allowed
    for levels in (16, 200, 1_000):
        assert _refusal(_nested(levels)) == "the result: nested too deeply"
    assert _refusal(_nested(2_000)) == "the result: no JSON text"
    assert _refusal(b"[" * 1_000_000) == "the result: too many values"


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("9" * 5_000, "the result: no JSON text"),
        ("1e400", "the result: no JSON text"),
        ("0." + "0" * 1_100, "the result: a number that has no single value"),
        ("1e-9999", "the result: a number that has no single value"),
    ],
)
def test_a_number_that_no_reader_can_hold_is_no_decision(number: str, message: str) -> None:
    for place in ('{{"allowed":true,"dynamic_metadata":{{"a":{}}}}}', '{{"allowed":true,"http_status":{}}}'):
        assert _refusal(place.format(number).encode()) == message


def test_a_huge_text_is_only_a_huge_text() -> None:
    huge = "x" * (1 << 20)
    result = {"allowed": False, "body": huge, "reasons": [{"code": huge}], "labels": {huge: huge}}
    decision = parse_decision(json.dumps(result).encode(), AT_REQUEST, ANYTHING)
    assert (decision.message, decision.reasons, decision.labels) == (huge, (huge,), {huge: huge})


# ---------------------------------------------------------------- header names and values


_BAD_NAMES = [
    ":path",
    ":authority",
    ":status",
    "",
    " ",
    "x a",
    "x-a ",
    "x:a",
    "x-a\r\nx-b",
    "x\x00",
    "x\x7f",
    "x-é",
    "x(",
    'x"',
]


@pytest.mark.parametrize("name", _BAD_NAMES)
@pytest.mark.parametrize("key", ["headers", "request_headers_to_remove", "response_headers_to_add"])
def test_a_name_that_is_no_header_name_is_refused(name: str, key: str) -> None:
    wish = [name] if key == "request_headers_to_remove" else {name: SECRET}
    way = "response" if key == "response_headers_to_add" else "request"
    with pytest.raises(MutationRefused) as refused:
        parse_decision(json.dumps({"allowed": True, key: wish}).encode(), AT_REQUEST, ANYTHING)
    assert str(refused.value) == f"{way} header {name!r}: not a valid header name or value"


@pytest.mark.parametrize("character", [*map(chr, range(9)), *map(chr, range(10, 32)), "\x7f"])
def test_a_value_with_a_control_character_is_refused(character: str) -> None:
    result = json.dumps({"allowed": True, "headers": {"x-a": f"{SECRET}{character}b"}}).encode()
    with pytest.raises(MutationRefused) as refused:
        parse_decision(result, AT_REQUEST, ANYTHING)
    assert str(refused.value) == "request header 'x-a': not a valid header name or value"


@pytest.mark.parametrize("value", ["", " a ", "a\tb", "é", "\U0001f512", "\x80", '"a"', "x" * (1 << 20)])
def test_a_value_of_any_other_text_is_sent_as_utf8(value: str) -> None:
    result = json.dumps({"allowed": True, "headers": {"x-a": value}}).encode()
    assert parse_decision(result, AT_REQUEST, ANYTHING).request.set == (("x-a", value.encode()),)


def test_an_upper_case_name_is_the_same_name() -> None:
    result = b'{"allowed":true,"headers":{"X-A":"1","x-a":"2"}}'
    request = parse_decision(result, AT_REQUEST, ANYTHING).request
    assert (request.set, request.append) == ((("x-a", b"1"),), (("x-a", b"2"),))


def test_a_long_name_is_quoted_with_measure() -> None:
    with pytest.raises(MutationRefused) as refused:
        parse_decision(json.dumps({"allowed": True, "headers": {"é" * 1_000: "a"}}).encode(), AT_REQUEST, ANYTHING)
    assert str(refused.value) == f"request header {'é' * 64!r}: not a valid header name or value"


# ---------------------------------------------------------------- anything at all


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*_WRONG, "allowed", "x"]), inner),
    max_leaves=6,
)


@given(_JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=12))
def test_whatever_the_answer_it_is_a_decision_or_an_error_of_ours(result: bytes) -> None:
    try:
        decision = parse_decision(result, AT_REQUEST, ANYTHING)
    except ExtProcError:
        return
    assert isinstance(decision, Decision)
    value = json.loads(result)
    assert decision.allowed is (value if isinstance(value, bool) else value["allowed"])
