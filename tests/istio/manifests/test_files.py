from pathlib import Path

import pytest
import yaml
from istio.manifests.rendering import CLASSIC, IN_POD, Object, configured, lay_out, one, policies, rendered

from extproc.config import load_settings
from extproc.engines.sources import load
from extproc.errors import ConfigurationError
from extproc.istio.attachment import Attachment
from extproc.istio.manifests.render import Part


def in_the_pod(documents: list[Object]) -> Object:
    return yaml.safe_load(one(documents, "ConfigMap", "extproc-config")["data"]["extproc.yaml"])


def test_the_configuration_is_the_operators_with_the_addresses_and_paths_of_a_pod(tmp_path: Path) -> None:
    text = "workers: 4\nblocking: {status: 451}\nevidence: {durability: fsync, directory: here}\n"

    assert in_the_pod(rendered(configured(tmp_path, text))) == {
        "listen": "0.0.0.0:9000",
        "admin": {"listen": "0.0.0.0:9090"},
        "policy": {"paths": ["/etc/extproc/policies/policies"]},
        "blocking": {"status": 451},
        "evidence": {
            "durability": "fsync",
            "directory": "/var/lib/extproc/receipts",
            "key": "/etc/extproc/keys/signing.pem",
            "hmac_key": "/etc/extproc/keys/hmac.key",
        },
    }


def test_beside_the_gateway_the_socket_and_the_workers_stay(tmp_path: Path) -> None:
    file = configured(tmp_path, "listen: unix:///run/extproc/x.sock\nworkers: 2\n")

    document = in_the_pod(rendered(file, IN_POD))
    assert (document["listen"], document["workers"]) == ("unix:///run/extproc/x.sock", 2)


def test_a_variable_wins_over_the_file_as_it_does_for_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTPROC_BLOCKING__STATUS", "418")

    assert in_the_pod(rendered(configured(tmp_path, "blocking: {status: 451}\n")))["blocking"] == {"status": 418}


def test_the_pod_reads_the_same_policies_under_the_same_digest(tmp_path: Path) -> None:
    file = configured(tmp_path)
    documents = rendered(file)
    maps = {each["metadata"]["name"]: each for each in documents if each["kind"] == "ConfigMap"}
    spec = one(documents, "Deployment")["spec"]["template"]["spec"]
    (volume,) = (each for each in spec["volumes"] if each["name"] == "extproc-policies")
    (mount,) = (each for each in spec["containers"][0]["volumeMounts"] if each["name"] == "extproc-policies")
    mounted = tmp_path / "mounted"
    lay_out(mounted, volume, maps)

    (path,) = in_the_pod(documents)["policy"]["paths"]
    there = load([mounted / Path(path).relative_to(mount["mountPath"])], {})
    here = load(load_settings(file).policy.paths, {})
    assert there.data == here.data == b'{"shop":{"limit":3}}'
    assert (there.policy_digest, there.data_digest) == (here.policy_digest, here.data_digest)


@pytest.mark.parametrize("attachment", [CLASSIC, IN_POD], ids=["service", "in-pod"])
def test_pods_of_an_old_rendering_never_read_a_part_of_a_new_policy(tmp_path: Path, attachment: Attachment) -> None:
    """Kubelet would give them a changed file and not a new one: a rule that moved there would be in neither."""
    file = configured(tmp_path, "listen: unix:///run/extproc/x.sock\n" if attachment is IN_POD else "")

    def mounted() -> str:
        part: Part = "gateway-pods" if attachment is IN_POD else "server"
        template = rendered(file, attachment, part=part)[-1]["spec"]["template"]
        (volume,) = (each for each in template["spec"]["volumes"] if each["name"] == "extproc-policies")
        name = policies(rendered(file, attachment))["metadata"]["name"]
        assert volume["configMap"]["name"] == name
        return name

    first, again = mounted(), mounted()
    rule = tmp_path / "policies/shop/request.rego"
    moved = rule.rename(rule.with_name("moved.rego"))
    renamed = mounted()
    moved.write_text("package extproc.request\n")

    assert first == again
    assert len({first, renamed, mounted()}) == 3


def test_tests_and_hidden_files_stay_at_home(tmp_path: Path) -> None:
    file = configured(tmp_path)
    for name in (".hidden/a.rego", ".b.rego", "notes.txt"):
        (tmp_path / "policies" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "policies" / name).write_text("package a\n")

    assert sorted(policies(rendered(file))["data"]) == [
        "policies__shop__data.json",
        "policies__shop__request.rego",
    ]


def test_a_bundle_travels_as_it_is_and_its_keys_come_from_the_secret(tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_bytes(b"\x1f\x8b\xff")
    file = tmp_path / "extproc.yaml"
    file.write_text("policy: {paths: [b.tar.gz], bundle_keys: {ours: {file: keys/ours.pem, algorithm: ES256}}}\n")

    documents = rendered(file)
    assert policies(documents)["binaryData"] == {"b.tar.gz": "H4v/"}
    assert in_the_pod(documents)["policy"] == {
        "paths": ["/etc/extproc/policies/b.tar.gz"],
        "bundle_keys": {"ours": {"file": "/etc/extproc/keys/ours.pem", "algorithm": "ES256"}},
    }


@pytest.mark.parametrize("names", [("a/key.pem", "b/key.pem"), ("a/key.pem", "a/hmac.key")])
def test_two_keys_of_one_name_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    """They would be one file of the Secret, and each bundle would be checked with the same key."""
    keys = ", ".join(f"k{number}: {{file: {name}, algorithm: ES256}}" for number, name in enumerate(names))
    file = configured(tmp_path)
    file.write_text(f"policy: {{paths: [policies], bundle_keys: {{{keys}}}}}\n")

    with pytest.raises(ConfigurationError, match=r"policy\.bundle_keys: two files have the same name, or one is"):
        rendered(file)


def test_one_key_may_have_two_ids(tmp_path: Path) -> None:
    keys = "a: {file: k.pem, algorithm: ES256}, b: {file: k.pem, algorithm: ES384}"
    file = configured(tmp_path)
    file.write_text(f"policy: {{paths: [policies], bundle_keys: {{{keys}}}}}\n")

    assert list(in_the_pod(rendered(file))["policy"]["bundle_keys"]) == ["a", "b"]


def test_an_opa_server_has_its_own_policies(tmp_path: Path) -> None:
    file = tmp_path / "extproc.yaml"
    file.write_text("policy: {engine: opa, opa: {url: 'http://opa.opa:8181'}}\n")

    documents = rendered(file)
    assert [each["metadata"]["name"] for each in documents if each["kind"] == "ConfigMap"] == ["extproc-config"]
    volumes = one(documents, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert "extproc-policies" not in [each["name"] for each in volumes]


def test_a_change_of_a_policy_or_a_key_of_the_configuration_is_a_rollout(tmp_path: Path) -> None:
    def digest(file: Path) -> str:
        template = one(rendered(file, CLASSIC), "Deployment")["spec"]["template"]
        return template["metadata"]["annotations"]["extproc/content"]

    first, again = (digest(configured(tmp_path)) for _ in range(2))
    other = digest(configured(tmp_path, "blocking: {status: 451}\n"))
    (tmp_path / "policies/shop/request.rego").write_text("package extproc.request\n\ndecision := false\n")
    changed = digest(tmp_path / "extproc.yaml")

    assert first == again
    assert len({first, other, changed}) == 3


def test_policies_that_a_config_map_cannot_hold_are_refused(tmp_path: Path) -> None:
    file = configured(tmp_path)
    (tmp_path / "policies/shop/data.json").write_text(f'{{"list": "{"x" * (1 << 20)}"}}')

    with pytest.raises(ConfigurationError, match="a ConfigMap holds 1048576 bytes, and these are more"):
        rendered(file)


@pytest.mark.parametrize("name", ["a policy.rego", "caf\u00e9.rego", "a+b.rego", f"{'x' * 250}.rego"])
def test_a_policy_whose_name_no_config_map_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    file = configured(tmp_path)
    (tmp_path / "policies" / name).write_text("package a\n")

    with pytest.raises(ConfigurationError, match=r"policy\.paths: rename 'policies/.*': a key of a ConfigMap"):
        rendered(file)


def test_a_bundle_key_whose_name_no_secret_can_hold_is_refused(tmp_path: Path) -> None:
    file = configured(tmp_path)
    file.write_text("policy: {paths: [policies], bundle_keys: {a: {file: my key.pem}}}\n")

    with pytest.raises(ConfigurationError, match=r"policy\.bundle_keys: rename 'my key\.pem': a key of a ConfigMap"):
        rendered(file)


def test_two_paths_of_one_name_are_refused(tmp_path: Path) -> None:
    file = configured(tmp_path)
    (tmp_path / "more/policies").mkdir(parents=True)
    file.write_text("policy: {paths: [policies, more/policies]}\n")

    with pytest.raises(ConfigurationError, match="two of them have the same name"):
        rendered(file)


def test_two_files_of_one_key_are_refused(tmp_path: Path) -> None:
    file = configured(tmp_path)
    (tmp_path / "policies/shop__request.rego").write_text("package a\n")

    with pytest.raises(ConfigurationError, match="rename one"):
        rendered(file)


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "extproc.yaml"
    file.write_text("policy: {paths: [nowhere.rego]}\n")

    with pytest.raises(ConfigurationError, match=r"nowhere\.rego cannot be read \(No such file or directory\)"):
        rendered(file)


def test_a_folder_without_policies_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    file = tmp_path / "extproc.yaml"
    file.write_text("policy: {paths: [policies]}\n")

    with pytest.raises(ConfigurationError, match="nothing in them that the server would read"):
        rendered(file)
