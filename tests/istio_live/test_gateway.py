"""The whole way: istiod merges our filters, a real Envoy takes them, traffic is decided and receipted."""

import asyncio

import pytest
from faults.stage import code, get, post, receipts_of, unreceipted
from istio_live.stage import CLASSIC, GATEWAY_API, Mesh

pytestmark = pytest.mark.parametrize("shop", [CLASSIC, GATEWAY_API], ids=["classic", "gateway-api"], indirect=True)


def test_our_filters_stand_between_istios_own_and_the_router(runner: asyncio.Runner, shop: Mesh) -> None:
    ours = ["extproc.response_guard", "extproc.strip_client_headers", "extproc.policy", "extproc.request_guard"]
    filters = runner.run(shop.gateway.filters())
    assert filters[-5:] == [*ours, "envoy.filters.http.router"]
    assert filters[:-5]


def test_a_request_that_is_allowed_reaches_the_application_with_its_receipt(runner: asyncio.Runner, shop: Mesh) -> None:
    shop.upstream.seen.clear()
    shop.log.news()
    answer = runner.run(shop.send(get()))
    receipts = runner.run(receipts_of(shop.log, 2))
    assert answer.status == 200
    assert [(one["phase"], one["decision"]["verdict"]) for one in receipts] == [
        ("request", "allow"),
        ("response", "allow"),
    ]
    assert unreceipted(shop.upstream.seen, receipts) == []


def test_a_request_that_is_denied_reaches_nothing_and_has_a_receipt(runner: asyncio.Runner, shop: Mesh) -> None:
    shop.upstream.seen.clear()
    shop.log.news()
    answer = runner.run(shop.send(post(b'{"a": "attack"}')))
    receipts = runner.run(receipts_of(shop.log, 1))
    assert (answer.status, code(answer), shop.upstream.seen) == (403, "attack", [])
    assert [(one["phase"], one["decision"]["verdict"]) for one in receipts] == [("request", "deny")]
