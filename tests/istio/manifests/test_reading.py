from pathlib import Path

import pytest
from istio.manifests.rendering import ROOT

from extproc.errors import ConfigurationError
from extproc.istio.manifests.reading import check_files

COMMITTED = sorted((ROOT / "envoyfilters/overlays").glob("*/envoyfilter-extproc.yaml"))


def test_every_envoy_filter_that_is_committed_is_fine() -> None:
    assert check_files(COMMITTED) == len(COMMITTED) == 5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("request_body_mode:", "request_body_mod:", r'configPatches\.4\.patch\.value: .*"request_body_mod"'),
        ("configPatches:", "configPatch:", r"spec\.config"),
        ("message_timeout: 2s", "message_timeout: 2", r"message_timeout"),
        ("    match:", "    match: [", "while parsing"),
        ("kind: EnvoyFilter", "kind: EnvoyFiltr", "no EnvoyFilter in it"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = tmp_path / "changed.yaml"
    text = (ROOT / "envoyfilters/overlays/service/envoyfilter-extproc.yaml").read_text()
    assert old in text
    file.write_text(text.replace(old, new))

    with pytest.raises(ConfigurationError, match=rf"changed\.yaml: .*{message}"):
        check_files([file])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml: .*No such file"):
        check_files([tmp_path / "nowhere.yaml"])
