"""The table is the oracle, and docs/exchange.md shows the table."""

import re
from itertools import groupby, product
from pathlib import Path

import pytest
from core.stage import (
    AT_REQUEST,
    AT_RESPONSE,
    Stage,
    raises,
    request_body,
    request_headers,
    request_trailers,
    response_body,
    response_headers,
    response_trailers,
)

from extproc.core.events import Event, ImmediateResponse
from extproc.core.rules import Mode, Rules
from extproc.core.state import TABLE, Action, Message, Phase, message_of
from extproc.errors import EngineError, ProtocolError

PAGE = Path(__file__).parents[2] / "docs" / "exchange.md"

EVENTS: dict[Message, Event] = {
    Message.REQUEST_HEADERS: request_headers(),
    Message.REQUEST_HEADERS_END: request_headers(end=True),
    Message.REQUEST_BODY: request_body(b"a", end=False),
    Message.REQUEST_BODY_END: request_body(b"a"),
    Message.REQUEST_TRAILERS: request_trailers(("x-sum", b"1")),
    Message.RESPONSE_HEADERS: response_headers(),
    Message.RESPONSE_HEADERS_END: response_headers(end=True),
    Message.RESPONSE_BODY: response_body(b"a", end=False),
    Message.RESPONSE_BODY_END: response_body(b"a"),
    Message.RESPONSE_TRAILERS: response_trailers(("x-sum", b"1")),
    Message.LOCAL_REPLY: response_headers(details="rbac_access_denied"),
    Message.LOCAL_REPLY_END: response_headers(details="rbac_access_denied", end=True),
    Message.TOO_LARGE: response_headers(details="request_payload_too_large"),
}
PATHS: dict[Phase, tuple[Message, ...]] = {
    Phase.START: (),
    Phase.REQUEST_BODY: (Message.REQUEST_HEADERS,),
    Phase.RESPONSE: (Message.REQUEST_HEADERS_END,),
    Phase.RESPONSE_BODY: (Message.REQUEST_HEADERS_END, Message.RESPONSE_HEADERS),
    Phase.PASSING: (Message.LOCAL_REPLY,),
    Phase.ENDED: (Message.REQUEST_HEADERS_END, Message.RESPONSE_HEADERS_END),
}


def _at(phase: Phase) -> Stage:
    return Stage().play(*(EVENTS[message] for message in PATHS[phase]))


def _phase(stage: Stage) -> Phase:
    return stage.exchange._phase  # noqa: SLF001 - the phase has no other window


# ---------------------------------------------------------------- the table is what happens


@pytest.mark.parametrize(("phase", "message"), list(product(Phase, Message)))
def test_a_message_is_legal_exactly_where_the_table_holds_it(phase: Phase, message: Message) -> None:
    stage = _at(phase)
    assert _phase(stage) is phase
    if (phase, message) in TABLE:
        stage.play(EVENTS[message])
        refused = TABLE[phase, message][0] is Action.REFUSE
        assert (_phase(stage), stage.exchange.denied) == (
            Phase.ENDED if refused else TABLE[phase, message][1],
            refused,
        )
    else:
        with pytest.raises(ProtocolError, match=f"^{message} while {phase} is due$"):
            stage.exchange.receive(EVENTS[message])
        assert _phase(stage) is phase


@pytest.mark.parametrize("message", list(Message))
def test_every_message_is_known_by_what_its_event_says(message: Message) -> None:
    details = (
        EVENTS[message].attributes.get("response.code_details") if message.name.startswith(("LOCAL", "TOO")) else ""
    )
    local_reply = details == "rbac_access_denied"
    assert message_of(EVENTS[message], local_reply=local_reply, too_large=bool(details) and not local_reply) is message


@pytest.mark.parametrize(
    ("event", "message"),
    [(request_headers(), Message.REQUEST_HEADERS_END), (response_headers(), Message.RESPONSE_HEADERS_END)],
)
def test_headers_before_a_body_without_an_end_are_the_whole(event: Event, message: Message) -> None:
    assert message_of(event, ends=True) is message


@pytest.mark.parametrize("message", list(Message))
def test_nothing_is_legal_after_an_immediate_response(message: Message) -> None:
    stage = Stage(engine=raises(EngineError("broken"))).play(EVENTS[Message.REQUEST_HEADERS_END])
    assert isinstance(stage.replies[-1], ImmediateResponse)
    with pytest.raises(ProtocolError):
        stage.exchange.receive(EVENTS[message])


@pytest.mark.parametrize("phase", list(Phase))
def test_a_message_that_is_none_ends_the_exchange_in_every_phase_and_mode(phase: Phase) -> None:
    for mode in Mode:
        stage = Stage(Rules(mode=mode)).play(*(EVENTS[message] for message in PATHS[phase]))
        stage.refused(ProtocolError("not a ProcessingRequest"))
        assert (stage.replies[-1].details, _phase(stage)) == ("protocol_error", Phase.ENDED)
        assert stage.log[-1].phase is (AT_REQUEST if len(stage.log) == 1 else AT_RESPONSE)


# ---------------------------------------------------------------- the page shows the table


def table_text() -> str:
    """Every row of TABLE, in its order."""
    rows = [f"| {phase} | {message} | {action} | {after} |" for (phase, message), (action, after) in TABLE.items()]
    return "\n".join(["| phase | message | action | next phase |", "|---|---|---|---|", *rows])


def diagram_text() -> str:
    """The same rows as arrows; rows that differ in their message only share one."""
    moves = sorted(
        ((phase, after, action, message) for (phase, message), (action, after) in TABLE.items()),
        key=lambda move: [list(Phase).index(move[0]), list(Phase).index(move[1]), list(Action).index(move[2])],
    )
    arrows = [
        f"    {phase} --> {after}: {action}<br/>{_label([message for *_, message in group])}"
        for (phase, after, action), group in groupby(moves, key=lambda move: move[:3])
    ]
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> start", *arrows, "    ended --> [*]", "```"]
    return "\n".join(lines)


def _label(messages: list[Message]) -> str:
    """The messages, or those that are missing where they are fewer."""
    missing = [message for message in Message if message not in messages]
    return "<br/>".join(["all but", *missing] if len(missing) < len(messages) else messages)


@pytest.mark.parametrize(("name", "text"), [("table", table_text()), ("diagram", diagram_text())])
def test_the_page_shows_the_table_as_it_is(name: str, text: str) -> None:
    shown = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", PAGE.read_text(), re.DOTALL)
    assert shown is not None
    assert shown[1] == text
