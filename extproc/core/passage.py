"""What the reply to a message carries when the exchange goes on, whatever the policy says."""

from collections.abc import Set as AbstractSet

from extproc.core.answer import Passage
from extproc.core.events import Body, Direction, Event, Guard, Headers, Waiver
from extproc.core.headers import NO_MUTATION, HeaderMutation
from extproc.core.intake import endless_state
from extproc.core.point import Point
from extproc.core.rules import Mode, Rules
from extproc.core.state import Action

JUDGED = frozenset({"", "via_upstream", "direct_response"})
"""`response.code_details` of a response that is judged; every other response is a local reply (wire.md)."""
TOO_LARGE = "request_payload_too_large"

_WHOLE = HeaderMutation(set=(("accept-encoding", b"identity"),), remove=("range", "if-range"))
"""What a request must not ask for when its response will be inspected: a coding we do not undo, or a piece."""


def passage_of(
    event: Event, action: Action, rules: Rules, *, waived: AbstractSet[Direction], later: HeaderMutation
) -> Passage:
    """The passage of one message.

    `waived` are the halves whose bodies the headers point lets pass unseen, `later` what the request's verdict wants
    done to the response's headers.
    """
    judged = action in (Action.HOLD, Action.DECIDE) and not response_unjudged(rules, waived)
    guard = None if judged else Guard.WAIVED
    forged = forged_names(event, rules.prefix)
    mutation = HeaderMutation(remove=forged) if forged else NO_MUTATION
    if not isinstance(event, Headers):
        return Passage(mutation, response=guard)
    if event.direction is Direction.RESPONSE:
        mutation += later
    elif not response_unjudged(rules, waived):
        mutation += _WHOLE
    waiver = _waiver(event, action, rules, waived)
    return Passage(mutation, response=Guard.WAIVED if waiver is Waiver.BOTH else guard, waiver=waiver)


def response_unjudged(rules: Rules, waived: AbstractSet[Direction]) -> bool:
    """No response point, or none for this exchange."""
    return rules.entrypoints[Point.RESPONSE] is None or Direction.RESPONSE in waived


def forged_names(event: Event, prefix: str) -> tuple[str, ...]:
    """The headers that only the server may write, from whoever else wrote them."""
    return () if isinstance(event, Body) else event.headers.names(prefix)


def _waiver(head: Headers, action: Action, rules: Rules, waived: AbstractSet[Direction]) -> Waiver | None:
    """What Envoy need not buffer, if this message's verdict lets the exchange go on."""
    # Outside of enforce mode `render` allows the override always, else only where a policy can ask for it.
    passed = action is Action.PASS and rules.mode is not Mode.ENFORCE
    if (action is Action.DECIDE or passed) and endless_state(head) is not None:
        return Waiver.BOTH
    if head.direction not in waived or head.end_of_stream:
        return None
    return Waiver.BOTH if response_unjudged(rules, waived) else Waiver.REQUEST
