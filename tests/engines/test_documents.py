"""The numbers of data documents reach the policy with the digits that the file has, or the file is refused."""

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import pytest
from engines.asking import ask, result, running

from extproc.engines.sources import PolicySet, load
from extproc.errors import PolicyLoadError

BEYOND = "0.1000000000000000055511151231257827"
KEPT = (BEYOND, f"-{BEYOND}", "10000000000000000000000001", "-10000000000000000000000001", "1.10", "1e10", "9" * 300)
KEPT_BY_JSON = (*KEPT, "0", "-0", "1.0", "1E-300", "5e-324", "0.1e1", "1" + "0" * 308)
REFUSED = ("1e400", "-1e400", "1e-9999", "0e1000", "1" + "0" * 309, "1" * 1101, "0." + "1" * 1101)
YAML_AND_JSON = {
    "+1.50": "1.50",
    ".5": "0.5",
    "1.": "1",
    "1_000.25": "1000.25",
    "1e3": "1e3",
    "0x10": "16",
    "0o17": "15",
}


def loaded(folder: Path, name: str, text: str) -> PolicySet:
    (folder / "p.rego").write_text("package extproc.request\n\ndecision := data.n\n")
    (folder / name).write_text(text)
    return load([folder], {})


def seen(policies: PolicySet) -> object:
    """What the policy answers, its numbers as they are written."""

    async def decide() -> bytes | None:
        async with running(policies) as engine:
            return await result(engine.decide(ask(b"{}"), 30))

    return json.loads(asyncio.run(decide()) or b"", parse_float=str, parse_int=str)


def test_a_number_of_json_is_seen_with_its_digits(tmp_path: Path) -> None:
    policies = loaded(tmp_path, "data.json", f'{{"n": [{", ".join(KEPT_BY_JSON)}]}}')
    assert policies.data == f'{{"n":[{",".join(KEPT_BY_JSON)}]}}'.encode()
    assert seen(policies) == list(KEPT_BY_JSON)


def test_a_number_of_yaml_is_seen_with_its_digits(tmp_path: Path) -> None:
    assert seen(loaded(tmp_path, "data.yaml", f"n: [{', '.join(KEPT)}]")) == list(KEPT)


def test_a_number_that_only_yaml_writes_so_is_seen_with_its_value(tmp_path: Path) -> None:
    assert seen(loaded(tmp_path, "data.yaml", f"n: [{', '.join(YAML_AND_JSON)}]")) == list(YAML_AND_JSON.values())


@pytest.mark.parametrize("number", REFUSED)
@pytest.mark.parametrize("name", ["data.json", "data.yaml"])
def test_a_number_that_no_input_may_hold_is_refused_in_data_too(tmp_path: Path, name: str, number: str) -> None:
    with pytest.raises(PolicyLoadError, match="does not parse: a number beyond those of a double, or too long"):
        loaded(tmp_path, name, f'{{"n": {number}}}')


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", "1:30", "1:30.5"])
def test_a_number_of_yaml_that_json_has_not_is_refused(tmp_path: Path, number: str) -> None:
    with pytest.raises(PolicyLoadError, match=r"does not parse: a number that JSON has not: write it in digits"):
        loaded(tmp_path, "data.yaml", f"n: {number}")


def test_a_policy_computes_with_every_digit(tmp_path: Path) -> None:
    (tmp_path / "p.rego").write_text("package extproc.request\n\ndecision := data.n == input.n\n")
    (tmp_path / "data.json").write_text(f'{{"n": {BEYOND}}}')

    async def same(number: str) -> bytes | None:
        async with running(load([tmp_path], {})) as engine:
            return await result(engine.decide(ask(f'{{"n": {number}}}'.encode()), 30))

    assert [asyncio.run(same(number)) for number in (BEYOND, "0.1")] == [b"true", b"false"]


def test_a_digest_tells_numbers_apart_that_no_double_does(tmp_path: Path) -> None:
    one, other = (loaded(tmp_path, "data.json", f'{{"n": {number}}}') for number in (BEYOND, "0.1"))
    assert float(BEYOND) == 0.1
    assert Decimal(BEYOND) != Decimal("0.1")
    assert one.data_digest != other.data_digest


def test_true_and_one_are_two_values_when_files_meet(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("open: 1\n")
    with pytest.raises(PolicyLoadError, match=r"data\.open is defined twice with different values"):
        loaded(tmp_path, "data.json", '{"open": true}')


def test_configured_data_keeps_integers_and_has_no_number_that_json_has_not(tmp_path: Path) -> None:
    (tmp_path / "p.rego").write_text("package extproc.request\n\ndecision := data.n\n")
    assert load([tmp_path], {"n": [10**25 + 1, 0.5]}).data == b'{"n":[10000000000000000000000001,0.5]}'
    with pytest.raises(PolicyLoadError, match=r"policy\.data holds a value that is not JSON"):
        load([tmp_path], {"n": float("inf")})


def test_the_words_of_truth_are_those_of_json_in_any_case(tmp_path: Path) -> None:
    assert (
        loaded(tmp_path, "data.yaml", 'n: [true, False, TRUE, "yes", y]').data == b'{"n":[true,false,true,"yes","y"]}'
    )


@pytest.mark.parametrize(
    "value",
    ["0X1F", "0B1", "0O7", "0o1_7", "1e1_0", "1_e1", "+_1", "!!float 017", "!!int 1.5", "!!null x", "!!timestamp x"],
)
def test_what_is_a_number_for_one_reader_alone_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(PolicyLoadError, match=r"quote it|leave it out"):
        loaded(tmp_path, "data.yaml", f"n: {value}")
    assert loaded(tmp_path, "data.yaml", 'n: [!!str 12, "0X1F", x_1]').data == b'{"n":["12","0X1F","x_1"]}'


@pytest.mark.parametrize("text", ['k: !!int ""', 'k: !!int "-"', "k: !!map [1]", "!!map [1]", "k: !!set [1]"])
def test_a_tag_that_fits_no_value_is_an_error_of_the_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(PolicyLoadError, match=r"data\.yaml does not parse"):
        loaded(tmp_path, "data.yaml", text)
