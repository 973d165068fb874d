"""The probe against a real gateway with the shipped policies."""

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
from extproc.istio.bootstrap import bootstrap
from extproc.istio.doctor.confirm import confirm
from extproc.istio.doctor.finding import Finding
from extproc.istio.doctor.probe import Probe, ask, probe_of
from extproc.istio.gateway import TcpAddress, address_of
from extproc.istio.mapping import gateway_of
from extproc.istio.protojson import to_json

POLICIES = Path(__file__).parents[3] / "policies"
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
