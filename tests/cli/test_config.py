from pathlib import Path

from typer.testing import CliRunner

from extproc.cli.main import app


def test_a_usable_file_comes_with_the_memory_that_a_worker_may_take(tmp_path: Path) -> None:
    file = tmp_path / "extproc.yaml"
    file.write_text("policy: {paths: [policies]}\nblocking: {failure_status: 429}\n")
    result = CliRunner().invoke(app, ["config", "check", str(file)])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        f"{file}: usable, policy mode enforce",
        "memory of a worker: never more than 2985 MiB, the policy engine apart:",
        "  256 MiB of bodies, decoded or as they came; then new ones are answered 429",
        "  2112 MiB of messages (1024 streams x the receive limit)",
        "  617 MiB for the one body that is being inspected",
    ]


def test_parts_of_a_mebibyte_count_whole(tmp_path: Path) -> None:
    file = tmp_path / "extproc.yaml"
    file.write_text("policy: {paths: [policies]}\ninspection: {memory_bytes: 1048577}\n")
    assert "  2 MiB of bodies" in CliRunner().invoke(app, ["config", "check", str(file)]).output
