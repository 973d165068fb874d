"""The probe: against a real gateway with the shipped policies, and what every kind of answer means."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from conformance.real import Log, settings_document
from conformance.wire import upstream
from istio.doctor.envoys import Document, envoy_admin, get, http_filter, manager

from extproc.config import Settings, load_settings
from extproc.demo.server import running_server
from extproc.errors import ConfigurationError
from extproc.istio.bootstrap import bootstrap
from extproc.istio.doctor.confirm import confirm, response_half
from extproc.istio.doctor.finding import Finding, Severity
from extproc.istio.doctor.probe import HEADER, OUTCOMES, RESPONSE_UNSEEN, Answer, Probe, ask, judge, probe_of
from extproc.istio.gateway import TcpAddress, address_of
from extproc.istio.mapping import gateway_of
from extproc.istio.protojson import to_json

POLICIES = Path(__file__).parents[3] / "policies"
RECEIPT_ID = "0199c2f0-0000-7000-8000-000000000000"
# Patient, for a busy machine is no failure of the server's.
PATIENT = {"paths": [str(POLICIES)], "deadline_ms": 20_000}
ENFORCE = {"policy": PATIENT, "envoy": {"message_timeout_ms": 25_000}}
SHADOW = ENFORCE | {"policy": PATIENT | {"mode": "shadow"}}
INJECTION = "{\"name\": \"' OR '1'='1\"}"


@asynccontextmanager
async def gateway(
    folder: Path,
    config: Document,
    mutate: Callable[[Document], None],
    of: Callable[[Settings], Settings] = lambda settings: settings,
) -> AsyncIterator[tuple[str, Settings]]:
    """The URL of a real Envoy that asks a real server, and the server's settings; the Envoy's are made `of` them."""
    async with upstream() as recorder, running_server(settings_document(folder, config), folder) as server:
        settings = load_settings(server.config)
        anywhere = TcpAddress("127.0.0.1", 0)
        rendered = gateway_of(of(settings), anywhere, address_of(recorder.address), anywhere, None)
        document = json.loads(to_json(bootstrap(rendered)))
        mutate(document["static_resources"]["listeners"][0])
        async with envoy_admin(document, folder) as admin:
            while await get(admin, "/ready", any_status=True) != b"LIVE\n":  # noqa: ASYNC110 - Envoy sets no event
                await asyncio.sleep(0.05)
            (status,) = json.loads(await get(admin, "/listeners?format=json"))["listener_statuses"]
            port = status["local_address"]["socket_address"]["port_value"]
            yield f"http://127.0.0.1:{port}", settings


def probed(
    folder: Path, probe: Callable[[str], Probe], config: Document, mutate: Callable[[Document], None]
) -> Finding:
    async def run() -> Finding:
        async with gateway(folder, config, mutate) as (url, settings):
            return await ask(probe(url), settings)

    return asyncio.run(run())


def as_rendered(_listener: Document) -> None: ...


def without_us(listener: Document) -> None:
    filters = manager(listener)["http_filters"]
    filters[:] = [each for each in filters if not each["name"].startswith("extproc.")]


def without_ext_proc(listener: Document) -> None:
    manager(listener)["http_filters"].remove(http_filter(listener, "extproc.policy"))


def by_header(url: str) -> Probe:
    return Probe(f"{url}/orders")


def by_body(url: str) -> Probe:
    return probe_of(f"{url}/orders", [], INJECTION)


def harmless(url: str) -> Probe:
    return Probe(f"{url}/orders", headers=())


@pytest.mark.parametrize(
    ("outcome", "probe", "config", "mutate"),
    [
        ("probe_denied", by_header, ENFORCE, as_rendered),
        ("probe_denied", by_body, ENFORCE | {"blocking": {"status": 451, "format": "text"}}, as_rendered),
        ("probe_allowed", harmless, ENFORCE, as_rendered),
        ("probe_uninspected", by_header, ENFORCE, without_us),
        ("probe_unmarked", by_header, ENFORCE, without_ext_proc),
        ("probe_unenforced", by_header, SHADOW, as_rendered),
        ("probe_uninspected", by_header, SHADOW, without_us),
    ],
    ids=["by header", "by body", "harmless", "no filters", "only the guard", "shadow", "shadow without filters"],
)
def test_a_real_gateway_is_told_by_its_answer(
    tmp_path: Path,
    outcome: str,
    probe: Callable[[str], Probe],
    config: Document,
    mutate: Callable[[Document], None],
) -> None:
    finding = probed(tmp_path, probe, config, mutate)

    assert finding.id == outcome
    assert finding.place.startswith("http://127.0.0.1:")
    assert finding.place.endswith("/orders")


def confirmed(folder: Path, config: Document, change: Callable[[Settings], Settings]) -> list[str]:
    """What is found at a real gateway and server of `config` by somebody whose file differs by `change`."""

    async def run() -> list[str]:
        async with gateway(folder, config, as_rendered) as (url, settings):
            return [each.id for each in await confirm(by_header(url), change(settings))]

    return asyncio.run(run())


def same(settings: Settings) -> Settings:
    return settings


def with_responses(settings: Settings) -> Settings:
    return answering(settings, "extproc/response/decision")


def without_responses(settings: Settings) -> Settings:
    return answering(settings, None)


def answering(settings: Settings, response: str | None) -> Settings:
    points = settings.policy.points.model_copy(update={"response": response})
    return settings.model_copy(update={"policy": settings.policy.model_copy(update={"points": points})})


def with_policies(folder: Path) -> Callable[[Settings], Settings]:
    def change(settings: Settings) -> Settings:
        return settings.model_copy(update={"policy": settings.policy.model_copy(update={"paths": [folder]})})

    return change


REQUEST_ONLY = ENFORCE | {"policy": PATIENT | {"points": {"response": None}}}


@pytest.mark.parametrize(
    ("ids", "config", "change"),
    [
        (["probe_denied"], ENFORCE, same),
        (["probe_unenforced"], SHADOW, same),
        (["probe_denied", "probe_response_uninspected"], REQUEST_ONLY, with_responses),
        (["probe_denied"], ENFORCE, with_policies(POLICIES / "not-here")),
        (["probe_denied", "probe_other_policy"], ENFORCE, with_policies(POLICIES / "extproc" / "request")),
    ],
    ids=["the same", "shadow", "a server that inspects no responses", "policies elsewhere", "other policies"],
)
def test_a_server_that_runs_another_configuration_than_the_file_is_named(
    tmp_path: Path, ids: list[str], config: Document, change: Callable[[Settings], Settings]
) -> None:
    assert confirmed(tmp_path, config, change) == ids


@pytest.mark.parametrize(
    ("config", "of", "ids", "verdicts"),
    [
        (REQUEST_ONLY, with_responses, ["probe_denied", "probe_response_uninspected"], ["deny", "allow"]),
        (ENFORCE, without_responses, ["probe_denied", "probe_response_uninspected"], ["deny", "allow", "error"]),
        (ENFORCE, same, ["probe_denied"], ["deny", "allow", "allow"]),
    ],
    ids=["the gateway first", "the server first", "both"],
)
def test_responses_are_inspected_once_gateway_and_server_both_do(
    tmp_path: Path,
    config: Document,
    of: Callable[[Settings], Settings],
    ids: list[str],
    verdicts: list[str],
) -> None:
    """Which of them is changed first is in docs/how-to/upgrade-and-remove-on-istio.md."""

    async def run() -> list[str]:
        async with gateway(tmp_path, config, as_rendered, of) as (url, settings):
            return [each.id for each in await confirm(by_header(url), with_responses(settings))]

    assert asyncio.run(run()) == ids
    assert [receipt["decision"]["verdict"] for receipt in Log(tmp_path / "evidence").news()] == verdicts


HTML, STREAM = {"content-type": "text/html"}, {"content-type": "text/event-stream; charset=utf-8"}


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        (None, Answer(200, HTML | {"x-extproc-verdict": "allow"}, b"")),
        ("probe_response_uninspected", Answer(200, HTML | {"x-extproc-verdict": "none"}, b"")),
        ("probe_response_uninspected", Answer(200, HTML, b"")),
        ("probe_response_unseen", Answer(200, STREAM | {"x-extproc-verdict": "none"}, b"")),
        ("probe_response_unseen", Answer(404, HTML | {"x-extproc-verdict": "none"}, b"")),
        ("probe_response_unseen", Answer(403, HTML | {"x-extproc-verdict": "deny"}, b"")),
        ("probe_failure", Answer(503, HTML | {"x-extproc-verdict": "error"}, b"")),
        ("probe_unreachable", "no answer: TimeoutError"),
    ],
)
def test_a_harmless_answer_says_whether_responses_are_judged(
    outcome: str | None, answer: Answer | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')

    found, _ = response_half(answer, load_settings(None))
    assert (found.id if found else None) == outcome


def test_where_policy_may_leave_a_body_out_none_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')
    monkeypatch.setenv("EXTPROC_POLICY__POINTS__HEADERS", "extproc/headers/decision")

    found, _ = response_half(Answer(200, {"x-extproc-verdict": "none"}, b""), load_settings(None))
    assert found == RESPONSE_UNSEEN


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        ("probe_unenforced", Answer(200, {"x-extproc-verdict": "deny"}, b"")),
        ("probe_unenforced", Answer(404, {"x-extproc-verdict": "none"}, b"")),
        ("probe_failure", Answer(200, {"x-extproc-verdict": "error"}, b"")),
        ("probe_uninspected", Answer(200, {}, b"")),
        ("probe_unmarked", Answer(403, {}, b"")),
    ],
)
@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_where_nothing_is_enforced_the_verdict_shows_that_the_server_was_asked(
    outcome: str, answer: Answer, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')
    monkeypatch.setenv("EXTPROC_POLICY__MODE", mode)

    assert judge(answer, load_settings(None))[0].id == outcome


def denial(**changes: object) -> Answer:
    """The server's denial as a client sees it, with these differences; None takes a header away."""
    headers = {"x-extproc-verdict": "deny", "x-extproc-receipt-id": RECEIPT_ID}
    body = {"status": 403, "code": "gateway_probe", "receipt_id": RECEIPT_ID}
    status = changes.pop("status", 403)
    content = changes.pop("body", json.dumps(body).encode())
    merged = headers | {f"x-extproc-{name.replace('_', '-')}": value for name, value in changes.items()}
    return Answer(status, {name: value for name, value in merged.items() if value is not None}, content)


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        ("probe_denied", denial()),
        ("probe_unmarked", denial(receipt_id=None)),
        ("probe_unmarked", denial(receipt_id="1")),
        ("probe_unmarked", denial(receipt_id=RECEIPT_ID.upper())),
        ("probe_unmarked", denial(receipt_id="0199c2f0-0000-4000-8000-000000000000")),
        ("probe_unmarked", denial(receipt_id=RECEIPT_ID[:-1] + "1")),
        ("probe_unmarked", denial(body=b"Access Forbidden")),
        ("probe_unmarked", denial(body=b"[]")),
        ("probe_unmarked", denial(body=b"[" * 60_000)),
        ("probe_unmarked", denial(status=200)),
        ("probe_unmarked", denial(status=503)),
        ("probe_unmarked", denial(verdict="DENY")),
        ("probe_unmarked", denial(verdict=None)),
        ("probe_uninspected", denial(verdict=None, status=200)),
        ("probe_uninspected", denial(verdict=None, status=302)),
        ("probe_allowed", denial(verdict="allow", status=200)),
        ("probe_allowed", denial(verdict="allow", status=404)),
        ("probe_allowed", denial(verdict="none", status=200)),
        ("probe_unmarked", denial(verdict="none")),  # the request guard's, as the server let it pass
        ("probe_failure", denial(verdict="error", status=503)),
    ],
)
def test_a_status_alone_proves_nothing(outcome: str, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')

    assert judge(answer, load_settings(None))[0].id == outcome


def test_the_marks_bear_the_configured_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')
    monkeypatch.setenv("EXTPROC_HEADERS__PREFIX", "x-gate-")

    assert judge(denial(), load_settings(None))[0].id == "probe_unmarked"


def test_nobody_there_is_an_error(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')
    finding = asyncio.run(ask(Probe(f"http://127.0.0.1:{unused_port}/"), load_settings(None)))

    assert (finding.id, finding.severity) == ("probe_unreachable", Severity.ERROR)


@pytest.mark.parametrize("url", ["http://", "http://x:99999999/", "http://\n/"])
def test_a_url_that_is_none_is_an_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')

    assert asyncio.run(ask(Probe(url), load_settings(None))).id == "probe_unreachable"


def test_user_password_and_query_are_not_shown() -> None:
    assert Probe("https://user:secret@shop.test:8443/orders?token=secret#f").shown == "https://shop.test:8443/orders"


@pytest.mark.parametrize(
    ("headers", "body", "sent"),
    [
        ([], None, (HEADER,)),
        (["Host: shop.test"], None, (("host", "shop.test"), HEADER)),
        (["X-Attack: a:b"], None, (("x-attack", "a:b"),)),
        ([], "{}", ()),
        (["host:shop.test"], "{}", (("host", "shop.test"),)),
    ],
)
def test_the_default_header_is_sent_where_nothing_else_could_be_denied(
    headers: list[str], body: str | None, sent: tuple[tuple[str, str], ...]
) -> None:
    assert probe_of("https://shop.test/", headers, body).headers == sent


@pytest.mark.parametrize(
    ("url", "headers"),
    [("shop.test", []), ("file:///etc/passwd", []), ("http://[", []), ("https:///x", []), ("http://x", ["nothing"])],
)
def test_a_probe_that_is_none_is_refused(url: str, headers: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="--probe"):
        probe_of(url, headers, None)


def test_no_two_outcomes_have_one_id() -> None:
    assert len({outcome.id for outcome in OUTCOMES}) == len(OUTCOMES)
