import pytest

from extproc.errors import ConfigurationError
from extproc.istio.gateway import Address, TcpAddress, UnixAddress, address_of


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", TcpAddress("127.0.0.1", 80)),
        ("upstream:0", TcpAddress("upstream", 0)),
        ("[::1]:65535", TcpAddress("::1", 65_535)),
        ("unix:///run/extproc.sock", UnixAddress("/run/extproc.sock")),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", ["", "80", ":80", "host:", "host:65536", "host:8o", "host:²", "unix://relative.sock"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address"):
        address_of(text)
