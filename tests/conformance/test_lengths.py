"""HTTP/2 frames say how long a body is; a `content-length` beside them that lies keeps it from the upstream."""

import pytest
from conformance.raw import Fields, http2, parsed_head
from conformance.showing import Stage, stage

__all__ = ["stage"]  # a fixture

BODY = b'{"a":1}'


@pytest.mark.parametrize(
    ("lengths", "body", "trailers"),
    [
        ((b"3",), BODY, ()),
        ((b"70",), BODY, ()),
        ((b"0",), BODY, ()),
        ((b"7",), b"", ()),
        ((b"7",), None, ((b"x-sum", b"1"),)),
        ((b"7", b"7"), BODY, ()),
        ((b"7", b"3"), BODY, ()),
        ((b"+7",), BODY, ()),
    ],
    ids=["too small", "too large", "zero", "no byte", "trailers in its place", "twice", "two", "no number"],
)
def test_a_length_that_lies_reaches_no_upstream(
    stage: Stage, lengths: tuple[bytes, ...], body: bytes | None, trailers: Fields
) -> None:
    fields = ((b"content-type", b"application/json"), *((b"content-length", length) for length in lengths))
    assert stage.play(http2(stage.address, b"/", fields=fields, body=body, trailers=trailers)) == (b"", [])
    receipts = [(each["decision"]["verdict"], each["request"]["inspection"]) for each in stage.log.news()]
    assert set(receipts) <= {("error", "not_sent")}


def test_a_length_that_is_true_reaches_the_upstream(stage: Stage) -> None:
    fields = ((b"content-type", b"application/json"), (b"content-length", b"7"))
    head, arrived = stage.play(http2(stage.address, b"/", fields=fields, body=BODY))
    assert (head.split(b"\r\n")[0], len(arrived)) == (b"HTTP/2 204", 1)


def test_http1_has_no_place_for_trailers_beside_a_length_nor_for_the_ids_in_them(stage: Stage) -> None:
    """Known gap (docs/wire.md): the receipt exists, the upstream's request cannot be joined with it."""
    fields = ((b"content-type", b"application/json"), (b"content-length", b"7"))
    _, arrived = stage.play(http2(stage.address, b"/", fields=fields, body=BODY, trailers=((b"x-sum", b"1"),)))
    (head,) = arrived
    named = parsed_head(head)[1]
    assert {name: named.get(name) for name in ("content-length", "x-extproc-receipt-id", "trailer")} == {
        "content-length": "7",
        "x-extproc-receipt-id": None,
        "trailer": None,
    }
