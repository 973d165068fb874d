import json
from collections.abc import Callable

import pytest

from extproc.core.events import JSON
from extproc.core.point import Point
from extproc.core.receipt import Claims, Outcome
from extproc.errors import VerificationError
from extproc.evidence.document import Statement, parse_payload
from extproc.evidence.keys import Signer
from extproc.evidence.ledger import Ledger


@pytest.fixture
def payload(open_ledger: Callable[[], Ledger], claims: Claims) -> bytes:
    return open_ledger().record(claims).payload


def test_a_payload_is_read_back(payload: bytes, signer: Signer) -> None:
    document: dict[str, JSON] = json.loads(payload)
    assert parse_payload(payload) == Statement(
        receipt_id="0199c2f0-0000-7000-8000-000000000001",
        issued_at="2026-01-02T03:04:05.000000Z",
        phase=Point.REQUEST,
        verdict=Outcome.ALLOW,
        kid=signer.kid,
        origin="gateway-w0-1",
        seq=0,
        prev="",
        document=document,
    )


def test_a_payload_that_is_larger_than_any_receipt_is_refused(payload: bytes) -> None:
    with pytest.raises(VerificationError, match="a payload of more than 1900 bytes"):
        parse_payload(payload + b" " * 1900)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":true'),
        (b'"seq":0', b'"seq":false'),
        (b'"kind":"decision"', b'"kind":"fault"'),
        (b'"type":"extproc.receipt"', b'"type":"receipt"'),
    ],
)
def test_another_version_type_or_kind_is_refused(payload: bytes, old: bytes, new: bytes) -> None:
    with pytest.raises(VerificationError, match="a payload of another version, type or kind"):
        parse_payload(payload.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"verdict":"allow"', b'"verdict":"perhaps"'),
        (b'"phase":"request"', b'"phase":"both"'),
        (b'"seq":0', b'"seq":"0"'),
        (b'"receipt_id":"', b'"id":"'),
    ],
)
def test_a_payload_that_lacks_a_statement_is_refused(payload: bytes, old: bytes, new: bytes) -> None:
    with pytest.raises(VerificationError, match="a payload that lacks what every receipt states"):
        parse_payload(payload.replace(old, new))
