import pytest
from core.stage import REQUEST, RESPONSE

from extproc.core.events import JSON, Headers
from extproc.core.half import Half, attribute, principal_of, request_facts, response_facts, status_of
from extproc.core.headers import NO_HEADERS, HeaderMap
from extproc.core.inspection import Inspection, State
from extproc.core.receipt import RequestFacts, ResponseFacts

SEEN = Inspection(State.COMPLETE, size=3, digest="d")


def _head(*pairs: tuple[str, bytes], **attributes: JSON) -> Headers:
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    return Headers(REQUEST, HeaderMap(pairs), end_of_stream=False, attributes=named)


def test_a_request_is_stated_by_its_attributes_and_headers() -> None:
    head = _head(
        (":method", b"POST"),
        (":authority", b"shop.example"),
        (":path", b"/a?b"),
        ("x-request-id", b"theirs"),
        request__id="ours",
        xds__route_name="orders",
        connection__uri_san_peer_certificate="spiffe://example/alice",
        source__address="[::1]:50000",
    )
    assert request_facts(Half(head, SEEN)) == RequestFacts(
        id="ours",
        method="POST",
        authority="shop.example",
        path="/a?b",
        route="orders",
        principal="spiffe://example/alice",
        source="[::1]",
        body_digest="d",
        body_bytes=3,
        inspection=State.COMPLETE,
    )


def test_what_is_absent_is_empty() -> None:
    empty = RequestFacts("", "", "", "", "", "", "", "d", 3, State.COMPLETE)
    assert request_facts(Half(_head(), SEEN)) == empty


def test_an_id_in_a_header_stands_in_for_envoys() -> None:
    assert request_facts(Half(_head(("x-request-id", b"theirs")), SEEN)).id == "theirs"


def test_a_response_is_stated_by_its_status_and_its_body() -> None:
    head = Headers(RESPONSE, HeaderMap(((":status", b"204"),)), end_of_stream=True)
    assert response_facts(Half(head, SEEN)) == ResponseFacts(204, "d", 3, State.COMPLETE)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        *((b"200", 200), (b"099", 99)),
        *((b"", 0), (b"20", 0), (b"2000", 0), (b"9" * 5_000, 0), (b"-20", 0), (b"2 0", 0)),
        *(("²00".encode(), 0), ("٢٠٠".encode(), 0)),
    ],
)
def test_a_status_is_three_digits(value: bytes, status: int) -> None:
    assert status_of(Headers(RESPONSE, HeaderMap(((":status", value),)), end_of_stream=True)) == status


@pytest.mark.parametrize("value", [None, 7, 1.5, True, ["a"], {"a": "b"}])
def test_an_attribute_that_is_no_text_says_nothing(value: JSON) -> None:
    head = _head(connection__uri_san_peer_certificate=value)
    assert (attribute(head, "connection.uri_san_peer_certificate"), principal_of(head)) == ("", "")


def test_a_half_has_no_trailers_unless_some_came() -> None:
    assert Half(_head(), SEEN).trailers is NO_HEADERS
