r"""The one byte form of a receipt: RFC 8785 for the subset used here (ASCII keys, no floats, integers to 2**53 - 1).

What is absent is left out: no member is null, an empty text, an empty list or an empty object, except in `issuer` and
`log`, which are always whole.  A number is always there, even 0.

A receipt has at most MAX_BYTES bytes, whatever its claims hold.  Each step of `_STEPS` cuts more than the one before,
and the first whose result fits is taken, so that only a receipt that is too large loses anything but reasons past the
eighth, labels past the fourth and mutations past the eighth:

- a text over its limit is cut and marked (extproc.core.fitting);
- a list that is not shown whole has `reasons_digest`, `labels_digest` or `mutations_digest` beside it: the SHA-256 of
  the canonical JSON of all its rows, `[[reason]]`, `[[name, value]]` by name, `[[op, name, digest]]`;
- digests of the request that the receipt of the earlier phase (`parent_receipt`) states are not stated again;
- at last the lists and all texts but `request.id` go, and `cut_digest` is the SHA-256 of the canonical JSON of the
  document before any cut.

A label's name is escaped to ASCII (`\u00e9`).
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from extproc.core.events import JSON, Direction
from extproc.core.fitting import Row, clean, encode, fit, rows_digest
from extproc.core.receipt import MAX_BYTES, Claims, Issuer, PolicyFacts, Pseudonym, RequestFacts, ResponseFacts, Stamp
from extproc.core.rules import Mode

TYPE = "extproc.receipt"
VERSION = 1
KIND = "decision"
MAX_INTEGER = 2**53 - 1
MAX_ORIGIN_BYTES = 96

Section: TypeAlias = dict[str, JSON]

_ENFORCEMENT = {Mode.ENFORCE: "enforced", Mode.SHADOW: "shadow", Mode.OFF: "off"}
_HEX = 64  # digits of a SHA-256


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What is kept: lengths in bytes of JSON text, counts of rows.  `repeat`: also what the parent receipt states."""

    text: int
    reasons: int
    reason: int
    labels: int
    mutations: int
    repeat: bool
    list_digests: bool = True


_STEPS = (
    _Bounds(text=MAX_BYTES, reasons=8, reason=64, labels=4, mutations=8, repeat=True),
    _Bounds(text=96, reasons=8, reason=64, labels=4, mutations=4, repeat=False),
    _Bounds(text=40, reasons=8, reason=40, labels=0, mutations=0, repeat=False),
)
_ALL = 1 << 62
_UNCUT = _Bounds(text=_ALL, reasons=_ALL, reason=_ALL, labels=_ALL, mutations=_ALL, repeat=True)
_LAST = _Bounds(text=0, reasons=0, reason=0, labels=0, mutations=0, repeat=False, list_digests=False)


def canonical(claims: Claims, stamp: Stamp, pseudonym: Pseudonym) -> bytes:
    """Build the receipt's document, at most MAX_BYTES long; never raises because of what the claims hold.

    The ids, digests and times of `stamp` are the worker's own and taken as they are; names of the issuer and the log
    are cut to fixed lengths, the same in each receipt of a log.
    """
    request = claims.request
    names = (request.path, request.principal, request.source)
    hashed = tuple([pseudonym(clean(name)) if name else "" for name in names])
    for bounds in _STEPS:
        form = encode(_document(claims, stamp, hashed, bounds))
        if len(form) <= MAX_BYTES:
            return form
    uncut = encode(_document(claims, stamp, hashed, _UNCUT))
    last = _document(claims, stamp, hashed, _LAST)
    return encode({**last, "cut_digest": sha256(uncut).hexdigest()})


def _document(claims: Claims, stamp: Stamp, hashed: Row, bounds: _Bounds) -> Section:
    parent = claims.parent_receipt or ""
    repeat = bounds.repeat or not parent
    document: Section = {
        "v": VERSION,
        "type": TYPE,
        "kind": KIND,
        "receipt_id": stamp.receipt_id,
        "issued_at": stamp.issued_at,
        "phase": str(claims.phase),
        "issuer": _issuer(stamp.issuer),
        "log": {
            "origin": fit(stamp.origin, MAX_ORIGIN_BYTES),
            "seq": min(MAX_INTEGER, stamp.seq),
            "prev": stamp.prev,
        },
        "trace": _trace(claims, stamp),
        "request": _request(claims.request, hashed if repeat else (), bounds),
        "decision": _decision(claims, bounds),
        "eval_us": min(MAX_INTEGER, claims.duration_us),
    }
    if parent:
        document["parent_receipt"] = fit(parent, 36)  # a UUID
    if claims.response is not None:
        document["response"] = _response(claims.response)
    if claims.policy is not None:
        document["policy"] = _policy(claims.policy, bounds)
    return document


def _issuer(issuer: Issuer) -> Section:
    return {
        "service": fit(issuer.service, 48),
        "instance": fit(issuer.instance, 64),  # a Kubernetes pod name that is also a host name has at most 63
        "version": fit(issuer.version, 24),
        "kid": issuer.kid,
    }


def _trace(claims: Claims, stamp: Stamp) -> Section:
    parent = "" if claims.trace is None else fit(claims.trace.parent_span_id, 16)
    return _present({"trace_id": stamp.trace_id, "span_id": stamp.span_id, "parent_span_id": parent})


def _request(facts: RequestFacts, hashed: Row, bounds: _Bounds) -> Section:
    limit = bounds.text
    section: Section = {
        "id": fit(facts.id, max(limit, 40)),  # what finds the other receipts of the exchange is kept
        "method": fit(facts.method, limit),
        "authority": fit(facts.authority, limit),
        "route": fit(facts.route, limit),
    }
    if hashed:
        path, principal, source = hashed
        section["path_hmac"] = fit(path, _HEX)
        section["principal_hmac"] = fit(principal, _HEX)
        section["source_hmac"] = fit(source, _HEX)
        section["body_digest"] = fit(facts.body_digest, _HEX)
        section["body_bytes"] = min(MAX_INTEGER, facts.body_bytes)
        section["inspection"] = str(facts.inspection)
    return _present(section)


def _response(facts: ResponseFacts) -> Section:
    return _present(
        {
            "status": min(MAX_INTEGER, facts.status),
            "body_digest": fit(facts.body_digest, _HEX),
            "body_bytes": min(MAX_INTEGER, facts.body_bytes),
            "inspection": str(facts.inspection),
        }
    )


def _policy(facts: PolicyFacts, bounds: _Bounds) -> Section:
    identity, limit = facts.identity, bounds.text
    return _present(
        {
            "engine": fit(identity.engine, limit),
            "engine_version": fit(identity.engine_version, limit),
            "entrypoint": fit(facts.entrypoint, limit),
            "revision": fit(identity.revision, limit),
            "policy_digest": fit(identity.policy_digest, _HEX),
            "data_digest": fit(identity.data_digest, _HEX),
            "decision_id": fit(facts.decision_id, limit),
            "input_digest": fit(facts.input_digest, _HEX),
            "result_digest": fit(facts.result_digest, _HEX),
        }
    )


def _decision(claims: Claims, bounds: _Bounds) -> Section:
    section: Section = {"verdict": str(claims.outcome), "enforcement": _ENFORCEMENT[claims.mode]}
    if claims.status is not None:
        section["status"] = min(MAX_INTEGER, claims.status)
    if claims.reasons:
        _put_reasons(section, claims, bounds)
    if claims.labels:
        _put_labels(section, claims, bounds)
    if claims.mutations:
        _put_mutations(section, claims, bounds)
    if claims.waives:
        section["waives"] = [way.value for way in Direction if way in claims.waives]
    return _present(section)


def _put_reasons(section: Section, claims: Claims, bounds: _Bounds) -> None:
    shown = [fit(reason, bounds.reason) for reason in claims.reasons[: bounds.reasons]]
    section["reasons"] = [*shown]
    if bounds.list_digests and shown != [*claims.reasons]:
        section["reasons_digest"] = rows_digest((reason,) for reason in claims.reasons)


def _put_labels(section: Section, claims: Claims, bounds: _Bounds) -> None:
    rows = sorted(claims.labels.items())
    limit = bounds.text
    names = [name.encode("ascii", "backslashreplace").decode() for name, _ in rows[: bounds.labels]]
    shown = {fit(name, limit): fit(value, limit) for name, (_, value) in zip(names, rows, strict=False)}
    section["labels"] = {**shown}
    if bounds.list_digests and shown != claims.labels:
        section["labels_digest"] = rows_digest(rows)


def _put_mutations(section: Section, claims: Claims, bounds: _Bounds) -> None:
    rows = [(fact.op, fact.name, fact.digest) for fact in claims.mutations]
    limit, kept = bounds.text, rows[: bounds.mutations]
    shown = [(fit(op, 12), fit(name, limit), fit(digest, _HEX)) for op, name, digest in kept]
    section["mutations"] = [{"op": op, "name": name, "digest": digest} for op, name, digest in shown]
    if bounds.list_digests and shown != rows:
        section["mutations_digest"] = rows_digest(rows)


def _present(section: Section) -> Section:
    return {name: value for name, value in section.items() if value or value == 0}
