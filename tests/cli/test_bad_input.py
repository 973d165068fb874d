"""Whatever keeps the server from serving is one sentence on standard error, with what to do, and exit status 2."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conformance.real import POLICY

LISTEN = "listen: 127.0.0.1:0\n"
ADMIN = "admin: {listen: 127.0.0.1:0}\n"
RULES = f"policy: {{paths: ['{POLICY}']}}\n"


@dataclass(frozen=True)
class Bad:
    """A configuration that cannot work, or variables alone; FOLDER and PORT (which is taken) are filled in."""

    name: str
    config: str | None
    sentence: str
    variables: tuple[tuple[str, str], ...] = ()
    ending: str = ""


def _policy(paths: str) -> str:
    return f"{LISTEN}{ADMIN}policy: {{paths: [{paths}]}}\n"


TABLE = (
    Bad(
        "an unknown key",
        f"{LISTEN}{ADMIN}polcy: {{}}\n",
        "FOLDER/extproc.yaml:3: polcy: unknown key; did you mean policy?",
    ),
    Bad(
        "no policy", LISTEN, "FOLDER/extproc.yaml: policy.paths is empty: name the files or folders that hold your Rego"
    ),
    Bad(
        "no policy and no file",
        None,
        "environment: policy.paths is empty: name the files or folders that hold your Rego policies",
    ),
    Bad(
        "an unknown variable",
        None,
        "environment: EXTPROC_POLCY__PATHS: unknown key; did you mean policy?",
        (("EXTPROC_POLCY__PATHS", "[]"),),
    ),
    Bad(
        "a variable that is no JSON",
        None,
        "environment: EXTPROC_POLICY__PATHS: must be JSON, for it is a list or a mapping, such as",
        (("EXTPROC_POLICY__PATHS", "policies"),),
    ),
    Bad("a policy path that is not there", _policy("absent"), "FOLDER/absent does not exist: correct policy.paths"),
    Bad("a folder without a policy", _policy("empty"), "the policy paths hold no .rego file: name a file, folder or"),
    Bad(
        "a policy that does not parse",
        _policy("syntax.rego"),
        "FOLDER/syntax.rego:4:",
        ending=": mend it; `opa check FOLDER/syntax.rego` says more",
    ),
    Bad(
        "a policy of another package",
        _policy("other.rego"),
        "entrypoint: no policy defines the entrypoint extproc/requ",
    ),
    Bad(
        "a signing key that is not there",
        f"{LISTEN}{ADMIN}{RULES}evidence: {{key: absent.pem}}\n",
        "FOLDER/absent.pem cannot be read (No such file or directory): name a readable key file",
    ),
    Bad(
        "a signing key that is none",
        f"{LISTEN}{ADMIN}{RULES}evidence: {{key: syntax.rego}}\n",
        "FOLDER/syntax.rego is not an unencrypted Ed25519 key in PKCS #8 PEM: make one with `extproc keys new`",
    ),
    Bad(
        "a key for digests that is not there",
        f"{LISTEN}{ADMIN}{RULES}evidence: {{hmac_key: absent.key}}\n",
        "FOLDER/absent.key cannot be read (No such file or directory): name a readable key file",
    ),
    Bad(
        "an evidence directory that is a file",
        f"{LISTEN}{ADMIN}{RULES}evidence: {{directory: syntax.rego}}\n",
        "FOLDER/syntax.rego cannot be a folder (File exists): name a writable one as evidence.directory",
    ),
    Bad(
        "an evidence directory that cannot be made",
        f"{LISTEN}{ADMIN}{RULES}evidence: {{directory: /proc/absent}}\n",
        "/proc/absent cannot be a folder (No such file or directory): name a writable one as evidence.directory",
    ),
    Bad(
        "a log that cannot be made",
        f"{LISTEN}{ADMIN}{RULES}evidence: {{directory: occupied}}\n",
        "FOLDER/occupied/wal cannot hold a new log (File exists): make evidence.directory writable",
    ),
    Bad(
        "a port in use",
        f"listen: 127.0.0.1:PORT\n{ADMIN}{RULES}",
        "listen: 127.0.0.1:PORT cannot be bound (Address already in use): name a free address of this machine",
    ),
    Bad(
        "an admin port in use",
        f"{LISTEN}admin: {{listen: 127.0.0.1:PORT}}\n{RULES}",
        "admin.listen: 127.0.0.1:PORT cannot be bound (Address already in use): name a free address of this machine",
    ),
    Bad(
        "an address of another machine",
        f"listen: 203.0.113.7:0\n{ADMIN}{RULES}",
        "listen: 203.0.113.7:0 cannot be bound (Cannot assign requested address): name a free address of this machine",
    ),
    Bad(
        "a socket in a folder that is not there",
        f"listen: unix:///absent/x.sock\n{ADMIN}{RULES}",
        "listen: unix:///absent/x.sock cannot be bound (No such file or directory): name a free address of this",
    ),
    Bad(
        "an OPA server that is not there",
        f"{LISTEN}{ADMIN}policy: {{engine: opa, opa: {{url: 'http://127.0.0.1:CLOSED'}}}}\n",
        "policy.opa.url: no OPA answers at http://127.0.0.1:CLOSED/ (the OPA server cannot be reached): start it with",
    ),
    Bad(
        "a collector's address that is none",
        f"{LISTEN}{ADMIN}{RULES}telemetry: {{otlp: {{endpoint: 'ftp://x'}}}}\n",
        "FOLDER/extproc.yaml:4: telemetry.otlp.endpoint: must be 'http' or 'https'",
    ),
    Bad(
        "a collector's address without a scheme",
        f"{LISTEN}{ADMIN}{RULES}telemetry: {{otlp: {{endpoint: 'localhost:4317'}}}}\n",
        "FOLDER/extproc.yaml:4: telemetry.otlp.endpoint: must be a URL: write http://localhost:4317",
    ),
)


@pytest.fixture
def places(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the rows' words stand for."""
    (tmp_path / "syntax.rego").write_text("package extproc.request\n\ndecision := {\n")
    (tmp_path / "other.rego").write_text("package other\n\ndecision := true\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "occupied").mkdir()
    (tmp_path / "occupied" / "wal").touch()
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # held, but nobody listens
        yield {
            "FOLDER": str(tmp_path),
            "PORT": str(taken.getsockname()[1]),
            "CLOSED": str(closed.getsockname()[1]),
        }


@pytest.mark.parametrize("bad", TABLE, ids=lambda bad: bad.name)
def test_what_cannot_work_is_one_sentence(bad: Bad, places: dict[str, str], tmp_path: Path) -> None:
    def filled(text: str) -> str:
        return re.sub("|".join(places), lambda match: places[match[0]], text)

    command = [sys.executable, "-m", "extproc", "serve"]
    if bad.config is not None:
        (tmp_path / "extproc.yaml").write_text(filled(bad.config))
        command += ["--config", str(tmp_path / "extproc.yaml")]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("EXTPROC_", "OTEL_"))}
    ended = subprocess.run(
        command,
        env=variables | dict(bad.variables),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert (ended.returncode, ended.stdout, len(said)) == (2, "", 1), ended.stderr
    assert said[0].startswith(f"extproc: {filled(bad.sentence)}")
    assert said[0].endswith(filled(bad.ending))
    assert '"serving"' not in ended.stderr
