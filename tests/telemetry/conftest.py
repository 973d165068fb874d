"""A receipt as the ledger writes it, and the three parts of its log line that a span is made of."""

import copy
from collections.abc import Callable, Iterator

import orjson
import pytest

from extproc.core.events import JSON
from extproc.demo.collector import Collector, collector

_DOCUMENT: dict[str, JSON] = {
    "v": 1,
    "type": "extproc.receipt",
    "kind": "decision",
    "receipt_id": "0199b4a0-0000-7000-8000-000000000001",
    "issued_at": "2026-01-02T03:04:05.678901Z",
    "phase": "request",
    "issuer": {"service": "extproc", "instance": "gw-0", "version": "0.1.0", "kid": "thumbprint"},
    "log": {"origin": "gw-0/1", "seq": 7, "prev": "aa" * 32},
    "trace": {"trace_id": "0a" * 16, "span_id": "0b" * 8, "parent_span_id": "0c" * 8},
    "request": {
        "id": "req-1",
        "method": "POST",
        "authority": "shop.example:8443",
        "path_hmac": "01" * 32,
        "route": "shop",
        "principal_hmac": "02" * 32,
        "source_hmac": "03" * 32,
        "body_digest": "04" * 32,
        "body_bytes": 12,
        "inspection": "complete",
    },
    "decision": {
        "verdict": "deny",
        "enforcement": "enforced",
        "status": 403,
        "reasons": ["sql_injection", "no_owner"],
        "mutations": [{"op": "set", "name": "x-extproc-verdict", "digest": "05" * 32}],
    },
    "policy": {
        "engine": "embedded",
        "engine_version": "1.21.3",
        "entrypoint": "extproc/request/decision",
        "revision": "r42",
        "policy_digest": "06" * 32,
        "data_digest": "07" * 32,
        "decision_id": "d-1",
        "input_digest": "08" * 32,
        "result_digest": "09" * 32,
    },
    "eval_us": 250,
}


@pytest.fixture
def document() -> dict[str, JSON]:
    """Give a denial with every section that a request-phase receipt can have; the test may change its copy."""
    return copy.deepcopy(_DOCUMENT)


@pytest.fixture
def canonical() -> Callable[[JSON], bytes]:
    """Give what makes the bytes that are signed."""

    def dump(value: JSON) -> bytes:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)

    return dump


@pytest.fixture
def receiver() -> Iterator[Collector]:
    """Run a collector on a free loopback port."""
    with collector() as running:
        yield running
