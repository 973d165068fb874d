"""The input document, whole (docs/policies.md shows it)."""

import base64
import json
from dataclasses import replace

import orjson
import pytest
from core.stage import REQUEST, RESPONSE

from extproc.core.events import JSON, Headers
from extproc.core.half import Half
from extproc.core.headers import HeaderMap
from extproc.core.input import document, joined, show_request
from extproc.core.inspection import Inspection, State
from extproc.core.point import Point

PATH = b"/orders/a%2Fb?dry=1&dry=%zz&x"
HEAD = Headers(
    REQUEST,
    HeaderMap(
        (
            (":method", b"POST"),
            (":path", PATH),
            (":authority", b"shop.example"),
            (":scheme", b"https"),
            ("cookie", b"a=1"),
            ("x-tag", b"1"),
            ("cookie", b"b=2"),
            ("x-tag", b"\xe9"),
        )
    ),
    end_of_stream=False,
    attributes={
        "request.id": "6f1c",
        "request.time": "2026-01-01T00:00:00Z",
        "request.protocol": "HTTP/2",
        "source.address": "[::1]:51234",
        "destination.address": "10.0.0.1:8443",
        "connection.uri_san_peer_certificate": "spiffe://example/web",
    },
    metadata={"envoy.filters.http.jwt_authn": {"payload": {"sub": "alice"}}},
)
JSON_SEEN = Inspection(
    State.COMPLETE, "application/json", "", ("identity",), 9, 9, "d", parsed=b'{"a":1.0}', raw=b'{"a":1.0}'
)
ANSWER = Headers(RESPONSE, HeaderMap(((":status", b"201"), ("content-type", b"text/plain"))), end_of_stream=False)
TEXT_SEEN = Inspection(State.COMPLETE, "text/plain", "utf-8", (), 2, 2, "d", text="é", raw="é".encode())


def _document(request: Half, response: Half | None = None, *, compatibility_bodies: bool = False) -> bytes:
    shown = show_request(request.head)
    point = Point.REQUEST if response is None else Point.RESPONSE
    return document(point, shown, request, response, compatibility_bodies=compatibility_bodies)


def _http(inspection: Inspection, *, compatibility_bodies: bool = False) -> dict[str, JSON]:
    """What the document says of a body in `http`, apart from the headers."""
    text = _document(Half(HEAD, inspection), compatibility_bodies=compatibility_bodies)
    http = json.loads(text)["attributes"]["request"]["http"]
    return {key: http[key] for key in ("size", "body", "raw_body") if key in http}


REQUEST_DOCUMENT: dict[str, JSON] = {
    "version": {"encoding": "protojson", "ext_proc": "v3"},
    "phase": "request",
    "attributes": {
        "request": {
            "time": "2026-01-01T00:00:00Z",
            "http": {
                "id": "6f1c",
                "method": "POST",
                "path": PATH.decode(),
                "host": "shop.example",
                "scheme": "https",
                "protocol": "HTTP/2",
                "headers": {
                    ":method": "POST",
                    ":path": PATH.decode(),
                    ":authority": "shop.example",
                    ":scheme": "https",
                    "cookie": "a=1; b=2",
                    "x-tag": "1,é",
                },
                "header_values": {
                    ":method": ["POST"],
                    ":path": [PATH.decode()],
                    ":authority": ["shop.example"],
                    ":scheme": ["https"],
                    "cookie": ["a=1", "b=2"],
                    "x-tag": ["1", "é"],
                },
                "size": 9,
                "trailers": {"x-sum": "1,2"},
            },
        },
        "source": {
            "address": {"socketAddress": {"address": "::1", "portValue": 51234}},
            "principal": "spiffe://example/web",
        },
        "destination": {"address": {"socketAddress": {"address": "10.0.0.1", "portValue": 8443}}},
        "metadataContext": {"filterMetadata": {"envoy.filters.http.jwt_authn": {"payload": {"sub": "alice"}}}},
    },
    "parsed_path": ["orders", "a", "b"],
    "parsed_query": {"dry": ["1", "%zz"], "x": [""]},
    "truncated_body": False,
    "inspection": {
        "request": {
            "state": "complete",
            "media_type": "application/json",
            "charset": "",
            "encodings": ["identity"],
            "bytes": 9,
            "decoded_bytes": 9,
            "sniffed": False,
            "non_utf8_headers": ["x-odd", "x-tag"],
            "path_flags": ["encoded_slash"],
            "query_flags": ["bad_escape", "repeated_name"],
        }
    },
    "parsed_body": {"a": 1.0},
}
TRAILERS = HeaderMap((("x-sum", b"1"), ("x-sum", b"2")))
ODD_TRAILERS = HeaderMap((*TRAILERS.pairs, ("x-odd", b"\xff")))


def test_the_request_point_sees_the_request() -> None:
    seen = json.loads(_document(Half(HEAD, JSON_SEEN, ODD_TRAILERS)))
    seen["attributes"]["request"]["http"]["trailers"].pop("x-odd")
    assert seen == REQUEST_DOCUMENT


def test_a_json_body_is_spliced_in_byte_by_byte() -> None:
    assert b'"parsed_body":{"a":1.0}' in _document(Half(HEAD, JSON_SEEN))


def test_the_response_point_sees_the_request_and_the_response() -> None:
    request = json.loads(_document(Half(HEAD, JSON_SEEN)))
    parsed = replace(JSON_SEEN, parsed=b"[2.50]")
    seen = _document(Half(HEAD, JSON_SEEN), Half(ANSWER, parsed))
    assert b'"parsed_response_body":[2.50]' in seen
    said = json.loads(seen)
    response = said["attributes"].pop("response")
    inspection = said["inspection"].pop("response")
    assert said.pop("parsed_response_body") == [2.5]
    assert said == request | {"phase": "response"}
    assert response == {
        "http": {
            "status": 201,
            "headers": {":status": "201", "content-type": "text/plain"},
            "header_values": {":status": ["201"], "content-type": ["text/plain"]},
            "size": 9,
        }
    }
    assert inspection["media_type"] == "application/json"


def test_a_text_is_shown_as_text() -> None:
    assert _http(TEXT_SEEN) == {"size": 2, "body": "é"}


@pytest.mark.parametrize("state", [State.OPAQUE, State.MALFORMED, State.TYPE_MISMATCH])
def test_bytes_that_nothing_parsed_are_shown_raw(state: State) -> None:
    assert _http(Inspection(state, size=2, raw=b"\xff{")) == {
        "size": 2,
        "raw_body": base64.b64encode(b"\xff{").decode(),
    }


@pytest.mark.parametrize("state", [State.OVER_LIMIT, State.NOT_SENT, State.EMPTY])
def test_bytes_that_are_not_there_are_not_shown(state: State) -> None:
    assert _http(Inspection(state, size=2)) == {"size": 2}


def test_a_body_over_the_limit_is_truncated() -> None:
    assert json.loads(_document(Half(HEAD, Inspection(State.OVER_LIMIT, size=2))))["truncated_body"] is True


@pytest.mark.parametrize(
    ("inspection", "shown"),
    [
        (JSON_SEEN, {"size": 9, "body": '{"a":1.0}', "raw_body": "eyJhIjoxLjB9"}),
        (TEXT_SEEN, {"size": 2, "body": "é", "raw_body": "w6k="}),
        (Inspection(State.OPAQUE, size=1, raw=b"\xff"), {"size": 1, "body": "\ufffd", "raw_body": "/w=="}),
        (Inspection(State.EMPTY), {"size": 0, "body": "", "raw_body": ""}),
    ],
)
def test_compatible_bodies_are_always_there(inspection: Inspection, shown: dict[str, JSON]) -> None:
    assert _http(inspection, compatibility_bodies=True) == shown


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("10.0.0.7:80", {"address": {"socketAddress": {"address": "10.0.0.7", "portValue": 80}}}),
        ("[fe80::1%eth0]:80", {"address": {"socketAddress": {"address": "fe80::1%eth0", "portValue": 80}}}),
        ("/run/a.sock", {"address": {"pipe": {"path": "/run/a.sock"}}}),
        ("/run/a:b", {"address": {"pipe": {"path": "/run/a:b"}}}),
        ("a:" + "9" * 5_000, {"address": {"pipe": {"path": "a:" + "9" * 5_000}}}),
        ("a:٣", {"address": {"pipe": {"path": "a:٣"}}}),
        ("", {}),
        (None, {}),
        (["10.0.0.7:80"], {}),
    ],
)
def test_a_peer_is_a_socket_a_pipe_or_nothing(address: JSON, peer: dict[str, JSON]) -> None:
    head = replace(HEAD, attributes={"source.address": address})
    assert json.loads(_document(Half(head, JSON_SEEN)))["attributes"]["source"] == peer


def test_what_envoy_did_not_say_is_empty() -> None:
    head = Headers(REQUEST, HeaderMap(), end_of_stream=True)
    said = json.loads(_document(Half(head, Inspection(State.EMPTY))))
    http = {"id": "", "method": "", "path": "", "host": "", "scheme": "", "protocol": "", "headers": {}, "size": 0}
    assert said["attributes"] == {
        "request": {"time": "", "http": http | {"header_values": {}}},
        "source": {},
        "destination": {},
        "metadataContext": {"filterMetadata": {}},
    }
    assert (said["parsed_path"], said["parsed_query"]) == ([""], {})


def test_cookies_are_joined_as_cookies() -> None:
    assert joined({"cookie": ["a", "b"], "x": ["a", "b"]}) == {"cookie": "a; b", "x": "a,b"}


def test_a_name_that_two_bodies_share_is_no_trouble() -> None:
    body = orjson.dumps({"parsed_body": {"phase": "response"}, "inspection": {}})
    said = json.loads(_document(Half(HEAD, replace(JSON_SEEN, parsed=body))))
    assert (said["phase"], said["parsed_body"]["inspection"]) == ("request", {})


def test_a_url_that_names_an_operation_too_is_a_problem_of_the_lifted_one() -> None:
    shown = b'{"operation":"query","root_fields":["a"]}'
    lifted = replace(JSON_SEEN, lifted=(("jsonrpc", b"[1.0]"), ("graphql", shown)))
    path = (":path", b"/graphql?%71uery=mutation%7Brefund%7D")
    elsewhere = replace(HEAD, headers=HeaderMap((path, *HEAD.headers.pairs[2:])))
    assert b'"jsonrpc":[1.0],"graphql":%b' % shown in _document(Half(HEAD, lifted))
    assert b'"jsonrpc":[1.0],"graphql":{"problem":"url"}' in _document(Half(elsewhere, lifted))


def test_frames_stand_beside_the_state_and_lifted_members_beside_the_body() -> None:
    framed = Inspection(State.OPAQUE, "application/grpc", frames=b'[{"compressed":false,"size":1.0}]')
    assert b'"sniffed":false,"frames":[{"compressed":false,"size":1.0}]' in _document(Half(HEAD, framed))
    lifted = replace(JSON_SEEN, lifted=(("jsonrpc", b"[1.0]"),))
    assert b'"parsed_body":{"a":1.0},"jsonrpc":[1.0]}' in _document(Half(HEAD, lifted))
    assert b"jsonrpc" not in _document(Half(HEAD, JSON_SEEN), Half(ANSWER, lifted))
