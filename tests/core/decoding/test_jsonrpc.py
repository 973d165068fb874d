import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.decoding import decode
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.events import JSON
from extproc.core.rules import Limits
from extproc.errors import Malformed

MEDIA = MediaType("application/json")
LIMITS = Limits(parts=3)
PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b}'


def _lifted(data: bytes, media: MediaType = MEDIA) -> bytes | None:
    decoded = decode(data, media, LIMITS)
    assert decoded.parsed == data
    return dict(decoded.lifted).get("jsonrpc")


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (PING, b'[{"id":1,"method":"ping"}]'),
        (b'{"jsonrpc":"2.0","method":"a","params":[1.10,-0,-1,9223372036854775808,-999999999999999999,1E5]}',
         b'[{"method":"a","params":[1.10,-0,-1,9223372036854775808,-999999999999999999,1E5]}]'),
        (b'{"jsonrpc":"2.0","method":"a","params":[-9223372036854775809]}',
         b'[{"method":"a","params":[-9223372036854775809]}]'),
        (b'{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}', b'[{"id":null}]'),
        (b'{"jsonrpc":"2.0","id":"a","result":[1]}', b'[{"id":"a"}]'),
        (b'{"jsonrpc":"2.0","id":1e2,"method":"a","x":1}', b'[{"id":1e2,"method":"a"}]'),
        (b"[%b]" % PING, b'[{"id":1,"method":"ping"}]'),
        (b'[%b,{"jsonrpc":"2.0","id":"1","method":"b"}]' % PING,
         b'[{"id":1,"method":"ping"},{"id":"1","method":"b"}]'),
        (b'[{"\\u006asonrpc":"2.0","method":"a"}]', b'[{"method":"a"}]'),
    ],
)  # fmt: skip
def test_every_message_of_a_body_is_lifted_with_its_very_numbers(data: bytes, shown: bytes) -> None:
    assert _lifted(data) == shown


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        (b'{"name":"rm","arguments":{"n":9007199254740993.10}}',
         b'{"name":"rm","arguments":{"n":9007199254740993.10}},"tool":"rm","arguments":{"n":9007199254740993.10}'),
        (b'{"name":"rm","_meta":{}}', b'{"name":"rm","_meta":{}},"tool":"rm"'),
        (b'{"arguments":{}}', b'{"arguments":{}},"arguments":{},"problem":"tool"'),
        (b'{"name":1}', b'{"name":1},"tool":1,"problem":"tool"'),
        (b'{"name":"a","Name":"b"}', b'{"name":"a","Name":"b"},"tool":"a","problem":"tool"'),
        (b'{"name":"a","arguments":[]}', b'{"name":"a","arguments":[]},"tool":"a","arguments":[],"problem":"tool"'),
        (b'["a"]', b'["a"],"problem":"tool"'),
    ],
)  # fmt: skip
def test_the_tool_of_a_call_stands_beside_its_params(params: bytes, shown: bytes) -> None:
    assert _lifted(CALL % params) == b'[{"id":1,"method":"tools/call","params":' + shown + b"}]"


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        (b'{"jsonrpc":"1.0","id":1,"method":"a"}', "version"),
        (b'{"jsonrpc":2.0,"id":1,"method":"a"}', "version"),
        (b'{"jsonrpc":"2.0"}', "method"),
        (b'{"jsonrpc":"2.0","id":1,"method":1}', "method"),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","result":1}', "method"),
        (b'{"jsonrpc":"2.0","id":1,"result":1,"error":{}}', "method"),
        (b'{"jsonrpc":"2.0","id":null,"method":"a"}', "id"),
        (b'{"jsonrpc":"2.0","id":true,"method":"a"}', "id"),
        (b'{"jsonrpc":"2.0","id":[],"method":"a"}', "id"),
        (b'{"jsonrpc":"2.0","result":1}', "id"),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":null}', "params"),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","params":"b"}', "params"),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","METHOD":"b"}', "member_case"),
        (b'{"jsonrpc":"2.0","id":1,"method":"a","param\xc5\xbf":{}}', "member_case"),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}', "tool"),
    ],
)
def test_a_message_against_the_protocol_is_shown_with_its_problem(message: bytes, problem: str) -> None:
    shown = _lifted(message)
    assert shown is not None
    given = orjson.loads(message)
    kept = {name: given[name] for name in ("id", "method", "params") if name in given}
    assert orjson.loads(shown) == [kept | {"problem": problem}]


@pytest.mark.parametrize(
    ("batch", "problems"),
    [
        (b"[%b,%b]" % (PING, PING), [None, "duplicate_id"]),
        (b"[%b,%b]" % (PING, PING.replace(b":1,", b":1.0,")), [None, "duplicate_id"]),
        (b"[1,%b,{}]" % PING, ["no_object", None, "version"]),
        (b'[{"method":"a"},%b]' % PING, ["version", None]),
        (b'[{"jsonrpc":"2.0","id":1,"result":1},%b]' % PING, [None, None]),
    ],
)
def test_each_message_of_a_batch_has_a_problem_of_its_own(batch: bytes, problems: list[str | None]) -> None:
    shown = _lifted(batch)
    assert shown is not None
    assert [message.get("problem") for message in orjson.loads(shown)] == problems


@pytest.mark.parametrize(
    "data", [b"{}", b"[]", b"1", b'"jsonrpc"', b'["jsonrpc"]', b'{"a":{"jsonrpc":"2.0"}}', b'{"JSONRPC":"2.0"}']
)
def test_other_json_is_not_taken_for_it(data: bytes) -> None:
    assert decode(data, MEDIA, LIMITS) == Decoded(parsed=data)


def test_a_batch_beyond_the_limit_is_malformed_and_a_long_list_is_not() -> None:
    assert _lifted(b"[%b,1,1]" % PING)
    with pytest.raises(Malformed):
        decode(b"[%b,1,1,1]" % PING, MEDIA, LIMITS)
    assert _lifted(b"[1,1,1,1]") is None


@pytest.mark.parametrize("name", ["", "text/plain", "application/json-rpc", "application/vnd.x+json"])
def test_whatever_is_read_as_json_is_looked_at(name: str) -> None:
    assert _lifted(PING, MediaType(name)) == b'[{"id":1,"method":"ping"}]'


_VALUES: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "arguments"]), inner),
    max_leaves=4,
)
_MESSAGES = st.dictionaries(
    st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "Method", "x"]),
    _VALUES | st.sampled_from(["2.0", "tools/call"]),
)


@given(st.lists(_MESSAGES, max_size=3) | _MESSAGES)
def test_lifting_hides_no_message_and_alters_none(body: JSON) -> None:
    data = json.dumps(body).encode()
    decoded = decode(data, MEDIA, LIMITS)
    assert decoded.parsed == data
    batch = body if isinstance(body, list) else [body]
    if any(isinstance(message, dict) and "jsonrpc" in message for message in batch):
        shown = json.loads(dict(decoded.lifted)["jsonrpc"])
        assert len(shown) == len(batch)
        for seen, sent in zip(shown, batch, strict=True):
            assert isinstance(sent, dict)
            for name in ("id", "method", "params"):
                assert seen.get(name, "absent") == sent.get(name, "absent")
    else:
        assert decoded.lifted == ()


@pytest.mark.parametrize(
    "body", [b'{"jsonrpc":"2.0","method":"a","params":[%b1]}', b'{"query":"{a}","variables":{"b":[%b1]}}']
)
def test_a_request_of_very_many_values_is_malformed_and_not_lifted(body: bytes) -> None:
    few = Limits(nodes=100)
    assert decode(body % (b"1," * 90), MEDIA, few).lifted
    for text in (body % (b"1," * 100), body % (b"[]," * 50), body % (b"{}," * 50)):
        with pytest.raises(Malformed, match="too many values"):
            decode(text, MEDIA, few)
        assert decode(b"[%b]" % text.replace(b"jsonrpc", b"json"), MEDIA, few).parsed
