"""Where values come from, and which of them win; how what is unknown is named."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from extproc.config import Settings, load_settings
from extproc.errors import ConfigurationError

PATHS = '["policies"]'


def without_a_file() -> str:
    with pytest.raises(ConfigurationError) as raised:
        load_settings(None)
    return str(raised.value)


def test_variables_alone_are_a_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", PATHS)
    monkeypatch.setenv("EXTPROC_BLOCKING__STATUS", "451")
    monkeypatch.setenv("EXTPROC_MUTATIONS__PATH", "true")
    settings = load_settings(None)
    changed = {
        "policy": {"paths": (tmp_path / "policies",)},
        "blocking": {"status": 451},
        "mutations": {"path": True},
        "evidence": {"directory": tmp_path / "receipts"},
    }
    assert settings.model_dump(exclude_defaults=True) == changed


def test_a_variable_wins_over_the_file_key_by_key(
    loaded: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTPROC_BLOCKING__STATUS", "451")
    monkeypatch.setenv("EXTPROC_POLICY__DEADLINE_MS", "99")
    settings = loaded("blocking: {status: 404, message: no}\npolicy: {paths: [a], deadline_ms: 100}")
    assert (settings.blocking.status, settings.blocking.message) == (451, "no")
    assert (settings.policy.deadline_ms, [path.name for path in settings.policy.paths]) == (99, ["a"])


def test_a_section_may_be_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTPROC_POLICY", '{"paths": ["/p"], "mode": "shadow"}')
    policy = load_settings(None).policy
    assert (policy.paths, policy.mode) == ((Path("/p"),), "shadow")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("EXTPROC_LISTN", "environment: EXTPROC_LISTN: unknown key; did you mean listen?"),
        ("EXTPROC_BLOKING__STATUS", "environment: EXTPROC_BLOKING__STATUS: unknown key; did you mean blocking?"),
        (
            "EXTPROC_BLOCKING__STAUS",
            "environment: EXTPROC_BLOCKING__STAUS: blocking.staus: unknown key; did you mean status?",
        ),
        ("EXTPROC_PORT", "environment: EXTPROC_PORT: unknown key; did you mean"),
        ("EXTPROC_SERVICE_HOSTS", "environment: EXTPROC_SERVICE_HOSTS: unknown key; known here: listen, workers"),
    ],
)
def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, sentence: str) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", PATHS)
    monkeypatch.setenv(name, "9000")
    assert without_a_file().startswith(sentence.removesuffix("; did you mean") if "PORT" in name else sentence)


def test_every_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EXTPROC_Z", "EXTPROC_A"):
        monkeypatch.setenv(name, "1")
    assert [line.split(":")[1] for line in without_a_file().splitlines()] == [" EXTPROC_A", " EXTPROC_Z"]


def test_variables_that_kubernetes_makes_for_a_service_of_our_name_are_none_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for service in ("EXTPROC", "EXTPROC_ADMIN"):
        monkeypatch.setenv(f"{service}_SERVICE_HOST", "10.0.0.1")
        monkeypatch.setenv(f"{service}_SERVICE_PORT", "9000")
        monkeypatch.setenv(f"{service}_SERVICE_PORT_GRPC", "9000")
        monkeypatch.setenv(f"{service}_PORT", "tcp://10.0.0.1:9000")
        monkeypatch.setenv(f"{service}_PORT_9000_TCP", "tcp://10.0.0.1:9000")
        monkeypatch.setenv(f"{service}_PORT_9000_TCP_PROTO", "tcp")
        monkeypatch.setenv(f"{service}_PORT_9000_TCP_PORT", "9000")
        monkeypatch.setenv(f"{service}_PORT_9000_TCP_ADDR", "10.0.0.1")
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", PATHS)
    assert load_settings(None).listen == "127.0.0.1:9000"


def test_a_variable_that_should_be_json_is_named_and_its_value_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["hunter2"')
    sentence = without_a_file()
    assert sentence == (
        "environment: EXTPROC_POLICY__PATHS: must be JSON, for it is a list or a mapping, "
        """such as EXTPROC_POLICY__PATHS='["policies"]'"""
    )


def test_a_wrong_variable_is_blamed_and_not_the_line_of_the_file(
    refused: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTPROC_BLOCKING__STATUS", "700")
    sentence = refused("policy: {paths: [p]}\nblocking: {status: 404}")
    assert sentence == "environment: EXTPROC_BLOCKING__STATUS: blocking.status: must be less than or equal to 499"


def test_paths_are_relative_to_the_folder_of_the_file(
    loaded: Callable[[str], Settings], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(os.path.sep)
    settings = loaded(
        "policy: {paths: [a, ../b, /c], bundle_keys: {r: {file: r.pem}}}\n"
        "evidence: {directory: e, key: k, hmac_key: /h}"
    )
    home = file.parent
    evidence = settings.evidence
    assert settings.policy.paths == (home / "a", home / "../b", Path("/c"))
    assert settings.policy.bundle_keys["r"].file == home / "r.pem"
    assert (evidence.directory, evidence.key, evidence.hmac_key) == (home / "e", home / "k", Path("/h"))


def test_a_file_named_relatively_anchors_absolutely(
    loaded: Callable[[str], Settings], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded("")
    monkeypatch.chdir(file.parent)
    assert load_settings(Path(file.name)).policy.paths == (file.parent / "policies",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lsten: 1", "1: lsten: unknown key; did you mean listen?"),
        ("policy:\n  paths: [p]\n  deadline: 5", "3: policy.deadline: unknown key; did you mean deadline_ms?"),
        ("policy:\n  opa: {uri: x}", "2: policy.opa.uri: unknown key; did you mean url?"),
        ("blocking: {zzz: 1}", "1: blocking.zzz: unknown key; known here: status, failure_status, message, format"),
        ("blocking: {not-ours: 1}", "1: blocking.not-ours: unknown key; known here: status"),
        ("a b: 1", "1: a b: unknown key; known here: listen"),
        ("_env_prefix: X_", "1: _env_prefix: unknown key"),
        ("self: 1", "1: self: unknown key"),
        ("__pydantic_self__: 1", "1: __pydantic_self__: unknown key"),
    ],
)
def test_an_unknown_key_names_its_line_and_the_nearest_key(
    refused: Callable[[str], str], text: str, sentence: str
) -> None:
    assert refused(text).startswith(sentence)


def test_every_error_has_a_line_of_its_own(refused: Callable[[str], str]) -> None:
    text = "listen: nowhere\nworkers: 0\nblocking:\n  status: 500\n  failure_status: 500\npolicy: {paths: [p]}"
    starts = [": ".join(line.split(": ")[:2]) for line in refused(text).splitlines()]
    assert starts == ["1: listen", "2: workers", "4: blocking.status", "5: blocking.failure_status"]
