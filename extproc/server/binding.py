"""What grpc does not tell of an address: why it cannot be bound, and whether somebody serves it already."""

import os
import socket


def reason(address: str) -> str:
    """Bind `HOST:PORT` or `unix:///path` once more, let go of it, and tell what was wrong; empty where nothing is."""
    try:
        if address.startswith("unix:"):
            _bind(socket.AF_UNIX, address.removeprefix("unix://"))
        else:
            host, _, port = address.rpartition(":")
            family, _, _, _, where = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
            _bind(family, where)
    except socket.gaierror:
        return "no such host"
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    return ""


def served(address: str) -> bool:
    """Whether somebody answers on a unix socket: grpc would take its path away and leave that process deaf."""
    if not address.startswith("unix:"):
        return False
    with socket.socket(socket.AF_UNIX) as attempt:
        try:
            attempt.connect(address.removeprefix("unix://"))
        except OSError:
            return False
    return True


def _bind(family: int, where: str | tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]) -> None:
    with socket.socket(family) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        attempt.bind(where)
