"""Who may ask over mutual TLS: the driver on a real port, clients with certificates of every kind."""

import asyncio
import socket
import ssl
import warnings
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Self

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from server.authority import ENDED, GATEWAY, NOW, SERVER, Authority, Files, Identity

from extproc.config.settings import Tls as TlsSettings
from extproc.errors import ListenError
from extproc.server.certificates import Certificates, read_certificates
from extproc.server.driver import SERVICE, Driver, Stream
from extproc.server.health import Health
from extproc.server.tls import Names, Tls

CA, OTHER_CA = Authority(), Authority()
DENIED, UNAVAILABLE, OK = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK
DNS = "gateway.example"


class Port:
    """A driver that echoes; `read` is how many messages its handler was given."""

    def __init__(self, folder: Path, allowed: Sequence[str] = (GATEWAY, DNS)) -> None:
        self.read = 0
        self.refused: list[Names] = []
        self._folder = folder
        first = self.certificates(CA.certify(SERVER), CA.root)
        self.tls = Tls(certificates=first, allowed=allowed, on_refused=self.refused.append)
        self.driver = Driver(handler=self._echo, receive_limit_bytes=1 << 16, streams=8, tls=self.tls)
        self.address = ""

    def certificates(self, identity: Identity, root: bytes) -> Certificates:
        files = Files(self._folder / "tls").write(identity, root)
        return read_certificates(TlsSettings.model_validate(files.settings), NOW)

    async def __aenter__(self) -> Self:
        await Health(self.driver.server).set(serving=True)
        self.address = await self.driver.listen("127.0.0.1:0")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.driver.stop(0)

    async def _echo(self, stream: Stream) -> bool:
        while (message := await stream.read()) is not None:
            self.read += 1
            await stream.write(message)
        return False

    def channel(self, client: Identity | None, root: bytes = CA.root) -> grpc.aio.Channel:
        pair = {} if client is None else {"private_key": client.key, "certificate_chain": client.certificate}
        credentials = grpc.ssl_channel_credentials(root_certificates=root, **pair)
        options = [("grpc.ssl_target_name_override", SERVER), ("grpc.use_local_subchannel_pool", 1)]
        return grpc.aio.secure_channel(self.address, credentials, options)

    async def ask(self, client: Identity | None, root: bytes = CA.root) -> grpc.StatusCode:
        async with self.channel(client, root) as channel:
            return await ended(channel)


async def ended(channel: grpc.aio.Channel) -> grpc.StatusCode:
    call = channel.stream_stream(f"/{SERVICE}/Process")()
    try:
        await call.write(b"a")
        await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        pass
    return await call.code()


def run(play: Coroutine[object, object, object]) -> object:
    return asyncio.run(play)


@pytest.mark.parametrize("names", [[GATEWAY], [DNS], ["other.example", GATEWAY], ["https://x.example/", DNS]])
def test_a_peer_with_one_of_the_names_may_ask(tmp_path: Path, names: list[str]) -> None:
    async def play() -> object:
        async with Port(tmp_path) as port:
            return await port.ask(CA.certify(*names)), port.read, port.refused

    assert run(play()) == (OK, 1, [])


@pytest.mark.parametrize(
    "names",
    [
        ["spiffe://cluster.local/ns/default/sa/other"],
        [f"{GATEWAY}/"],
        [GATEWAY.upper().replace("SPIFFE", "spiffe")],
        [f"spiffe://evil/{GATEWAY}"],
        ["x.gateway.example"],
        ["*.example"],
        ["https://other.example/", "other.example"],
        [],
    ],
)
def test_a_peer_without_one_is_refused_before_it_is_read_and_its_names_are_told(
    tmp_path: Path, names: list[str]
) -> None:
    async def play() -> object:
        async with Port(tmp_path) as port:
            return await port.ask(CA.certify(*names)), port.read, port.refused

    assert run(play()) == (DENIED, 0, [tuple(names)])


def test_a_dns_name_that_is_spelt_like_a_uri_is_none(tmp_path: Path) -> None:
    """A CA may guard URIs and let its clients choose DNS names; grpc's own list of all names mixes them."""

    async def play() -> object:
        async with Port(tmp_path) as port:
            return await port.ask(CA.certify("https://other.example/", dns=[GATEWAY])), port.read

    assert run(play()) == (DENIED, 0)


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(OTHER_CA.certify(GATEWAY), id="of another CA"),
        pytest.param(CA.certify(GATEWAY, until=ENDED), id="out of its time"),
        pytest.param(None, id="none"),
    ],
)
def test_a_peer_without_a_good_certificate_is_not_talked_to(tmp_path: Path, client: Identity | None) -> None:
    async def play() -> object:
        async with Port(tmp_path) as port:
            return await port.ask(client), port.read, port.refused

    assert run(play()) == (UNAVAILABLE, 0, [])


def test_plaintext_is_not_talked_to(tmp_path: Path) -> None:
    async def play() -> object:
        async with Port(tmp_path) as port, grpc.aio.insecure_channel(port.address) as channel:
            return await ended(channel), port.read

    assert run(play()) == (UNAVAILABLE, 0)


def test_health_is_told_to_whom_the_ca_certifies_and_to_nobody_else(tmp_path: Path) -> None:
    async def healthy(port: Port, client: Identity) -> object:
        async with port.channel(client) as channel:
            try:
                return (await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())).status
            except grpc.aio.AioRpcError as error:
                return error.code()

    async def play() -> object:
        async with Port(tmp_path) as port:
            clients = CA.certify("other.example"), OTHER_CA.certify(GATEWAY)
            return [await healthy(port, client) for client in clients], port.refused

    assert run(play()) == ([health_pb2.HealthCheckResponse.SERVING, UNAVAILABLE], [])


@pytest.mark.parametrize(
    ("version", "spoken"), [("TLSv1", None), ("TLSv1_1", None), ("TLSv1_2", "TLSv1.2"), ("TLSv1_3", "TLSv1.3")]
)
def test_tls_is_at_least_1_2(tmp_path: Path, version: str, spoken: str | None) -> None:
    async def play() -> object:
        async with Port(tmp_path) as port:
            files = Files(tmp_path / "client").write(CA.certify(GATEWAY), CA.root)
            return await asyncio.to_thread(shake_hands, port.address, files.folder, ssl.TLSVersion[version])

    assert run(play()) == spoken


def shake_hands(address: str, files: Path, version: ssl.TLSVersion) -> str | None:
    """The version that was agreed on, None where there was no agreement."""
    context = ssl.create_default_context(cafile=str(files / "ca.crt"))
    context.load_cert_chain(files / "tls.crt", files / "tls.key")
    context.set_ciphers("ALL:@SECLEVEL=0")  # this end would talk like the last century
    context.set_alpn_protocols(["h2"])
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = context.maximum_version = version
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=SERVER) as secured:
                return secured.version()
        except ssl.SSLError:
            return None


def test_new_certificates_count_from_the_next_handshake_and_an_open_connection_goes_on(tmp_path: Path) -> None:
    async def play() -> object:
        async with Port(tmp_path) as port, port.channel(CA.certify(GATEWAY)) as before:
            first = await ended(before)
            port.tls.replace(port.certificates(OTHER_CA.certify(SERVER), OTHER_CA.root))
            new = await port.ask(OTHER_CA.certify(GATEWAY), OTHER_CA.root)
            old = await port.ask(CA.certify(GATEWAY), CA.root)
            return first, new, old, await port.ask(CA.certify(GATEWAY), OTHER_CA.root), await ended(before)

    assert run(play()) == (OK, OK, UNAVAILABLE, UNAVAILABLE, OK)


def test_a_port_in_use_is_an_error_with_its_reason(tmp_path: Path) -> None:
    async def play() -> str:
        async with Port(tmp_path) as port:
            second = Driver(handler=port._echo, receive_limit_bytes=1, streams=1, tls=port.tls)  # noqa: SLF001 - ours
            with pytest.raises(ListenError) as raised:
                await second.listen(port.address)
            return str(raised.value).replace(port.address, "it")

    assert run(play()) == "listen: it cannot be bound (Address already in use): name a free address of this machine"
