import asyncio
import json
import logging
import socket
from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from engines.asking import ENTRYPOINTS, Policies, ask, outcome, result, running

from extproc.engines.embedded import EmbeddedEngine, Options
from extproc.engines.sources import PolicySet
from extproc.errors import EngineTimeout, PolicyLoadError


def test_a_builtin_that_reaches_out_does_not_load_and_the_rule_and_line_are_named(policies: Policies) -> None:
    calls = {
        "http.send": '({"method": "GET", "url": "http://a"})',
        "net.lookup_ip_addr": '("a")',
        "opa.runtime": "()",
        "strings.render_template": '("{{.x}}", {})',
    }
    for builtin, arguments in calls.items():
        loaded = policies(f"package extproc.request\n\ndecision := {builtin}{arguments}\n")
        with pytest.raises(PolicyLoadError) as caught:
            EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS)
        assert str(caught.value).endswith(
            f"/request.rego:3:13: builtin_withheld: {builtin} is off, and rule data.extproc.request.decision calls it: "
            "do without, or name it in policy.allow_builtins"
        )


def test_a_builtin_that_is_allowed_by_name_is_called(policies: Policies) -> None:
    async def scenario() -> None:
        loaded = policies("package extproc.request\n\ndecision := opa.runtime()\n")
        options = Options(allow_builtins=("opa.runtime",))
        engine = EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS, threads=1, options=options)
        assert await result(engine.decide(ask(b"{}"), 5)) == b"{}"
        await engine.close()

    asyncio.run(scenario())


def test_an_entrypoint_that_no_policy_defines_does_not_load(policies: Policies) -> None:
    loaded = policies("package extproc.request\n\nverdict := true\n")
    with pytest.raises(PolicyLoadError) as caught:
        EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS)
    assert str(caught.value) == (
        "entrypoint: no policy defines the entrypoint extproc/request/decision: define it, or change policy.points"
    )


def test_the_clock_is_the_callers(policies: Policies) -> None:
    async def scenario() -> None:
        loaded = policies("package extproc.request\n\ndecision := time.now_ns()\n")
        options = Options(clock_ns=lambda: 1_700_000_000_000_000_001)
        engine = EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS, options=options)
        assert await result(engine.decide(ask(b"{}"), 5)) == b"1700000000000000001"
        await engine.close()

    asyncio.run(scenario())


def test_an_evaluation_repeats_with_the_time_and_the_seed_that_it_tells(policies: Policies) -> None:
    async def scenario() -> None:
        rego = 'decision := [time.now_ns(), rand.intn("a", 1000000000), uuid.rfc4122("b")]'
        loaded = policies(f"package extproc.request\n\n{rego}\n")
        async with running(loaded) as engine:
            first, other = [await engine.decide(ask(b"{}"), 5) for _ in range(2)]
        options = Options(clock_ns=lambda: first.time_ns or 0, new_seed=lambda: first.seed or 0)
        repeating = EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS, threads=1, options=options)
        assert await result(repeating.decide(ask(b"{}"), 5)) == first.result != other.result
        await repeating.close()

    asyncio.run(scenario())


def test_what_a_policy_explains_goes_to_the_log_at_level_debug(
    policies: Policies, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(*, explain: bool) -> list[object]:
        caplog.clear()
        rego = 'package extproc.request\n\ndecision if {\n\tprint("sku is", input.sku)\n}\n'
        options = Options(explain=explain)
        engine = EmbeddedEngine(policies=policies(rego), entrypoints=ENTRYPOINTS, threads=1, options=options)
        assert await result(engine.decide(ask(b'{"sku": "A-1"}'), 5)) == b"true"
        await engine.close()
        notes = [(record.levelname, vars(record)["point"], vars(record)["notes"]) for record in caplog.records]
        return [(level, point, [line["text"] for line in said["printed"]]) for level, point, said in notes]

    caplog.set_level("DEBUG", "extproc.engines")
    assert asyncio.run(scenario(explain=True)) == [("DEBUG", "request", ["sku is A-1"])]
    assert asyncio.run(scenario(explain=False)) == []


def test_a_log_that_raises_keeps_no_answer_back(policies: Policies, caplog: pytest.LogCaptureFixture) -> None:
    def raise_it(_: logging.LogRecord) -> bool:
        raise OSError("the log is full")

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        rules = policies('package extproc.request\n\ndecision if print("x")\n')
        engine = EmbeddedEngine(policies=rules, entrypoints=ENTRYPOINTS, options=Options(explain=True))
        futures = [engine.decide(ask(b"{}"), 30) for _ in range(20)]
        assert [await result(future) for future in futures] == [b"true"] * 20
        await engine.close()

    logger = logging.getLogger("extproc.engines.embedded")
    caplog.set_level(logging.DEBUG, logger.name)
    logger.addFilter(raise_it)
    try:
        asyncio.run(scenario())
    finally:
        logger.removeFilter(raise_it)


def test_a_token_is_verified_by_keys_from_the_data_document(policies: Policies) -> None:
    key, other = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())

    def token(signer: EllipticCurvePrivateKey, **claims: object) -> str:
        text = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "ES256"}, claims))
        r, s = decode_dss_signature(signer.sign(text.encode(), ECDSA(SHA256())))
        return f"{text}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    rego = """package extproc.request

decision := claims.sub if {
	[valid, _, claims] := io.jwt.decode_verify(input.token, {"cert": data.jwt.key, "alg": "ES256", "iss": "shop"})
	valid
}
"""

    async def scenario() -> None:
        loaded = replace(policies(rego), data=json.dumps({"jwt": {"key": pem}}).encode())
        noon = Options(clock_ns=lambda: 1_767_355_200_000_000_000)
        engine = EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS, threads=1, options=noon)
        cases = {
            token(key, iss="shop", sub="ann", exp=1_767_355_201): b'"ann"',
            token(key, iss="shop", sub="ann", exp=1_767_355_199): None,
            token(key, iss="other", sub="ann"): None,
            token(other, iss="shop", sub="ann"): None,
            token(key, iss="shop", sub="ann")[:-4] + "AAAA": None,
            ".".join([_encoded(b'{"alg":"none"}'), _encoded(b'{"iss":"shop","sub":"ann"}'), ""]): None,
        }
        for text, expected in cases.items():
            assert await result(engine.decide(ask(json.dumps({"token": text}).encode()), 5)) == expected
        await engine.close()

    asyncio.run(scenario())


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def test_the_data_document_reaches_the_policy_with_its_integers(policies: Policies) -> None:
    async def scenario() -> None:
        loaded = policies("package extproc.request\n\ndecision := data.limits\n")
        limits = {"big": 10**25 + 1, "text": "é"}
        loaded = PolicySet(loaded.modules, json.dumps({"limits": limits}).encode(), "", "", "")
        async with running(loaded) as engine:
            assert json.loads(await result(engine.decide(ask(b"{}"), 5)) or b"") == limits

    asyncio.run(scenario())


def test_the_deadline_holds_for_a_network_that_is_silent(policies: Policies) -> None:
    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            request = json.dumps({"method": "GET", "url": url, "raise_error": False})
            loaded = policies(f"package extproc.request\n\ndecision := http.send({request}).status_code\n")
            options = Options(allow_builtins=("http.send",))
            engine = EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS, threads=1, options=options)
            error = await outcome(engine.decide(ask(b"{}"), 0.1))
            assert (type(error), str(error)) == (EngineTimeout, "the policy did not answer before the deadline")
            await engine.close()

    asyncio.run(scenario())
