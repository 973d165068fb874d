import os
from pathlib import Path

import pytest
import yaml

from extproc.config import load_settings
from extproc.demo.stage import forget_surroundings, policies_folder, settings_document


def test_a_checkout_shows_its_own_policies_so_that_they_can_be_edited() -> None:
    assert policies_folder() == Path(__file__).parents[2] / "policies"


def test_the_stages_configuration_is_one_that_the_server_takes(tmp_path: Path) -> None:
    file = tmp_path / "extproc.yaml"
    file.write_text(yaml.safe_dump(settings_document(tmp_path, tmp_path, "http://127.0.0.1:4317")))

    settings = load_settings(file)

    assert (settings.listen, settings.blocking.status, settings.inspection.request_body_bytes) == (
        f"unix://{tmp_path}/extproc.sock",
        403,
        65_536,
    )


def test_variables_that_would_lead_the_stage_astray_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EXTPROC_LISTEN", "OTEL_EXPORTER_OTLP_ENDPOINT", "https_proxy", "DEMO_OTHER"):
        monkeypatch.setenv(name, "elsewhere")

    forget_surroundings()

    names = {"EXTPROC_LISTEN", "OTEL_EXPORTER_OTLP_ENDPOINT", "https_proxy", "DEMO_OTHER"}
    assert names & os.environ.keys() == {"DEMO_OTHER"}
