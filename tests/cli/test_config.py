import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from extproc.cli.main import app
from extproc.errors import PolicyLoadError

REQUEST = "package extproc.request\n\ndecision := true\n"
RESPONSE = "package extproc.response\n\ndecision := true\n"


def configured(folder: Path, text: str = "", **policies: str) -> Path:
    """A configuration beside a folder of policies, by the names of their files."""
    (folder / "policies").mkdir()
    for name, rego in ({"request": REQUEST, "response": RESPONSE} | policies).items():
        (folder / f"policies/{name}.rego").write_text(rego)
    file = folder / "extproc.yaml"
    file.write_text(text or "policy: {paths: [policies]}\n")
    return file


def check(file: Path) -> list[str]:
    result = CliRunner().invoke(app, ["config", "check", str(file)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output.splitlines()


def test_a_usable_file_comes_with_the_memory_that_a_worker_may_take(tmp_path: Path) -> None:
    file = configured(tmp_path, "policy: {paths: [policies]}\nblocking: {failure_status: 429}\n")

    usable, policies, *memory = check(file)
    assert usable == f"{file}: usable, policy mode enforce"
    assert policies.startswith("policies: they compile, digest ")
    assert len(policies.rpartition(" ")[2]) == 64
    assert memory == [
        "memory of a worker: never more than 2985 MiB, the policy engine apart:",
        "  256 MiB of bodies, decoded or as they came; then new ones are answered 429",
        "  2112 MiB of messages (1024 streams x the receive limit)",
        "  617 MiB for the one body that is being inspected",
    ]


def test_parts_of_a_mebibyte_count_whole(tmp_path: Path) -> None:
    file = configured(tmp_path, "policy: {paths: [policies]}\ninspection: {memory_bytes: 1048577}\n")
    assert "  2 MiB of bodies" in "\n".join(check(file))


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ("package extproc.request\n\ndecision := no_such\n", "FOLDER/policies/request.rego:3:13: .*no_such"),
        ("package extproc.request\n\ndecision := := true\n", "FOLDER/policies/request.rego:3:13: "),
        ("package other\n", "no policy defines the entrypoint extproc/request/decision"),
        (
            'package extproc.request\n\ndecision if http.send({"method": "get", "url": "http://a"})\n',
            "FOLDER/policies/request.rego:3:13: .*http.send",
        ),
    ],
)
def test_a_policy_that_the_server_would_not_load_is_named_by_file_row_and_column(
    tmp_path: Path, request_: str, said: str
) -> None:
    file = configured(tmp_path, request=request_)

    with pytest.raises(PolicyLoadError, match=said.replace("FOLDER", str(tmp_path))):
        check(file)


def test_it_is_a_sentence_and_exit_status_2(tmp_path: Path) -> None:
    file = configured(tmp_path, request="package extproc.request\n\ndecision := no_such\n")
    command = [sys.executable, "-m", "extproc", "config", "check", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"extproc: {tmp_path}/policies/request.rego:3:13: ")


def test_a_builtin_that_was_allowed_and_data_that_was_set_are_the_servers(tmp_path: Path) -> None:
    rego = 'package extproc.request\n\ndecision if strings.render_template("{{.a}}", {"a": data.shop.name}) == "x"\n'
    refused = configured(tmp_path, request=rego)
    with pytest.raises(PolicyLoadError, match="render_template"):
        check(refused)

    allowed = {"paths": ["policies"], "allow_builtins": ["strings.render_template"], "data": {"shop": {"name": "x"}}}
    refused.write_text(json.dumps({"policy": allowed}))
    assert "compile" in check(refused)[1]


def test_a_path_that_is_not_there_is_an_error_here_too(tmp_path: Path) -> None:
    file = tmp_path / "extproc.yaml"
    file.write_text("policy: {paths: [absent]}\n")

    with pytest.raises(PolicyLoadError, match=r"absent does not exist: correct policy\.paths"):
        check(file)


def test_the_policies_of_an_opa_server_are_not_compiled_here(tmp_path: Path) -> None:
    file = tmp_path / "extproc.yaml"
    file.write_text("policy: {engine: opa, opa: {url: 'http://127.0.0.1:1'}}\n")

    assert check(file)[1] == "policies: not compiled here, they are the OPA server's at http://127.0.0.1:1/"


def test_other_commands_do_not_wait_for_the_engine(tmp_path: Path) -> None:
    """Go's runtime and what it needs is loaded by those that read policies."""
    file = configured(tmp_path)
    program = (
        "import sys; from typer.testing import CliRunner; from extproc.cli.main import app\n"
        "for command in (['--help'], ['config', 'schema'], ['render', 'istio', '--part', 'gateway', '-h'],\n"
        f"    ['render', 'istio', '--part', 'gateway', '--config', {str(file)!r}]):\n"
        "    CliRunner().invoke(app, command)\n"
        "print([name for name in ('extproc.engines.library', 'grpc') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
