"""What a denial does not say: by which policy, and whether the responses to what passes are judged too."""

from collections.abc import Iterator

from extproc.config import Settings
from extproc.engines.sources import load
from extproc.errors import PolicyLoadError
from extproc.istio.doctor.finding import Finding
from extproc.istio.doctor.probe import (
    DENIED,
    FAILED,
    OTHER_POLICY,
    RESPONSE_UNINSPECTED,
    RESPONSE_UNSEEN,
    UNENFORCED,
    UNREACHABLE,
    Answer,
    Outcome,
    Probe,
    fetch,
    finding,
    told,
)

_STREAM = "text/event-stream"


async def confirm(probe: Probe, settings: Settings) -> list[Finding]:
    """Send the probe, and where the server was asked compare what else can be known from outside.

    With a response point a second request follows, a GET without what policy denies: **it reaches the upstream**.
    """
    answer = await fetch(probe)
    findings = [told(probe, answer, settings)]
    if isinstance(answer, Answer) and findings[0].id in (DENIED.id, UNENFORCED.id):
        findings += _other_policy(probe, answer, settings)
        if settings.policy.points.response is not None:
            plain = Probe(probe.url, tuple(pair for pair in probe.headers if pair[0] == "host"))
            outcome, saying = response_half(await fetch(plain), settings)
            findings += [] if outcome is None else [finding(outcome, plain, saying)]
    return findings


def _other_policy(probe: Probe, answer: Answer, settings: Settings) -> Iterator[Finding]:
    """Only a policy's answer bears the digest; with an OPA server, or without the files, there is none to compare."""
    found = answer.headers.get(f"{settings.headers.prefix}policy-hash")
    expected = _policy_digest(settings)
    if None not in (found, expected) and found != expected:
        yield finding(OTHER_POLICY, probe, f"{settings.headers.prefix}policy-hash is not {expected}")


def _policy_digest(settings: Settings) -> str | None:
    if settings.policy.engine != "embedded":
        return None
    try:
        return load(settings.policy.paths, settings.policy.data).policy_digest
    except PolicyLoadError:
        return None


def response_half(answer: Answer | str, settings: Settings) -> tuple[Outcome | None, str]:
    """What the answer to a harmless request says about the inspection of responses; None where it is as it should be.

    Policy may leave a body out at the headers point, and a stream has no end to wait for: neither tells anything.
    """
    if isinstance(answer, str):
        return UNREACHABLE, answer
    verdict = answer.headers.get(f"{settings.headers.prefix}verdict")
    saying = f"answered {answer.status} without the probe's header, "
    if verdict == "error":
        return FAILED, f"{saying}with verdict error"
    passed = 200 <= answer.status <= 299  # noqa: PLR2004 - other statuses may be Envoy's own
    if passed and verdict == "allow":
        return None, ""
    stream = answer.headers.get("content-type", "").startswith(_STREAM)
    if passed and verdict in (None, "none") and settings.policy.points.headers is None and not stream:
        return RESPONSE_UNINSPECTED, f"{saying}and without a verdict on the response"
    return RESPONSE_UNSEEN, f"{saying}which does not tell"
