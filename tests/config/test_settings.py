"""Every key: what it may hold, what it may not, and what is said then."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from extproc.config import Settings
from extproc.config.settings import BundleKey, Tls


@dataclass(frozen=True)
class Key:
    """One key; `bad` maps a value to the end of the sentence about it."""

    name: str
    default: object
    good: tuple[object, ...]
    bad: dict[str, str]


_WHOLE = {"true": "must be a whole number", "x": "must be a valid integer", "1.5": "must be a valid integer"}
_STATUS = _WHOLE | {"399": "must be greater than or equal to 400", "500": "must be less than or equal to 499"}
_STATE = {
    "399": "greater than or equal to 400, or must be 'evaluate'",
    "500": "must be less than or equal to 499, or must be 'evaluate'",
    "evalute": "or must be 'evaluate'",
}
_ADDRESS = dict.fromkeys(("9000", "localhost", "':9000'", "'h:65536'", "'h:x'", "'[::1]'"), "must be HOST:PORT")
_ADDRESS["9000"] = "must be a valid string"
_ENTRYPOINT = {"decision": "must be a policy path such as extproc/request/decision", "'a/b-c'": "must be a policy path"}
_BODY = _WHOLE | {
    "1023": "must be greater than or equal to 1024",
    "268435457": "must be less than or equal to 268435456",
}
_HEADER = {
    "[X-A]": "must be a lower-case header name, which may end in *",
    "['*-a']": "lower-case header name",
    "a": "a list",
}
_RATIO = _WHOLE | {"0": "greater than or equal to 1", "100001": "less than or equal to 100000"}
_MEMORY = _WHOLE | {"1048575": "must be greater than or equal to 1048576"}
_LEVELS = "must be 'debug', 'info', 'warning' or 'error'"
_PATH = {"''": "must be a path", "[]": "must be a path"}
_URL = {"nope": "must be a valid URL", "4317": "must be a string or URL"}
_FILES = {"certificate": Path("/c"), "key": Path("/k"), "client_ca": Path("/a")}
_TLS = Tls(**_FILES, client_san=("spiffe://cluster.local/ns/a/sa/b", "gateway.example"))
_BAD_TLS = {
    "[]": "must be a mapping of keys",
    "{certificate: c, key: k, client_ca: a}": "tls.client_san: is required",
    "{certificate: c, key: k, client_san: [a]}": "tls.client_ca: is required",
    "{certificate: c, key: '', client_ca: a, client_san: [a]}": "tls.key: must be a path",
    "{certificate: c, key: k, client_ca: a, client_san: []}": "tls.client_san: must not be empty",
    "{certificate: c, key: k, client_ca: a, client_san: [a], client_sans: []}": "did you mean client_san?",
} | {
    f"{{certificate: c, key: k, client_ca: a, client_san: ['{name}']}}": f"tls.client_san.0: {says}"
    for name, says in {
        "*.example": "is compared as it stands: write out each name, without *",
        "spiffe://cluster.local/ns/*/sa/b": "is compared as it stands",
        "spiffe://a b": "must be a URI such as",
        "10.0.0.1": "must be a URI such as",
        "Gateway.example": "must be a URI such as",
        "": "must be a URI such as",
    }.items()
}

KEYS = (
    Key("listen", "127.0.0.1:9000", ("[::1]:9000", "0.0.0.0:0", "unix:///run/x.sock"), _ADDRESS | {"unix://x": "must"}),
    Key("workers", 1, (64, "2"), _WHOLE | {"0": "greater than or equal to 1", "65": "less than or equal to 64"}),
    Key("admin.listen", "127.0.0.1:9090", ("h:1",), _ADDRESS | {"unix:///x": "must be HOST:PORT"}),
    Key("tls", None, (_TLS, None), _BAD_TLS),
    Key("policy.engine", "embedded", ("opa",), {"rego": "must be 'embedded' or 'opa'"}),
    Key("policy.data", {}, ({"a": [1, "2026-01-01"]},), {"[]": "must be a mapping", "{1: 2}": "a key must be text"}),
    Key(
        "policy.bundle_keys",
        {},
        ({"release": BundleKey(file=Path("/k.pem"), algorithm="ES256", scope="write")},),
        {"[]": "must be a mapping", "{k: {}}": "is required", "{k: {file: f, algorithm: none}}": "'ES256', 'ES384'"},
    ),
    Key("policy.allow_builtins", (), (("http.send",), ()), {"[http.sent]": "must be 'http.send', 'json.match_schema'"}),
    Key("policy.memory_bytes", 1 << 30, (64 << 20, 1 << 40), {"67108863": "must be greater than or equal to 67108864"}),
    Key("policy.explain", default=False, good=(True,), bad={"2": "must be a valid boolean"}),
    Key("policy.opa.url", "http://127.0.0.1:8181/", ("https://opa:8181/",), _URL),
    Key("policy.deadline_ms", 150, (1, 1500), _WHOLE | {"0": "greater than", "60001": "less than or equal to 60000"}),
    Key("policy.points.headers", None, ("a/b",), _ENTRYPOINT),
    Key(
        "policy.points.request", "extproc/request/decision", ("a/b",), _ENTRYPOINT | {"null": "must be a valid string"}
    ),
    Key("policy.points.response", "extproc/response/decision", ("a/b", None), _ENTRYPOINT),
    Key("policy.mode", "enforce", ("shadow", "off"), {"on": "must be 'enforce', 'shadow' or 'off'"}),
    Key("blocking.status", 403, (400, 499, "451"), _STATUS),
    Key("blocking.failure_status", 503, (400, 499), {"500": "must be less than or equal to 499, or must be 503"}),
    Key("blocking.message", "Access Forbidden", ("", "é"), {"1": "must be a valid string", "x" * 4097: "at most 4096"}),
    Key("blocking.format", "json", ("text",), {"xml": "must be 'json' or 'text'"}),
    Key("inspection.request_body_bytes", 1 << 20, (1024, 256 << 20), _BODY),
    Key("inspection.response_body_bytes", 1 << 20, (1024, 256 << 20), _BODY),
    Key("inspection.decoded_bytes", 10 << 20, (1024, 256 << 20), _BODY),
    Key("inspection.decoded_ratio", 200, (1, 100_000), _RATIO),
    Key("inspection.memory_bytes", 256 << 20, (1 << 20, 1 << 40), _MEMORY),
    Key("inspection.compatibility_bodies", default=False, good=(True,), bad={"2": "must be a valid boolean"}),
    *(
        Key(f"inspection.states.request.{state}", status, (400, "evaluate"), _STATE)
        for state, status in {
            "over_limit": 413,
            "undecodable": 415,
            "malformed": 400,
            "type_mismatch": 415,
            "not_sent": 403,
            "upgrade": 403,
        }.items()
    ),
    *(
        Key(f"inspection.states.response.{state}", None, (400, "evaluate", None), _STATE)
        for state in ("over_limit", "undecodable", "malformed", "type_mismatch", "not_sent", "partial", "stream")
    ),
    Key("mutations.request_headers", ("x-extproc-*",), ((), ("x-a", "b*")), _HEADER),
    Key(
        "mutations.response_headers",
        ("x-extproc-*", "content-type", "www-authenticate", "retry-after", "cache-control"),
        ((), ("x-a",)),
        _HEADER,
    ),
    Key("mutations.path", default=False, good=(True,), bad={"2": "must be a valid boolean"}),
    Key("headers.prefix", "x-extproc-", ("x-us-",), {"X-Us-": "must match pattern", "x-us": "must match pattern"}),
    Key("envoy.message_timeout_ms", 2000, (650, 120_000), _WHOLE | {"120001": "less than or equal to 120000"}),
    Key("evidence.directory", Path("receipts"), (Path("/var/x"),), _PATH),
    Key("evidence.key", None, (Path("/k.pem"), None), _PATH),
    Key("evidence.hmac_key", None, (Path("/k"), None), _PATH),
    Key("evidence.durability", "write", ("fsync",), {"none": "must be 'write' or 'fsync'"}),
    Key("evidence.on_failure", "deny", ("allow",), {"drop": "must be 'deny' or 'allow'"}),
    Key("telemetry.otlp.endpoint", "http://127.0.0.1:4317/", ("https://c:4317/",), _URL),
    Key("log.level", "info", ("debug", "warning", "error"), {"trace": _LEVELS, "true": _LEVELS}),
    Key("log.format", "json", ("text",), {"xml": "must be 'json' or 'text'"}),
)


def _text(name: str, value: str) -> str:
    """The key in block style, its value in flow style; the value stands in the last line."""
    steps = name.split(".")
    lines = ["  " * depth + f"{step}:" for depth, step in enumerate(steps)]
    more = ["  paths: [policies]"] if steps[0] == "policy" else ["policy: {paths: [policies]}"]
    return "\n".join([*lines[:1], *more, *lines[1:]] if steps[0] == "policy" else [*more, *lines]) + f" {value}\n"


def _get(settings: Settings, name: str) -> object:
    value: object = settings
    for step in name.split("."):
        value = getattr(value, step)
    return str(value) if "url" in name or "endpoint" in name else value


def _plain(value: object) -> object:
    match value:
        case tuple():
            return list(value)
        case Path():
            return str(value)
        case Tls():
            return value.model_dump(mode="json")
        case {"release": BundleKey() as key}:
            return {"release": key.model_dump(mode="json")}
        case _:
            return value


def test_every_key_is_in_this_table() -> None:
    tested = {key.name for key in KEYS} | {"policy.paths"}
    assert {name for name, _ in _leaves(Settings(policy={"paths": ["p"]}).model_dump(), "")} == tested


def _leaves(document: dict[str, object], prefix: str) -> list[tuple[str, object]]:
    out: list[tuple[str, object]] = []
    for name, value in document.items():
        path = prefix + name
        whole = path in {"policy.data", "policy.bundle_keys"} or not isinstance(value, dict)
        out += [(path, value)] if whole else _leaves(value, f"{path}.")
    return out


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_the_default_of_a_key(loaded: Callable[[str], Settings], key: Key, file: Path) -> None:
    expected = file.parent / key.default if key.name == "evidence.directory" else key.default
    assert _get(loaded(""), key.name) == expected


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in KEYS for value in key.good])
def test_a_key_holds_what_it_may(loaded: Callable[[str], Settings], key: Key, value: object) -> None:
    written = yaml.safe_dump(_plain(value), default_flow_style=True).removesuffix("\n").removesuffix("...").strip()
    kept = int(value) if isinstance(value, str) and value.isdigit() else value
    assert _get(loaded(_text(key.name, written)), key.name) == kept


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in KEYS for value in key.bad])
def test_a_key_refuses_what_it_may_not_and_says_where(refused: Callable[[str], str], key: Key, value: str) -> None:
    sentence = refused(_text(key.name, value))
    line = len(key.name.split(".")) + 1
    assert sentence.startswith(f"{line}: ")
    assert key.bad[value] in sentence
    assert sentence.count("\n") == 0


def test_a_policy_is_the_one_thing_without_a_default(refused: Callable[[str], str]) -> None:
    assert refused("policy: {mode: shadow}") == (
        "1: policy.paths is empty: name the files or folders that hold your Rego policies"
    )


def test_a_policy_server_of_its_own_needs_no_paths(loaded: Callable[[str], Settings]) -> None:
    assert loaded("policy: {engine: opa, paths: []}").policy.paths == ()


def test_envoy_must_wait_longer_than_the_policy_may_take(refused: Callable[[str], str]) -> None:
    text = "envoy: {message_timeout_ms: 649}\npolicy: {paths: [policies]}"
    assert refused(text) == (
        "1: envoy.message_timeout_ms must be at least policy.deadline_ms + 500, "
        "so that the server answers before Envoy gives up"
    )


def test_a_socket_has_no_tls(refused: Callable[[str], str]) -> None:
    text = "policy: {paths: [policies]}\nlisten: unix:///run/x.sock\n"
    text += "tls: {certificate: c, key: k, client_ca: a, client_san: [a]}"
    assert refused(text) == (
        "3: tls is for a port, and listen is a Unix socket, which the file system guards: remove one"
    )


def test_the_last_worker_must_have_a_port(loaded: Callable[[str], Settings], refused: Callable[[str], str]) -> None:
    assert loaded("listen: 127.0.0.1:65534\nworkers: 2").workers == 2
    assert refused("listen: 127.0.0.1:65535\nworkers: 2\npolicy: {paths: [policies]}") == (
        "1: listen has no port for worker 1: 65535 + 1 is over 65535"
    )


def test_settings_cannot_be_changed(loaded: Callable[[str], Settings]) -> None:
    with pytest.raises(ValueError, match="frozen"):
        loaded("").workers = 2
