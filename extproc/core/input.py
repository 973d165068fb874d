"""The input document: what Rego sees.  Names and nesting are opa-envoy-plugin's; docs/policies.md has the whole shape.

A body that passed its strict reader is spliced in as its original bytes, so that no number changes on the way.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from extproc.core.decoding import graphql
from extproc.core.events import Headers
from extproc.core.half import Half, attribute, principal_of, status_of
from extproc.core.inspection import Inspection, State
from extproc.core.point import Point
from extproc.core.request_line import parsed_path, parsed_query, path_flags, query_flags

_PORT = re.compile(r"[0-9]{1,5}")
_SHORT_LINE = 4096
_VERSION = {"encoding": "protojson", "ext_proc": "v3"}


@dataclass(frozen=True, slots=True)
class ShownRequest:
    """What a request's headers give to the input document.

    `kept`: it is read once for both points.  A long request line is read twice: in pieces it takes 45 times its bytes,
    which no budget counts, for as long as the upstream takes.
    """

    http: Mapping[str, object]
    attributes: Mapping[str, object]
    path: list[str]
    query: dict[str, list[str]]
    flags: Mapping[str, list[str]]
    kept: bool


def show_request(head: Headers) -> ShownRequest:
    """Read the headers and the attributes of a request."""
    path = head.headers.text(":path")
    http = {
        "id": head.attributes.get("request.id", ""),
        "method": head.headers.text(":method"),
        "path": path,
        "host": head.headers.text(":authority"),
        "scheme": head.headers.text(":scheme"),
        "protocol": head.attributes.get("request.protocol", ""),
    } | _headers(head)
    attributes = {
        "source": _peer(head, "source.address") | _principal(head),
        "destination": _peer(head, "destination.address"),
        "metadataContext": {"filterMetadata": head.metadata},
    }
    query = parsed_query(path)
    flags = {"path_flags": path_flags(path), "query_flags": query_flags(path, query)}
    return ShownRequest(http, attributes, parsed_path(path), query, flags, kept=len(path) <= _SHORT_LINE)


def document(
    point: Point, shown: ShownRequest, request: Half, response: Half | None, *, compatibility_bodies: bool
) -> bytes:
    """The input of a point as JSON text; only the response point has a response, and sees both.

    `compatibility_bodies` gives `body` and `raw_body` always, not only where there is no `parsed_body`.
    """
    attributes: dict[str, object] = {
        "request": {
            "time": request.head.attributes.get("request.time", ""),
            "http": {**shown.http, **_content(request, compatibility_bodies)},
        },
        **shown.attributes,
    }
    inspection: dict[str, object] = {"request": {**_inspection(request), **shown.flags}}
    whole: dict[str, object] = {
        "version": _VERSION,
        "phase": str(point),
        "attributes": attributes,
        "parsed_path": shown.path,
        "parsed_query": shown.query,
        "truncated_body": request.inspection.state is State.OVER_LIMIT,
        "inspection": inspection,
    }
    if request.inspection.parsed is not None:
        whole["parsed_body"] = orjson.Fragment(request.inspection.parsed)
    for name, text in request.inspection.lifted:
        ambiguous = name == "graphql" and graphql.is_in_url(shown.query)
        whole[name] = orjson.Fragment(graphql.beside_url(text) if ambiguous else text)
    if response is not None:
        status = {"status": status_of(response.head)}
        attributes["response"] = {"http": status | _headers(response.head) | _content(response, compatibility_bodies)}
        inspection["response"] = _inspection(response)
        if response.inspection.parsed is not None:
            whole["parsed_response_body"] = orjson.Fragment(response.inspection.parsed)
    return orjson.dumps(whole)


def _headers(head: Headers) -> dict[str, object]:
    values = head.headers.texts()
    return {"headers": joined(values), "header_values": values}


def _content(half: Half, compatibility_bodies: bool) -> dict[str, object]:  # noqa: FBT001 - private, two callers
    out: dict[str, object] = {"size": half.inspection.size} | _body(half.inspection, compatibility_bodies)
    if half.trailers.pairs:
        out["trailers"] = joined(half.trailers.texts())
    return out


def _body(inspection: Inspection, compatibility_bodies: bool) -> dict[str, object]:  # noqa: FBT001 - private, one caller
    out: dict[str, object] = {}
    if inspection.text is not None:
        out["body"] = inspection.text
    elif compatibility_bodies:
        out["body"] = inspection.raw.decode(errors="replace")
    if compatibility_bodies or (inspection.hidden and inspection.raw):
        out["raw_body"] = b64encode(inspection.raw).decode()
    return out


def joined(values: dict[str, list[str]]) -> dict[str, str]:
    """Repeated values in one text, as Envoy joins them: with `,`, cookies with `; `."""
    return {name: ("; " if name == "cookie" else ",").join(texts) for name, texts in values.items()}


def _inspection(half: Half) -> dict[str, object]:
    seen = half.inspection
    out: dict[str, object] = {
        "state": str(seen.state),
        "media_type": seen.media_type,
        "charset": seen.charset,
        "encodings": seen.encodings,
        "bytes": seen.size,
        "decoded_bytes": seen.decoded_size,
        "sniffed": seen.sniffed,
    }
    if seen.frames is not None:
        out["frames"] = orjson.Fragment(seen.frames)
    odd = half.head.headers.odd_names() | half.trailers.odd_names()
    if odd:
        out["non_utf8_headers"] = sorted(odd)
    return out


def _peer(head: Headers, name: str) -> dict[str, object]:
    """`ip:port` (or a pipe's path, or nothing) as Envoy's `core.v3.Address`."""
    text = attribute(head, name)
    host, _, port = text.rpartition(":")
    if _PORT.fullmatch(port) is None:
        return {"address": {"pipe": {"path": text}}} if text else {}
    return {"address": {"socketAddress": {"address": host.strip("[]"), "portValue": int(port)}}}


def _principal(head: Headers) -> dict[str, object]:
    principal = principal_of(head)
    return {"principal": principal} if principal else {}
