"""`extproc serve` as its operator meets it: real processes, real sockets, real signals."""

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from pathlib import Path

import grpc.aio
import pytest
import yaml
from conformance.real import POLICY, settings_document
from server.bench import CLAIMS, Bench
from server.serving import GET, Server, Stream, exchange, health, said, serving, until

from extproc import __version__
from extproc.core.receipt import Outcome
from extproc.evidence.keys import create_signer, load_key_ring
from extproc.evidence.reading import statements
from extproc.evidence.verify import verify_logs

BROKEN = "package extproc.request\n\ndecision := {\n"
STRICT = 'package extproc.request\n\ndecision := {"allowed": false, "reasons": [{"code": "closed"}]}\n'
RELOADS = 'extproc_policy_reloads_total{outcome="%s"}'


def consecutive_ports(count: int) -> int:
    """The first of so many free ports in a row, below those that the kernel gives to whoever asks for any."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(lowest // 2, lowest - count)  # noqa: S311 - no secret
        with ExitStack() as free, suppress(OSError):
            for number in range(count):
                free.enter_context(socket.create_server(("127.0.0.1", port + number)))
            return port


def play(folder: Path, config: dict[str, object], script: Callable[[Server], Coroutine[object, object, None]]) -> None:
    async def run() -> None:
        async with serving(folder, config) as server:
            await script(server)

    asyncio.run(run())


def test_the_admin_port_tells_what_the_workers_do(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/x.sock"

    async def script(server: Server) -> None:
        assert said(await exchange(address)) == "allow"
        status, metrics = await server.get("/metrics")
        decided = 'extproc_decisions_total{code="",enforcement="enforced",phase="request",verdict="allow"} 1.0'
        assert (status, decided in metrics.splitlines()) == (200, True)
        assert await until(lambda: server.metric('extproc_engine_evaluations_total{outcome="result"}')) == 1
        assert await server.metric("extproc_engine_heap_bytes") > 0
        assert await server.get("/livez") == (200, "ok\n")
        assert await server.workers() == [{"index": 0, "address": address, "ready": True, "problem": ""}]
        assert json.loads((await server.get("/version"))[1]) == {"name": "extproc", "version": __version__}
        assert await health(address) == "SERVING"
        pinned = tmp_path / "pinned.jwks"
        pinned.write_text((await server.get("/jwks.json"))[1])
        verified = verify_logs([tmp_path / "evidence" / "wal"], load_key_ring(pinned))
        assert verified.verdicts == {Outcome.ALLOW: 1}

    play(tmp_path, {}, script)


def test_a_policy_is_changed_without_a_restart_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    address, policies = f"unix://{tmp_path}/x.sock", tmp_path / "policies"
    shutil.copytree(POLICY, policies)
    rego = policies / "extproc" / "request" / "request.rego"

    async def script(server: Server) -> None:
        rego.write_text(BROKEN)
        assert await until(lambda: server.metric(RELOADS % "failed")) == 1
        assert (said(await exchange(address)), await server.ready()) == ("allow", True)
        rego.write_text(STRICT)
        assert await until(lambda: server.metric(RELOADS % "loaded")) == 1
        assert said(await exchange(address)) == "closed"

    play(tmp_path, {"policy": {"paths": ["policies"]}}, script)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_each_worker_has_an_address_of_its_own_and_comes_back_when_it_dies(tmp_path: Path, kind: str) -> None:
    port = consecutive_ports(2)
    tcp = [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]
    addresses = tcp if kind == "tcp" else [f"unix://{tmp_path}/x.sock.{n}" for n in range(2)]
    listen = tcp[0] if kind == "tcp" else f"unix://{tmp_path}/x.sock"

    async def script(server: Server) -> None:
        assert [worker["address"] for worker in await server.workers()] == addresses
        assert [said(await exchange(address)) for address in addresses] == ["allow", "allow"]
        before = server.children()
        (tmp_path / "evidence" / "signing.pem").unlink()
        create_signer(tmp_path / "evidence" / "signing.pem")  # for the next start of the whole server
        os.kill(before["worker"][0], signal.SIGKILL)
        await until(lambda: _not(server.ready()))
        await until(server.ready)
        after = server.children()
        assert (len(after["worker"]), after["shipper"]) == (2, before["shipper"])
        assert [said(await exchange(address)) for address in addresses] == ["allow", "allow"]
        pinned = tmp_path / "pinned.jwks"
        pinned.write_text((await server.get("/jwks.json"))[1])
        verified = verify_logs([tmp_path / "evidence" / "wal"], load_key_ring(pinned))
        assert (verified.receipts, len(verified.origins)) == (4, 3)
        decided = 'extproc_decisions_total{code="",enforcement="enforced",phase="request",verdict="allow"}'
        assert await server.metric(decided) == 4

    play(tmp_path, {"listen": listen, "workers": 2}, script)


def test_a_log_that_somebody_removes_is_missed_and_goes_on(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/x.sock"

    async def script(server: Server) -> None:
        assert said(await exchange(address)) == "allow"
        (segment,) = (tmp_path / "evidence" / "wal").iterdir()
        segment.unlink()
        assert await until(lambda: server.metric("extproc_receipts_lost_segments_total")) == 1
        assert (said(await exchange(address)), await server.ready()) == ("allow", True)
        (following,) = (tmp_path / "evidence" / "wal").iterdir()
        (record,) = (record for record in server.log() if "harmed" in str(record["message"]))
        assert (record["level"], record["segment"], record["receipts"]) == ("error", segment.name, "0 to 0")
        assert [statement.seq for statement in statements(following)] == [1]

    play(tmp_path, {}, script)


def test_a_shipper_that_dies_is_started_again_and_nobody_is_refused(tmp_path: Path) -> None:
    async def script(server: Server) -> None:
        (old,) = server.children()["shipper"]
        os.kill(old, signal.SIGKILL)

        async def another() -> bool:
            return bool(set(server.children()["shipper"]) - {old})

        await until(another)
        assert (said(await exchange(f"unix://{tmp_path}/x.sock")), await server.ready()) == ("allow", True)

    play(tmp_path, {}, script)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_drain_finishes_what_is_open_and_takes_nothing_new(tmp_path: Path, number: int) -> None:
    address = f"unix://{tmp_path}/x.sock"

    async def script(server: Server) -> None:
        async with grpc.aio.insecure_channel(address) as channel:
            stream = Stream(channel)
            await stream.ask(request_headers={"headers": {"headers": GET}})
            server.process.send_signal(number)
            await until(lambda: _is(health(address), "NOT_SERVING"))
            await until(lambda: _refused(address))
            answer = await stream.ask(request_body={"body": b"x", "end_of_stream": True})
            await stream.end()
        assert (said(answer), await server.process.wait()) == ("allow", 0)

    play(tmp_path, {}, script)
    verdicts = [line for line in (tmp_path / "evidence" / "wal").glob("*.ndjson") if line.stat().st_size]
    assert len(verdicts) == 1


def test_a_start_that_fails_does_not_wait_for_a_collector(tmp_path: Path, bench: Bench) -> None:
    bench.ledger("earlier").record(CLAIMS)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # held, but nobody listens
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        config = {"telemetry": {"otlp": {"endpoint": nobody}}, "policy": {"engine": "opa", "opa": {"url": nobody}}}
        config["evidence"] = {"directory": str(bench.directory)}
        (tmp_path / "extproc.yaml").write_text(yaml.safe_dump(settings_document(tmp_path, config)))
        command = [sys.executable, "-m", "extproc", "serve", "--config", str(tmp_path / "extproc.yaml")]
        ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr.splitlines()[-1].partition("(")[0]) == (
        2,
        f"extproc: policy.opa.url: no OPA answers at {nobody}/ ",
    )
    assert "the shipper ends" not in ended.stderr  # after its grace of 10 s


def test_without_its_supervisor_every_child_ends(tmp_path: Path) -> None:
    async def script(server: Server) -> None:
        children = [pid for pids in server.children().values() for pid in pids]
        counted = metrics_folder(children[0])
        server.process.kill()

        async def gone() -> bool:
            return not any(map(_alive, children))

        await until(gone)
        shutil.rmtree(counted)  # what nobody is left to do

    play(tmp_path, {}, script)


def metrics_folder(pid: int) -> str:
    """Where a child counts, as its supervisor told it."""
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(os.fsdecode(one) for one in environment if one.startswith(b"PROMETHEUS_MULTIPROC_DIR=")).partition("=")[
        2
    ]


def _alive(pid: int) -> bool:
    """Not a zombie that nobody has collected yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def _not(answer: Coroutine[object, object, bool]) -> bool:
    return not await answer


async def _is(answer: Coroutine[object, object, str], wanted: str) -> bool:
    return await answer == wanted


async def _refused(address: str) -> bool:
    """Whether a new exchange is."""
    try:
        await exchange(address)
    except grpc.aio.AioRpcError:
        return True
    return False
