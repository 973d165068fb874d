"""docs/receipts.md: its example is a signed receipt, and its table is what a span carries."""

import json
import re
from base64 import b64decode
from pathlib import Path

import orjson
from docs.page import Page

from extproc.core.receipt import MAX_BYTES
from extproc.evidence.document import parse_payload
from extproc.evidence.dsse import Envelope
from extproc.evidence.keys import load_key_ring
from extproc.evidence.verify import verify_envelope
from extproc.telemetry.spans import receipt_span

PAGE = "receipts.md"
MORE = {
    "decision": {
        "labels": {"<name>": "l"},
        "mutations": [{"op": "set", "name": "x-a", "digest": "d"}],
        "verdict": "error",
        "waives": ["request"],
    },
    "policy": {"decision_id": "d", "revision": "r"},
    "request": {"principal_hmac": "p"},
}
"""What a receipt may have and the example has not."""


def _found(page: Page, pattern: str) -> str:
    match = re.search(pattern, page.text, re.DOTALL)
    assert match is not None, pattern
    return match[1]


def _payload(document: object) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def test_the_example_holds_with_the_signature_and_the_key_beside_it(page: Page, tmp_path: Path) -> None:
    payload = _payload(json.loads(_found(page, r"```json\n(.*?)```")))
    key = {"kty": "OKP", "crv": "Ed25519", "x": _found(page, r'`"x": "([^"]+)"`')}
    pinned = tmp_path / "pinned.jwks"
    pinned.write_text(json.dumps({"keys": [key]}))
    statement = parse_payload(payload)
    envelope = Envelope(payload, statement.kid, b64decode(_found(page, "signature is `([^`]+)`")))
    assert verify_envelope(envelope, load_key_ring(pinned)) == statement


def test_the_table_lists_every_attribute_of_a_span(page: Page) -> None:
    document = json.loads(_found(page, r"```json\n(.*?)```"))
    whole = {**document, **{section: {**document[section], **members} for section, members in MORE.items()}}
    span = receipt_span(_payload(whole), b"signature", "kid", {}).span
    assert set(page.table("| attribute | from |")) == {attribute.key for attribute in span.attributes}


def test_the_greatest_length_is_named(page: Page) -> None:
    assert f"at most {MAX_BYTES:,} bytes" in page.text
