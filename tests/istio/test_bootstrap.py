import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap

from extproc.istio.bootstrap import bootstrap
from extproc.istio.gateway import Address, Gateway, TcpAddress, UnixAddress
from extproc.istio.protojson import to_json, to_yaml

OTLP = TcpAddress("127.0.0.1", 4317)
PROCESSORS: dict[str, tuple[Address, ...]] = {
    "tcp": (TcpAddress("127.0.0.1", 9000), TcpAddress("127.0.0.1", 9001)),
    "unix": (UnixAddress("/run/extproc/extproc.sock.0"), UnixAddress("/run/extproc/extproc.sock.1")),
}


def validate(envoy: Path, file: Path) -> str:
    command = [str(envoy), "--mode", "validate", "--log-level", "error", "-c", str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout


@pytest.mark.parametrize("otlp", [None, OTLP], ids=["untraced", "traced"])
@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_envoy_accepts_the_rendering_of_every_mode(
    gateway: Gateway, envoy: Path, tmp_path: Path, *, transport: str, otlp: Address | None
) -> None:
    served = replace(gateway, processors=PROCESSORS[transport], otlp=otlp)
    modes = (replace(served, mode="enforce"), replace(served, mode="shadow"), replace(served, mode="off"))
    for each in modes:
        file = tmp_path / f"{each.mode}.yaml"
        file.write_text(to_yaml(bootstrap(each)))

        assert validate(envoy, file) == f"configuration '{file}' OK\n"


def test_envoy_accepts_a_request_only_profile_with_an_access_log_as_json(
    gateway: Gateway, envoy: Path, tmp_path: Path
) -> None:
    file = tmp_path / "envoy.json"
    log = str(tmp_path / "access.ndjson")
    file.write_text(to_json(bootstrap(replace(gateway, response_point=False, path=True, access_log=log))))

    assert validate(envoy, file) == f"configuration '{file}' OK\n"


def test_a_misspelt_field_raises_before_envoy_sees_it() -> None:
    with pytest.raises(ValueError, match="Unexpected keyword argument"):
        Bootstrap(static_resource=None)  # type: ignore[call-arg]  # the mistake is the test


def test_the_listener_buffers_the_larger_body_and_64_kib_more(gateway: Gateway) -> None:
    resources = bootstrap(replace(gateway, request_body_bytes=1000, response_body_bytes=2000)).static_resources

    assert resources is not None
    assert [listener.per_connection_buffer_limit_bytes for listener in resources.listeners] == [67_536]


def test_there_is_a_cluster_for_each_peer(gateway: Gateway) -> None:
    untraced = bootstrap(gateway).static_resources
    traced = bootstrap(replace(gateway, otlp=OTLP)).static_resources

    assert untraced is not None
    assert traced is not None
    assert [cluster.name for cluster in untraced.clusters] == ["extproc", "upstream"]
    assert [cluster.name for cluster in traced.clusters] == ["extproc", "upstream", "otlp"]


def test_only_prompt_spans_change_how_envoy_batches_them(gateway: Gateway, envoy: Path, tmp_path: Path) -> None:
    file = tmp_path / "prompt.json"
    file.write_text(to_json(bootstrap(replace(gateway, otlp=OTLP, prompt_spans=True))))

    assert "tracing.opentelemetry.min_flush_spans" in file.read_text()
    assert "tracing.opentelemetry.min_flush_spans" not in to_json(bootstrap(replace(gateway, otlp=OTLP)))
    assert validate(envoy, file) == f"configuration '{file}' OK\n"
