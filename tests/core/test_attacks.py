"""Ways to be let through unseen, or to show the policy something else than the upstream gets: each is closed."""

import json

import pytest
from core.stage import (
    JSON_TYPE,
    REQUEST,
    Stage,
    outcomes,
    request_body,
    request_headers,
    request_trailers,
    response_body,
    response_headers,
    response_trailers,
    says,
)

from extproc.core.events import JSON, Guard, Headers, ImmediateResponse, Signal
from extproc.core.headers import HeaderMap
from extproc.core.rules import Mutations, Rules

FORGED = (("x-extproc-team", b"admin"), ("x-extproc-receipt-id", b"forged"), ("x-extproc-team", b"root"))
NAMES = ("x-extproc-team", "x-extproc-receipt-id")


def _input(stage: Stage, number: int = 0) -> dict:
    return json.loads(stage.asked[number].input)


# ---------------------------------------------------------------- names that only the server may write


def test_our_names_in_a_request_reach_neither_policy_nor_upstream() -> None:
    stage = Stage().play(request_headers(*FORGED, end=True))
    assert stage.replies[0].mutation.remove[:2] == NAMES
    assert b"forged" not in stage.asked[0].input
    assert b"admin" not in stage.asked[0].input


def test_our_names_in_request_trailers_reach_neither_policy_nor_upstream() -> None:
    stage = Stage().play(request_headers(), request_body(b"a", end=False), request_trailers(*FORGED, ("x-sum", b"1")))
    assert stage.replies[-1].mutation.remove == NAMES
    assert _input(stage)["attributes"]["request"]["http"]["trailers"] == {"x-sum": "1"}


def test_our_names_in_a_response_reach_neither_policy_nor_client() -> None:
    stage = Stage().play(request_headers(end=True), response_headers(*FORGED), response_body(b"a"))
    assert stage.replies[1].mutation.remove == NAMES
    assert b"forged" not in stage.asked[1].input


def test_our_names_in_response_trailers_reach_no_client() -> None:
    stage = Stage().play(request_headers(end=True), response_headers(), response_body(b"a", end=False))
    stage.play(response_trailers(*FORGED))
    assert stage.replies[-1].mutation.remove == NAMES
    assert b"forged" not in stage.asked[-1].input


def test_our_names_in_a_local_reply_are_removed_too() -> None:
    stage = Stage().play(response_headers(*FORGED, details="rbac_access_denied"))
    assert stage.replies[0].mutation.remove == NAMES


def test_a_name_with_underscores_is_not_ours_and_so_the_policy_sees_it() -> None:
    stage = Stage().play(request_headers(("x_extproc_team", b"admin"), end=True))
    assert _input(stage)["attributes"]["request"]["http"]["headers"]["x_extproc_team"] == "admin"


def test_a_policy_may_set_the_name_that_a_client_forged() -> None:
    stage = Stage(engine=says(b'{"allowed":true,"headers":{"x-extproc-team":"shop"}}')).play(
        request_headers(*FORGED, end=True)
    )
    assert ("x-extproc-team", b"shop") in stage.replies[0].mutation.set


# ---------------------------------------------------------------- two readings of one message


@pytest.mark.parametrize(
    ("pairs", "state"),
    [
        ((JSON_TYPE, ("content-type", b"text/plain")), "type_mismatch"),
        ((JSON_TYPE, JSON_TYPE), "type_mismatch"),
        ((("content-type", b"application/json, text/plain"),), "type_mismatch"),
        ((("content-type", b"application/json; charset=utf-8; charset=utf-16"),), "type_mismatch"),
        ((("content-type", b"text/css"),), "type_mismatch"),
        ((("content-type", b"application/x-www-form-urlencoded"),), "type_mismatch"),
        ((JSON_TYPE, ("content-encoding", b"identity"), ("content-encoding", b"gzip")), "undecodable"),
        ((JSON_TYPE, ("content-encoding", b"identity, identity")), "undecodable"),
        ((JSON_TYPE, ("content-encoding", b"GZIP")), "undecodable"),
        ((JSON_TYPE, ("content-encoding", b"")), "undecodable"),
    ],
)
def test_headers_that_can_be_read_in_two_ways_show_no_body(pairs: tuple[tuple[str, bytes], ...], state: str) -> None:
    stage = Stage().play(request_headers(*pairs), request_body(b'{"a": 1}'))
    assert (stage.asked, outcomes(stage.log)) == ([], [("request", "deny", (state,))])


@pytest.mark.parametrize(
    "value", [b"Application/JSON", b"APPLICATION/JSON;Charset=UTF-8", b" application/json ", b"text/plain"]
)
def test_a_type_is_a_type_in_any_letters(value: bytes) -> None:
    stage = Stage().play(request_headers(("content-type", value)), request_body(b'{"a": "\\u0061ttack"}'))
    assert _input(stage)["parsed_body"] == {"a": "attack"}


@pytest.mark.parametrize("values", [(b"5",), (b"0", b"0"), (b"0,0",), (b"00",), (b"-0",), (b"",), (b"+0",)])
def test_a_length_that_is_not_one_plain_zero_announces_a_body(values: tuple[bytes, ...]) -> None:
    stage = Stage().play(request_headers(*(("content-length", value) for value in values)), request_trailers())
    assert outcomes(stage.log) == [("request", "deny", ("not_sent",))]


def test_the_end_of_the_stream_alone_says_that_there_is_no_body() -> None:
    stage = Stage().play(request_headers(("content-length", b"5"), ("transfer-encoding", b"chunked"), end=True))
    assert _input(stage)["inspection"]["request"]["state"] == "empty"
    stage.play(request_body(b"smuggled"))
    assert outcomes(stage.log)[-1] == ("response", "error", ("protocol_error",))
    assert isinstance(stage.replies[-1], ImmediateResponse)


def test_header_bytes_that_are_not_utf8_are_marked() -> None:
    one = Stage().play(request_headers(("x-a", b"\xe9"), end=True))
    two = Stage().play(request_headers(("x-a", b"\xc3\xa9"), end=True))
    assert _input(one)["inspection"]["request"]["non_utf8_headers"] == ["x-a"]
    assert "non_utf8_headers" not in _input(two)["inspection"]["request"]


def test_the_bytes_of_a_path_survive_a_change_of_its_query() -> None:
    head = Headers(REQUEST, HeaderMap(((":method", b"GET"), (":path", b"/\xe9?a=\xff&b=1"))), end_of_stream=True)
    rules = Rules(mutations=Mutations(path=True))
    stage = Stage(rules, says(b'{"allowed":true,"query_parameters_to_remove":["b"]}')).play(head)
    assert dict(stage.replies[0].mutation.set)[":path"] == b"/\xe9?a=\xff"


def test_a_fragment_is_shown_as_part_of_the_path_that_it_is() -> None:
    head = Headers(REQUEST, HeaderMap(((":path", b"/a#/../admin?x=1"),)), end_of_stream=True)
    stage = Stage().play(head)
    assert (_input(stage)["parsed_path"], _input(stage)["parsed_query"]) == (["a#", "..", "admin"], {"x": ["1"]})


def test_a_range_of_a_response_is_never_asked_for() -> None:
    stage = Stage().play(request_headers(("range", b"bytes=0-1"), ("accept-encoding", b"gzip"), end=True))
    mutation = stage.replies[0].mutation
    assert (mutation.remove, mutation.set[0]) == (("range", "if-range"), ("accept-encoding", b"identity"))


# ---------------------------------------------------------------- a reply that calls itself Envoy's


@pytest.mark.parametrize("details", ["via_upstream", "direct_response", "", None, 7, True, [], ["rbac"], {"a": "b"}])
def test_a_response_is_judged_unless_envoy_says_in_words_that_it_is_its_own(details: JSON) -> None:
    stage = Stage(engine=says(b"true")).play(request_headers(end=True), response_headers(details=details, end=True))
    assert outcomes(stage.log)[-1] == ("response", "allow", ())
    assert stage.replies[-1].signal == Signal(response=Guard.ALLOW)


def test_a_response_to_a_request_that_nobody_allowed_is_denied() -> None:
    stage = Stage().play(request_headers(), response_headers())
    assert outcomes(stage.log) == [("request", "error", ("protocol_error",))]
    assert isinstance(stage.replies[-1], ImmediateResponse)


@pytest.mark.parametrize(
    "events", [(response_headers(),), (request_body(b"a"),), (request_trailers(),), (response_body(b"a"),)]
)
def test_no_message_comes_before_the_requests_headers(events: tuple) -> None:
    stage = Stage().play(*events)
    assert (stage.asked, stage.replies[-1].details) == ([], "protocol_error")


def test_the_policys_metadata_cannot_speak_for_the_guards() -> None:
    said = b'{"allowed":true,"dynamic_metadata":{"request":"allow","response":"waived","extproc":{"response":"allow"}}}'
    signal = Stage(engine=says(said)).play(request_headers(end=True)).replies[0].signal
    assert (signal.request, signal.response) == (Guard.ALLOW, None)


def test_metadata_of_other_filters_is_shown_to_the_policy_only_as_theirs() -> None:
    head = Headers(REQUEST, HeaderMap(), True, {}, {"extproc": {"request": "allow"}, "a": {"n": 1e300}})  # noqa: FBT003 - the fields in order
    shown = _input(Stage().play(head))["attributes"]["metadataContext"]["filterMetadata"]
    assert shown == {"extproc": {"request": "allow"}, "a": {"n": 1e300}}
