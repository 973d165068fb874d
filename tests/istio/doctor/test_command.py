"""`extproc doctor` as it is called: what it prints and how it ends."""

import json
from pathlib import Path

import pytest
from istio.doctor.conftest import GATEWAY
from istio.doctor.envoys import dump_of, http_filter, manager, policy, rendered
from istio.doctor.gateway_mistakes import BOTH_OFF
from istio.doctor.mistakes import MISTAKES
from typer.testing import CliRunner, Result

from extproc.cli.main import app
from extproc.config import load_settings
from extproc.errors import ConfigurationError, DumpError
from extproc.istio.mapping import gateway_of

CANARY = "c4n4ry-s3cr3t"
SALTED = {"inline_string", "regex", "exact", "prefix", "path", "value", "allow"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration that renders the gateway of the other tests."""
    file = tmp_path / "extproc.yaml"
    names = '["x-extproc-*"]'
    file.write_text(
        f"policy: {{paths: [policies]}}\nmutations: {{request_headers: {names}, response_headers: {names}}}\n"
    )
    return file


def doctor(config: Path, dump: bytes, *options: str) -> Result:
    command = ["doctor", "--config", str(config), "--dump", "-", *options]
    return CliRunner().invoke(app, command, input=dump, catch_exceptions=False)


def changed(dump: bytes, field: str, value: object) -> bytes:
    document = json.loads(dump)
    policy(document["configs"][2]["static_listeners"][0]["listener"])[field] = value
    return json.dumps(document).encode()


def test_a_clean_gateway_is_one_line_and_status_0(config: Path, clean: bytes) -> None:
    said = doctor(config, clean, "--strict")

    assert (said.exit_code, said.stdout) == (0, "0 errors, 0 warnings, 0 notes\n")


def test_an_error_is_printed_with_its_place_its_reason_and_its_mend_and_status_1(config: Path, clean: bytes) -> None:
    said = doctor(config, changed(clean, "failure_mode_allow", True))  # noqa: FBT003 - the field's value

    http = ".configs[2].static_listeners[0].listener.filter_chains[0].filters[0].typed_config"
    first, place, why, mend, *_ = said.stdout.splitlines()
    assert first == "error failure_mode_allow"
    assert place == f"  {http}.http_filters[2].typed_config.failure_mode_allow is true"
    assert why.startswith("  When the server is away")
    assert mend == "  Mend: Set failure_mode_allow: false."
    assert said.exit_code == 1


def test_json_has_everything_in_one_object(config: Path, clean: bytes) -> None:
    said = doctor(config, changed(clean, "failure_mode_allow", True), "--format", "json")  # noqa: FBT003 - as above
    document = json.loads(said.stdout)

    (finding,) = document.pop("findings")
    assert document == {"errors": 1, "warnings": 0, "notes": 0}
    assert set(finding) == {"id", "severity", "place", "saying", "why", "mend"}
    assert (finding["id"], finding["severity"]) == ("failure_mode_allow", "error")
    assert said.exit_code == 1


def test_a_warning_is_status_0_and_with_strict_status_1(config: Path, clean: bytes) -> None:
    warned = changed(clean, "status_on_error", {"code": 403})

    assert [doctor(config, warned, *options).exit_code for options in ((), ("--strict",))] == [0, 1]


def test_what_is_accepted_by_name_is_a_note(config: Path, clean: bytes) -> None:
    said = doctor(config, changed(clean, "failure_mode_allow", True), "--accept", "failure_mode_allow", "--strict")  # noqa: FBT003 - as above

    assert said.exit_code == 0
    assert said.stdout.startswith("note failure_mode_allow\n")


def test_the_worst_comes_first(config: Path, mistaken: bytes) -> None:
    severities = [
        each["severity"] for each in json.loads(doctor(config, mistaken, "--format", "json").stdout)["findings"]
    ]

    assert severities == sorted(severities)  # error, warning
    assert len(severities) >= len(MISTAKES)


def test_an_exclusion_is_accepted_by_the_name_of_its_route(config: Path, clean: bytes) -> None:
    document = json.loads(clean)
    routes = manager(document["configs"][2]["static_listeners"][0]["listener"])["route_config"]["virtual_hosts"][0]
    off = {name.replace("__", "."): entry for name, entry in BOTH_OFF.items()}
    routes["routes"][0] |= {"name": "health", "typed_per_filter_config": off}
    dump = json.dumps(document).encode()

    assert doctor(config, dump, "--strict", "--exclude-route", "other").exit_code == 1
    assert doctor(config, dump, "--strict", "--exclude-route", "health").exit_code == 0
    for id_ in ("route_excluded", "host_excluded"):
        refused = doctor(config, dump, "--accept", id_)
        assert refused.exit_code == 2
        assert "--exclude-route" in refused.output


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_a_trial_is_noted_without_a_probe_and_changes_no_status(tmp_path: Path, config: Path, mode: str) -> None:
    file = tmp_path / f"{mode}.yaml"
    file.write_text(config.read_text().replace("paths: [policies]", f"paths: [policies], mode: {mode}"))
    gateway = gateway_of(load_settings(file), GATEWAY.listen, GATEWAY.upstream, GATEWAY.admin, None)
    dump = dump_of(rendered(gateway), tmp_path)

    said = doctor(file, dump, "--strict")
    first, place, *_, count = said.stdout.splitlines()
    assert (first, said.exit_code) == ("note unenforced", 0)
    assert place.startswith(f"  policy.mode is {mode}: ")
    assert count == "0 errors, 0 warnings, 1 notes"


@pytest.mark.parametrize("options", [("--accept", "nothing"), ("--format", "xml"), ("--strict=1",)])
def test_a_wrong_option_is_status_2(config: Path, clean: bytes, options: tuple[str, ...]) -> None:
    assert doctor(config, clean, *options).exit_code == 2


def test_no_dump_is_status_2_and_so_are_two(config: Path, clean: bytes) -> None:
    assert CliRunner().invoke(app, ["doctor", "--config", str(config)]).exit_code == 2
    assert doctor(config, clean, "--admin", "http://127.0.0.1:1").exit_code == 2


def test_a_probe_alone_is_judged_and_beside_a_dump_added(config: Path, clean: bytes, unused_port: int) -> None:
    probe = ("--probe", f"http://127.0.0.1:{unused_port}/", "--format", "json")
    alone = CliRunner().invoke(app, ["doctor", "--config", str(config), *probe], catch_exceptions=False)
    beside = doctor(config, changed(clean, "failure_mode_allow", True), *probe)  # noqa: FBT003 - as above

    ids = [[each["id"] for each in json.loads(said.stdout)["findings"]] for said in (alone, beside)]
    assert ids == [["probe_unreachable"], ["failure_mode_allow", "probe_unreachable"]]
    assert (alone.exit_code, beside.exit_code) == (1, 1)


def test_an_outcome_of_the_probe_is_accepted_by_name_too(config: Path, unused_port: int) -> None:
    probe = ("--probe", f"http://127.0.0.1:{unused_port}/", "--strict", "--accept", "probe_unreachable")
    said = CliRunner().invoke(app, ["doctor", "--config", str(config), *probe], catch_exceptions=False)

    assert said.exit_code == 0
    assert said.stdout.startswith("note probe_unreachable\n")


def test_what_cannot_be_read_is_a_sentence_for_main(config: Path, tmp_path: Path) -> None:
    with pytest.raises(DumpError, match="not JSON"):
        doctor(config, b"<html>")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        doctor(tmp_path / "absent.yaml", b"{}")


@pytest.mark.parametrize("format_", ["text", "json"])
def test_no_value_of_the_dump_is_printed(config: Path, mistaken: bytes, format_: str) -> None:
    """Strings that a check could come by: the ones of the filters that it compares, and of the fields beside them."""
    document = json.loads(mistaken)
    before = doctor(config, mistaken, "--format", format_).stdout
    for each in document["configs"][2]["static_listeners"]:
        salt(each["listener"])
    said = doctor(config, json.dumps(document).encode(), "--format", format_).stdout

    assert CANARY not in before
    assert CANARY not in said
    assert len(said) > len(before) // 2


def salt(value: object) -> None:
    """Put a secret into every string that is no name, type or number."""
    if isinstance(value, dict):
        for key, member in value.items():
            if isinstance(member, str) and key in {
                "inline_string",
                "regex",
                "exact",
                "prefix",
                "path",
                "value",
                "allow",
            }:
                value[key] = CANARY
            salt(member)
        if "typed_config" in value:
            value["typed_config"].setdefault("metadata", {"token": CANARY})
    elif isinstance(value, list):
        for each in value:
            salt(each)


def test_a_name_cannot_steer_the_terminal(config: Path, clean: bytes) -> None:
    document = json.loads(clean)
    listener = document["configs"][2]["static_listeners"][0]["listener"]
    listener["\x1b[2J\n[bold]no error"] = 1
    http_filter(listener, "extproc.policy")["name"] = "mine"
    said = doctor(config, json.dumps(document).encode()).stdout

    assert "\x1b" not in said
    assert r'listener["\u001b[2J\n[bold]no error"] is no field' in said


def test_the_bootstrap_that_is_rendered_is_no_dump(config: Path) -> None:
    with pytest.raises(DumpError, match="has no listeners"):
        doctor(config, json.dumps(rendered(GATEWAY)).encode())
