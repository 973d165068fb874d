"""Istio's own filters around ours: authentication and authorization come first, and what they found reaches Rego."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from conformance.exchange import Message
from faults.stage import get
from istio_live.objects import Object
from istio_live.stage import Mesh
from istio_live.tokens import NEVER, Issuer

ISSUER = Issuer("https://issuer.test")
SHOWN = ("x-echo-request", json.dumps(["attributes", "metadataContext", "filterMetadata"]))
SELECTOR = {"matchLabels": {"istio": "ingressgateway"}}


def _security(kind: str, spec: Object) -> Object:
    meta = {"name": "shop", "namespace": "istio-ingress"}
    return {"apiVersion": "security.istio.io/v1", "kind": kind, "metadata": meta, "spec": spec}


AUTHENTICATION = _security(
    "RequestAuthentication",
    {"selector": SELECTOR, "jwtRules": [{"issuer": ISSUER.name, "jwks": ISSUER.jwks(), "forwardOriginalToken": True}]},
)
AUTHORIZATION = _security(
    "AuthorizationPolicy",
    {"selector": SELECTOR, "action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/internal/*"]}}]}]},
)


@pytest.fixture(scope="module", autouse=True)
def _authentication(runner: asyncio.Runner, shop: Mesh) -> Iterator[None]:
    runner.run(shop.gateway.apply([AUTHENTICATION, AUTHORIZATION]))
    shop.upstream.seen.clear()
    yield
    runner.run(shop.gateway.delete([AUTHENTICATION, AUTHORIZATION]))


def _with(token: str, *headers: tuple[str, str]) -> Message:
    return get(("authorization", f"Bearer {token}"), *headers)


def test_authentication_and_authorization_stand_before_our_filters(runner: asyncio.Runner, shop: Mesh) -> None:
    filters = runner.run(shop.gateway.filters())
    before = filters[: filters.index("extproc.response_guard")]
    assert {"envoy.filters.http.jwt_authn", "envoy.filters.http.rbac"} <= set(before)
    assert [one for one in filters if one.startswith("extproc.")] == filters[-5:-1]


def test_the_claims_of_a_token_reach_the_policy(runner: asyncio.Runner, shop: Mesh) -> None:
    token = ISSUER.token(sub="ada", roles=["teller"])
    answer = runner.run(shop.send(_with(token, SHOWN)))
    metadata = json.loads(json.loads(answer.body or b"")["detail"])
    claims = {"iss": ISSUER.name, "exp": NEVER, "sub": "ada", "roles": ["teller"]}
    assert metadata == {"envoy.filters.http.jwt_authn": {"payload": claims}}


def test_without_a_token_the_policy_sees_no_claims(runner: asyncio.Runner, shop: Mesh) -> None:
    answer = runner.run(shop.send(get(SHOWN)))
    assert json.loads(json.loads(answer.body or b"")["detail"]) == {}


@pytest.mark.parametrize(
    "token",
    [ISSUER.token(exp=1), Issuer(ISSUER.name).token(), ISSUER.token()[:-4], "none"],
    ids=["expired", "of another key", "cut", "no token"],
)
def test_a_token_that_is_not_valid_is_refused_by_istio_before_the_policy_is_asked(
    runner: asyncio.Runner, shop: Mesh, token: str
) -> None:
    shop.log.news()
    answer = runner.run(shop.send(_with(token)))
    assert (answer.status, shop.log.news()) == (401, [])
    assert dict(answer.headers)["www-authenticate"].startswith("Bearer realm=")


def test_what_istio_denies_is_denied_before_the_policy_is_asked(runner: asyncio.Runner, shop: Mesh) -> None:
    shop.log.news()
    answer = runner.run(shop.send(Message(target="/internal/accounts")))
    assert (answer.status, answer.body, shop.log.news()) == (403, b"RBAC: access denied", [])
