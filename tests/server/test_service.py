"""The one loop: what is asked, what is recorded, what is answered, and what is left when the stream is over."""

import asyncio

import pytest
from server.loop import BODY, GET, HEAD, Bench, Conversation, kind

from extproc.core.rules import Limits, Mode, Rules
from extproc.errors import EngineError, EngineTimeout, Overloaded


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_allowed_request_leaves_with_its_receipt(bench: Bench) -> None:
    replies = []

    async def script(envoy: Conversation) -> None:
        replies.extend([await envoy.ask(HEAD), await envoy.ask(BODY)])
        await envoy.end()

    assert bench.play(script) is False
    ids = {
        option.header.key: option.header.raw_value
        for option in replies[1].request_body.response.header_mutation.set_headers
    }
    assert ([kind(reply) for reply in replies], ids["x-extproc-receipt-id"], bench.ledger.reasons()[0]) == (
        [("request_headers", ""), ("request_body", "allow")],
        b"r1",
        ("allow", ()),
    )


@pytest.mark.parametrize(
    ("result", "word", "status"),
    [
        (b"false", "policy_deny", 403),
        (None, "undefined_decision", 403),
        (b"1", "invalid_decision", 503),
        (b"{", "invalid_decision", 503),
        (EngineError("x"), "engine_error", 503),
        (EngineTimeout("x"), "engine_timeout", 503),
        (Overloaded("x"), "overloaded", 503),
    ],
)
def test_everything_but_an_allow_is_a_denial_with_its_word(
    bench: Bench, result: object, word: str, status: int
) -> None:
    bench.engine.result = result
    replies = []

    async def script(envoy: Conversation) -> None:
        replies.append(await envoy.ask(GET))

    denied = bench.play(script)
    assert (denied, kind(replies[0]), replies[0].immediate_response.status.code) == (
        True,
        ("immediate_response", word),
        status,
    )
    assert bench.ledger.reasons()[0][1] == (word,)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "no rule that applies"),
        (b'{"allowed": true, "headers": {"x-forwarded-for": "1"}}', "x-forwarded-for"),
        (EngineError("rego_type_error at a.rego:3"), "rego_type_error at a.rego:3"),
    ],
)
def test_the_log_says_what_kept_a_decision_from_being_reached(
    bench: Bench, caplog: pytest.LogCaptureFixture, result: object, reason: str
) -> None:
    bench.engine.result = result

    async def script(envoy: Conversation) -> None:
        await envoy.ask(GET)

    bench.play(script)
    (record,) = caplog.records
    (_, (word,)) = bench.ledger.reasons()[0]
    assert (vars(record)["code"], reason in vars(record)["reason"]) == (word, True), vars(record)["reason"]


def test_a_body_that_does_not_come_is_not_waited_for(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.body_s = 0.01

    async def script(envoy: Conversation) -> None:
        await envoy.ask(HEAD)
        await envoy.serving

    assert bench.play(script) is False
    assert (bench.ledger.reasons(), [record.getMessage() for record in caplog.records]) == (
        [("error", ("stream_ended",))],
        ["a body did not come in time"],
    )


def test_an_engine_that_never_answers_is_not_waited_for(bench: Bench) -> None:
    bench.engine.result, bench.deadline_s = ..., 0.01
    replies = []

    async def script(envoy: Conversation) -> None:
        replies.append(await envoy.ask(GET))

    assert bench.play(script) is True
    assert (kind(replies[0]), bench.measured("engine_errors_total", code="engine_timeout")) == (
        ("immediate_response", "engine_timeout"),
        1,
    )


def test_a_stream_that_is_cancelled_while_the_engine_is_asked_is_no_overrun(bench: Bench) -> None:
    bench.engine.result = ...

    async def script(envoy: Conversation) -> None:
        await envoy.stream.to_server.put(GET)
        await bench.engine.called.wait()
        envoy.serving.cancel()

    with pytest.raises(asyncio.CancelledError):
        bench.play(script)
    assert bench.ledger.reasons() == [("error", ("stream_ended",))]


@pytest.mark.parametrize("awaited", ["engine", "upstream"])
def test_a_message_is_not_held_while_others_are_awaited(bench: Bench, awaited: str) -> None:
    """Its body is held once, by the exchange, which counts it."""
    gone = []

    class Message(bytes):
        def __del__(self) -> None:
            gone.append(len(self))

    async def script(envoy: Conversation) -> None:
        await envoy.ask(HEAD)
        await envoy.stream.to_server.put(Message(BODY))
        await (bench.engine.called.wait() if awaited == "engine" else envoy.stream.to_envoy.get())
        assert gone == [len(BODY)]
        envoy.serving.cancel()

    bench.engine.result = ... if awaited == "engine" else b"true"
    with pytest.raises(asyncio.CancelledError):
        bench.play(script)


def test_the_engine_has_what_is_left_of_the_deadline(bench: Bench) -> None:
    async def script(envoy: Conversation) -> None:
        await envoy.ask(GET)
        await envoy.end()

    bench.play(script)
    assert 9 < bench.engine.deadlines[0] <= 10


@pytest.mark.parametrize("message", [b"", b"garbage", BODY])
def test_a_message_that_may_not_come_is_denied(bench: Bench, message: bytes) -> None:
    replies = []

    async def script(envoy: Conversation) -> None:
        replies.append(await envoy.ask(message))

    assert bench.play(script) is True
    assert (kind(replies[0]), bench.ledger.reasons()) == (
        ("immediate_response", "protocol_error"),
        [("error", ("protocol_error",))],
    )


@pytest.mark.parametrize(
    ("result", "allow_unrecorded", "mode", "word"),
    [
        (b"true", False, Mode.ENFORCE, ("immediate_response", "evidence_unwritable")),
        (b"true", False, Mode.SHADOW, ("immediate_response", "evidence_unwritable")),
        (b"true", True, Mode.ENFORCE, ("request_headers", "allow")),
        (b"false", False, Mode.ENFORCE, ("immediate_response", "policy_deny")),
        (b"false", True, Mode.ENFORCE, ("immediate_response", "policy_deny")),
    ],
)
def test_without_evidence_nothing_is_allowed_unless_the_operator_says_so(
    bench: Bench,
    result: bytes,
    allow_unrecorded: bool,  # noqa: FBT001 - pytest's parameter
    mode: Mode,
    word: tuple[str, str],
) -> None:
    bench.engine.result, bench.ledger.broken = result, True
    bench.allow_unrecorded, bench.rules = allow_unrecorded, Rules(mode=mode)
    replies = []

    async def script(envoy: Conversation) -> None:
        replies.append(await envoy.ask(GET))
        await envoy.end()

    bench.play(script)
    assert kind(replies[0]) == word


def test_a_budget_that_is_full_denies_and_is_given_back(bench: Bench) -> None:
    bench.budget.charge((1 << 20) - 3)
    replies = []

    async def script(envoy: Conversation) -> None:
        replies.extend([await envoy.ask(HEAD), await envoy.ask(BODY)])

    bench.play(script)
    assert (kind(replies[1]), bench.budget.current) == (("immediate_response", "overloaded"), (1 << 20) - 3)


@pytest.mark.parametrize("way_out", ["end", "cancel"])
def test_a_stream_that_ends_in_mid_body_leaves_a_receipt_and_nothing_else(bench: Bench, way_out: str) -> None:
    async def script(envoy: Conversation) -> None:
        await envoy.ask(HEAD)
        if way_out == "end":
            await envoy.end()
        else:
            envoy.serving.cancel()

    if way_out == "end":
        assert bench.play(script) is False
    else:
        with pytest.raises(asyncio.CancelledError):
            bench.play(script)
    assert (bench.ledger.reasons(), bench.budget.current, bench.service.in_flight) == (
        [("error", ("stream_ended",))],
        0,
        0,
    )


def test_a_body_beyond_its_limit_holds_no_memory(bench: Bench) -> None:
    bench.rules = Rules(request=Limits(3, 1024))
    replies = []

    async def script(envoy: Conversation) -> None:
        replies.extend([await envoy.ask(HEAD), await envoy.ask(BODY)])

    assert bench.play(script) is True
    assert (kind(replies[1]), bench.budget.current) == (("immediate_response", "over_limit"), 0)
