"""What no dump can say: whether this gateway denies what policy denies."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp

from extproc.config import Settings
from extproc.errors import ConfigurationError
from extproc.istio.doctor.finding import Finding, Severity
from extproc.istio.doctor.node import shown
from extproc.istio.doctor.sources import bounded

HEADER = ("extproc-probe", "deny")
"""What the shipped policies deny on any route (policies/extproc/request/probe.rego)."""

PATIENCE_S = 30.0
_MOST_BYTES = 64 << 10
_UUID_VERSION = 7


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that policy must deny: `headers` are sent as they are, a `body` as a POST of JSON."""

    url: str
    headers: tuple[tuple[str, str], ...] = (HEADER,)
    body: str | None = None

    @property
    def shown(self) -> str:
        """The URL without what may be a secret: user, password and query."""
        parts = urlsplit(self.url)
        return shown(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")


def probe_of(url: str, headers: Sequence[str], body: str | None) -> Probe:
    """A probe as it is written down, headers as `NAME:VALUE`; HEADER is added where nothing else could be denied.

    Raises ConfigurationError.
    """
    if not _is_http(url):
        raise ConfigurationError("--probe: expected http://HOST/... or https://HOST/...")
    pairs = [each.partition(":") for each in headers]
    if not all(colon and name.strip() for name, colon, _ in pairs):
        raise ConfigurationError("--probe-header: expected NAME:VALUE")
    named = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
    enough = body is not None or any(name != "host" for name, _ in named)
    return Probe(url, named if enough else (*named, HEADER), body)


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; names of headers in lower case, the body up to 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an answer means."""

    id: str
    severity: Severity
    why: str
    mend: str


DENIED = Outcome("probe_denied", Severity.NOTE, "The denial arrived with the server's own marks.", "Nothing.")
ALLOWED = Outcome(
    "probe_allowed",
    Severity.ERROR,
    "The server was asked and let the probe pass: its policy does, or it has another mode than this file.",
    "Serve policies/extproc/request/probe.rego or name a request that your policy denies; restart the server's pods.",
)
UNINSPECTED = Outcome(
    "probe_uninspected",
    Severity.ERROR,
    "The request passed, and nothing shows that the server was asked.",
    "Look at the other findings; the EnvoyFilter may be attached to another gateway.",
)
UNMARKED = Outcome(
    "probe_unmarked",
    Severity.ERROR,
    "Something else refused it: a guard, an AuthorizationPolicy, the upstream. It proves nothing about the server.",
    "Name a URL that answers without the probe's header; if it does, look at the guard and at the server's log.",
)
FAILED = Outcome(
    "probe_failure",
    Severity.ERROR,
    "The server was asked and could not decide: it refuses everything.",
    "Look up the code in docs/errors.md, and the server's log.",
)
UNREACHABLE = Outcome(
    "probe_unreachable",
    Severity.ERROR,
    "No answer came.",
    "Correct the URL; a private CA is named with SSL_CERT_FILE.",
)
UNENFORCED = Outcome(
    "probe_unenforced",
    Severity.WARNING,
    "This configuration blocks nothing; where the probe was refused, the server that runs has another one.",
    "Set policy.mode: enforce when the trial is over.",
)
OTHER_POLICY = Outcome(
    "probe_other_policy",
    Severity.WARNING,
    "The server decides by other Rego than that of policy.paths here: a rollout that hangs, or one that nobody began.",
    "Compare extproc_policy_reloads_total and the server's log; or use the policies that are meant to run.",
)
RESPONSE_UNINSPECTED = Outcome(
    "probe_response_uninspected",
    Severity.ERROR,
    "This configuration inspects responses, and one passed that nobody judged: the gateway or the server has another.",
    "Apply the rendered EnvoyFilter, and see that the server's pods have restarted since the change.",
)
RESPONSE_UNSEEN = Outcome(
    "probe_response_unseen",
    Severity.NOTE,
    "This configuration inspects responses, and the URL has none that shows whether they are.",
    "Name a URL that answers a GET without the probe's header with 200.",
)
OUTCOMES = (
    *(DENIED, ALLOWED, UNINSPECTED, UNMARKED, FAILED, UNREACHABLE, UNENFORCED),
    *(OTHER_POLICY, RESPONSE_UNINSPECTED, RESPONSE_UNSEEN),
)


async def ask(probe: Probe, settings: Settings) -> Finding:
    """Send the probe once, and say what its answer means."""
    return told(probe, await fetch(probe), settings)


def told(probe: Probe, answer: Answer | str, settings: Settings) -> Finding:
    """What the answer to a probe means."""
    if isinstance(answer, str):
        return finding(UNREACHABLE, probe, answer)
    outcome, saying = judge(answer, settings)
    return finding(outcome, probe, saying)


async def fetch(probe: Probe) -> Answer | str:
    """Send a request once: its answer, or why there is none."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    headers = [*probe.headers, *((("content-type", "application/json"),) if probe.body is not None else ())]
    method = "GET" if probe.body is None else "POST"
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
            session.request(method, probe.url, headers=headers, data=probe.body, allow_redirects=False) as response,
        ):
            names = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, names, await bounded(response.content, _MOST_BYTES))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return f"no answer: {type(error).__name__}"


def judge(answer: Answer, settings: Settings) -> tuple[Outcome, str]:
    """What an answer means.  A status alone means nothing: anything between can answer 403."""
    verdict = answer.headers.get(f"{settings.headers.prefix}verdict")
    if settings.policy.mode != "enforce" and verdict is not None and verdict != "error":
        return UNENFORCED, f"answered {answer.status}, with verdict {shown(verdict)}; mode is {settings.policy.mode}"
    outcome, saying = _denied(answer, settings) if verdict == "deny" else _not_denied(answer.status, verdict)
    return outcome, f"answered {answer.status}{saying}"


def _not_denied(status: int, verdict: str | None) -> tuple[Outcome, str]:
    """`none` stands on what the server let pass unjudged: the upstream's word, or with a refusal Envoy's own."""
    refused = status >= 400  # noqa: PLR2004 - 4xx and 5xx
    if verdict == "error":
        return FAILED, ", with verdict error"
    if verdict == "allow" or (verdict == "none" and not refused):
        return ALLOWED, f", with verdict {verdict}"
    if verdict is None and not refused:
        return UNINSPECTED, ", without a verdict"
    return UNMARKED, ", without a verdict of the server's"


def _denied(answer: Answer, settings: Settings) -> tuple[Outcome, str]:
    """Whether an answer has the other marks of a denial by this configuration."""
    receipt_id = answer.headers.get(f"{settings.headers.prefix}receipt-id", "")
    if not 400 <= answer.status <= 499:  # noqa: PLR2004 - the statuses of a denial
        return UNMARKED, ", which is no status of a denial"
    if not _is_receipt_id(receipt_id):
        return UNMARKED, ", without a receipt id"
    if settings.blocking.format == "json" and _problem(answer.body).get("receipt_id") != receipt_id:
        return UNMARKED, ", with another receipt in its body, or none"
    return DENIED, ", with a receipt"


def _is_receipt_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text and UUID(text).version == _UUID_VERSION
    except ValueError:
        return False


def _problem(body: bytes) -> Mapping[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def finding(outcome: Outcome, probe: Probe, saying: str) -> Finding:
    """An outcome at the URL that was asked."""
    return Finding(outcome.id, outcome.severity, probe.shown, saying, outcome.why, outcome.mend)
