from pathlib import Path

import pytest
import yaml
from istio.manifests.rendering import ROOT

from extproc.errors import ConfigurationError
from extproc.istio.manifests.reading import check_files

COMMITTED = sorted((ROOT / "envoyfilters/overlays").glob("*/envoyfilter-extproc.yaml"))


def test_every_envoy_filter_that_is_committed_is_fine() -> None:
    assert check_files(COMMITTED) == len(COMMITTED) == 6


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


def test_what_kubectl_prints_of_a_cluster_is_read(tmp_path: Path) -> None:
    document = yaml.safe_load(COMMITTED[0].read_text())
    document["metadata"] |= {"uid": "0c9f2b1e", "generation": 2, "creationTimestamp": "2026-11-26T20:00:00Z"}
    file = tmp_path / "list.yaml"
    file.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [document, {"kind": "Service"}]}))

    assert check_files([file]) == 1


def test_a_time_that_yaml_reads_as_one_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    text = COMMITTED[0].read_text()
    file.write_text(text.replace("metadata:\n", "metadata:\n  creationTimestamp: 2026-11-26T20:00:00Z\n", 1))

    assert check_files([file]) == 1
