import pytest
from core.stage import AT_REQUEST, AT_RESPONSE

from extproc.core.decision import Decision, parse_decision
from extproc.core.headers import HeaderMutation
from extproc.core.query import QueryMutation
from extproc.core.rules import Blocking, Mutations, Rules
from extproc.errors import MutationRefused, UndefinedDecision

RULES = Rules(blocking=Blocking(status=409, message="No."), mutations=Mutations(("x-*", "te"), ("x-*",), path=True))


def _fields(decision: Decision) -> dict[str, object]:
    """What a decision says beyond a bare one with the configured words."""
    bare = {"status": 409, "message": "No.", "reasons": (), "labels": {}, "metadata": {}, "odd_status": None}
    bare["waives"] = frozenset()
    bare |= {"request": HeaderMutation(), "response": HeaderMutation(), "query": QueryMutation()}
    return {name: value for name in Decision.__slots__ if (value := getattr(decision, name)) != bare.get(name)}


def test_a_decision_comes_from_the_parser_alone() -> None:
    with pytest.raises(TypeError, match=r"^a Decision comes from parse_decision$"):
        Decision(parser=object(), allowed=True, status=200, message="")  # type: ignore[arg-type]  # what is forbidden


@pytest.mark.parametrize("point", [AT_REQUEST, AT_RESPONSE])
@pytest.mark.parametrize(
    ("result", "allowed"),
    [(b"true", True), (b" false ", False), (b'{"allowed":true}', True), (b'{"allowed":false}', False)],
)
def test_true_and_false_are_whole_decisions(result: bytes, allowed: bool, point: str) -> None:  # noqa: FBT001 - the value
    assert _fields(parse_decision(result, point, RULES)) == {"allowed": allowed}


def test_no_result_is_undefined() -> None:
    with pytest.raises(UndefinedDecision, match=r"^the entrypoint has no rule that applies to this input$"):
        parse_decision(None, AT_REQUEST, RULES)


def test_every_key_is_read() -> None:
    result = b"""{"allowed": true, "http_status": 200, "body": null, "headers": {"X-A": ["1", "2"], "x-b": "3"},
      "request_headers_to_remove": ["X-Gone"], "response_headers_to_add": [{"x-c": "4"}, {"x-c": "5"}],
      "query_parameters_to_set": {"q": ["a", "b"], "r": "c"}, "query_parameters_to_remove": ["s"],
      "dynamic_metadata": {"m": [1, 2.5, null, {"n": true}]}, "labels": {"l": "x"},
      "reasons": [{"code": "one", "message": "m", "rule": "r", "severity": "s"}, {"code": "two"}]}"""
    assert _fields(parse_decision(result, AT_REQUEST, RULES)) == {
        "allowed": True,
        "reasons": ("one", "two"),
        "labels": {"l": "x"},
        "request": HeaderMutation(set=(("x-a", b"1"), ("x-b", b"3")), append=(("x-a", b"2"),), remove=("x-gone",)),
        "response": HeaderMutation(append=(("x-c", b"4"), ("x-c", b"5"))),
        "query": QueryMutation(set=(("q", ("a", "b")), ("r", ("c",))), remove=("s",)),
        "metadata": {"m": [1, 2.5, None, {"n": True}]},
    }


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (400, {"status": 400}),
        (499, {"status": 499}),
        (399, {"odd_status": 399}),
        (500, {"odd_status": 500}),
        (-1, {"odd_status": -1}),
        (2**64 - 1, {"odd_status": 2**64 - 1}),
        ("null", {}),
    ],
)
def test_a_denial_has_a_status_of_the_4xx_class_or_the_configured_one(
    status: object, fields: dict[str, object]
) -> None:
    decision = parse_decision(f'{{"allowed":false,"http_status":{status}}}'.encode(), AT_REQUEST, RULES)
    assert _fields(decision) == {"allowed": False} | fields


def test_a_denial_may_have_its_own_message_and_be_it_empty() -> None:
    assert parse_decision(b'{"allowed":false,"body":""}', AT_REQUEST, RULES).message == ""


def test_headers_go_where_they_still_can() -> None:
    given, added = b'"headers":{"x-a":"1"}', b'"response_headers_to_add":{"x-b":"2"}'
    at_client = HeaderMutation(set=(("x-a", b"1"),), append=(("x-b", b"2"),))
    for allowed, point in ((b"false", AT_REQUEST), (b"false", AT_RESPONSE), (b"true", AT_RESPONSE)):
        decision = parse_decision(b'{"allowed":%b,%b,%b}' % (allowed, given, added), point, RULES)
        assert (decision.request, decision.response) == (HeaderMutation(), at_client)


def test_changes_to_a_request_that_is_denied_are_dropped() -> None:
    wish = b'{"allowed":false,"request_headers_to_remove":["x-a"],"query_parameters_to_set":{"a":"b"}}'
    for rules in (RULES, Rules()):
        decision = parse_decision(wish, AT_REQUEST, rules)
        assert (decision.request, decision.query) == (HeaderMutation(), QueryMutation())


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (b'{"allowed":true,"request_headers_to_remove":["x-a"]}', "request_headers_to_remove"),
        (b'{"allowed":false,"query_parameters_to_remove":["a"]}', "query_parameters"),
    ],
)
def test_at_the_response_point_the_request_is_gone(result: bytes, message: str) -> None:
    with pytest.raises(MutationRefused, match=f"^{message}: the request is gone at the response point$"):
        parse_decision(result, AT_RESPONSE, RULES)


def test_the_query_is_not_changed_unless_the_path_may_be() -> None:
    with pytest.raises(MutationRefused, match=r"^query_parameters: mutations\.path is false$"):
        parse_decision(b'{"allowed":true,"query_parameters_to_set":{"a":"b"}}', AT_REQUEST, Rules())


@pytest.mark.parametrize("name", ["x-user", "x-extproc", "te", "Receipt-Id"])
@pytest.mark.parametrize("key", ["headers", "request_headers_to_remove", "response_headers_to_add"])
def test_only_configured_headers_are_changed(name: str, key: str) -> None:
    wish = f'["{name}"]' if key == "request_headers_to_remove" else f'{{"{name}":"secret"}}'
    way = "response" if key == "response_headers_to_add" else "request"
    with pytest.raises(MutationRefused) as refused:
        parse_decision(f'{{"allowed":true,"{key}":{wish}}}'.encode(), AT_REQUEST, Rules())
    assert str(refused.value) == f"{way} header {name.lower()!r}: not within mutations.{way}_headers"


@pytest.mark.parametrize(
    "name",
    [
        *("x-extproc-receipt-id", "X-Extproc-Verdict", "x-extproc-policy-hash"),
        *("host", "content-length", "connection", "transfer-encoding", "Upgrade"),
    ],
)
def test_names_of_the_server_and_of_the_framing_are_never_the_policys(name: str) -> None:
    anything = Rules(mutations=Mutations(("*",), ("*",)))
    with pytest.raises(MutationRefused, match="not within mutations"):
        parse_decision(f'{{"allowed":true,"headers":{{"{name}":"x"}}}}'.encode(), AT_REQUEST, anything)


def test_a_name_that_only_looks_like_the_servers_is_the_policys() -> None:
    anything = Rules(mutations=Mutations(("*",), ("*",)))
    decision = parse_decision(b'{"allowed":true,"headers":{"verdict":"x"}}', AT_REQUEST, anything)
    assert decision.request == HeaderMutation(set=(("verdict", b"x"),))
