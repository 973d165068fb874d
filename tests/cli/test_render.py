import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from extproc.cli.render import app
from extproc.errors import ConfigurationError, PolicyLoadError

OPTIONS = ["--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:8080"]


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "extproc.yaml"
    (tmp_path / "policies").mkdir()
    for point in ("request", "response"):
        (tmp_path / f"policies/{point}.rego").write_text(f"package extproc.{point}\n\ndecision := true\n")
    file.write_text("policy: {paths: [policies]}\nworkers: 2\n")
    return str(file)


def test_yaml_and_json_are_the_same_bootstrap(config: str) -> None:
    command = ["envoy", "--config", config, *OPTIONS, "--output"]
    texts = [CliRunner().invoke(app, [*command, output], catch_exceptions=False).stdout for output in ("yaml", "json")]

    documents = [yaml.safe_load(text) for text in texts]
    assert documents[0] == documents[1]
    clusters = documents[0]["static_resources"]["clusters"]
    assert [cluster["name"] for cluster in clusters] == ["extproc", "upstream"]


def test_an_address_that_is_none_is_a_configuration_error(config: str) -> None:
    command = ["envoy", "--config", config, "--listen", "nowhere", "--upstream", "127.0.0.1:80"]

    with pytest.raises(ConfigurationError, match="'nowhere' is no address"):
        CliRunner().invoke(app, command, catch_exceptions=False)


def test_the_envoy_filter_is_printed_for_the_gateway_that_was_named(config: str) -> None:
    where = ["--gateway-namespace", "istio-ingress", "--selector", "istio=ingress", "--exclude-route", "health"]
    text = CliRunner().invoke(app, ["istio", "--config", config, *where], catch_exceptions=False).stdout

    documents = {each["kind"]: each for each in yaml.safe_load_all(text)}
    spec = documents["EnvoyFilter"]["spec"]
    assert documents["EnvoyFilter"]["metadata"]["namespace"] == "istio-ingress"
    assert spec["workloadSelector"] == {"labels": {"istio": "ingress"}}
    assert [each["applyTo"] for each in spec["configPatches"]].count("HTTP_ROUTE") == 1


def test_the_same_options_print_the_same_bytes(config: str) -> None:
    command = ["istio", "--config", config, "--gateway", "gateway-api", "--gateway-name", "edge"]
    first, second = (CliRunner().invoke(app, command, catch_exceptions=False).stdout for _ in range(2))

    assert first == second


def test_a_part_can_be_applied_by_itself(config: str) -> None:
    def kinds(part: str) -> list[str]:
        text = CliRunner().invoke(app, ["istio", "--config", config, "--part", part], catch_exceptions=False).stdout
        return [each.get("kind", "patch") for each in yaml.safe_load_all(text)]

    assert kinds("server")[0] == "Namespace"
    assert kinds("gateway") == ["EnvoyFilter"]
    assert kinds("gateway-pods") == ["patch"]
    assert kinds("all") == kinds("server") + kinds("gateway")


NAMES_THAT_HURT = {
    "--namespace istio-system": "istio-system is not the server's own",
    "--namespace edge --gateway-namespace edge": "edge is not the server's own",
    "--namespace Gate": "is no name of a Kubernetes object",
    "--trust-domain *": "'\\*' is none: it is one mesh's",
    "--trust-domain ''": "'' is none: it is one mesh's",
    "--receipts-size lots": "--receipts-size: 'lots' is none",
    "--receipts-size 0": "--receipts-size: '0' is none",
    "--image ''": "--image: '' is none",
    "--storage-class 'a b'": "--storage-class: 'a b' is none",
    "--revision ''": "--revision: '' is none",
    "--exclude-route ''": "'' is no route to exclude",
    "--gateway-service-account ''": "'' is no name of a Kubernetes object",
    "--gateway-name edge": "say --gateway gateway-api",
    "--gateway gateway-api --gateway-name edge --selector a=b": "are of a classic gateway",
}


@pytest.mark.parametrize("options", NAMES_THAT_HURT)
@pytest.mark.parametrize("part", ["server", "gateway"])
def test_a_name_that_would_hurt_is_refused_with_a_sentence(config: str, part: str, options: str) -> None:
    command = ["istio", "--config", config, "--part", part, *shlex.split(options)]

    with pytest.raises(ConfigurationError, match=NAMES_THAT_HURT[options]):
        CliRunner().invoke(app, command, catch_exceptions=False)


@pytest.mark.parametrize("part", ["all", "server", "gateway-pods"])
def test_a_policy_that_pods_could_not_load_is_not_rendered(config: str, tmp_path: Path, part: str) -> None:
    (tmp_path / "policies/request.rego").write_text("package extproc.request\n\ndecision := no_such\n")
    command = ["istio", "--config", config, "--part", part]

    with pytest.raises(PolicyLoadError, match=r"policies/request\.rego:3:13: ") as caught:
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert str(caught.value).startswith("no pod would become ready: ")


def test_what_holds_no_policy_does_not_read_one(config: str, tmp_path: Path) -> None:
    (tmp_path / "policies/request.rego").write_text("nothing")
    command = ["istio", "--config", config, "--part", "gateway"]

    assert "EnvoyFilter" in CliRunner().invoke(app, command, catch_exceptions=False).stdout


def test_the_policies_of_an_opa_server_are_not_compiled(config: str) -> None:
    Path(config).write_text("policy: {engine: opa, opa: {url: 'http://opa.opa:8181'}}\n")

    assert "Deployment" in CliRunner().invoke(app, ["istio", "--config", config], catch_exceptions=False).stdout
