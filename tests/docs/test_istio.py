"""docs/istio.md and the how-tos of Istio against the command."""

import re
import shlex
from pathlib import Path
from typing import get_args

import pytest
import yaml
from docs.page import DOCS, Page
from typer.main import get_command
from typer.testing import CliRunner

from extproc import __version__
from extproc.cli.render import app
from extproc.config import Settings
from extproc.istio.attachment import OPT_IN, STOCK_SERVICE_ACCOUNT
from extproc.istio.manifests.gateway_pods import RUNTIME
from extproc.istio.manifests.render import Part

OPTIONS = {option.opts[0]: option for option in get_command(app).commands["istio"].params if option.name != "help"}  # type: ignore[attr-defined]
UPGRADE = DOCS / "how-to/upgrade-and-remove-on-istio.md"
CHART = DOCS.parent / "envoyfilters/chart/README.md"
HOW_TOS = ["attach-to-istio.md", "upgrade-and-remove-on-istio.md"]


def default(name: str) -> str:
    """As the page writes it."""
    meant = {"--selector": OPT_IN, "--gateway-service-account": STOCK_SERVICE_ACCOUNT}  # None, for it depends
    value = meant.get(name, OPTIONS[name].default)
    return "" if value is None else f"`{value}`".replace(f":{__version__}", ":VERSION")


@pytest.fixture
def page() -> Page:
    return Page.read("istio.md")


def test_every_option_is_on_the_page_with_its_default(page: Page) -> None:
    written = {name: cells[0] for name, cells in page.table("| option | default |").items()}

    assert written == {name: default(name) for name in OPTIONS}


def test_every_part_is_on_the_page(page: Page) -> None:
    assert set(page.table("| `--part` | prints |")) == set(get_args(Part))


def test_the_annotation_is_the_one_that_the_patch_has(page: Page) -> None:
    (text,) = re.findall(r"^```yaml\n(proxy\.istio\.io/config.*?)^```", page.text, re.DOTALL | re.MULTILINE)

    assert yaml.safe_load(yaml.safe_load(text)["proxy.istio.io/config"]) == RUNTIME


def test_the_label_of_the_default_is_the_one_that_the_page_explains(page: Page) -> None:
    assert f"`{OPT_IN.replace('=', ': ')}`" in page.text


def commands() -> list[tuple[str, str]]:
    found = []
    for name in HOW_TOS:
        text = (DOCS / "how-to" / name).read_text(encoding="utf-8")
        found += [(name, line) for line in re.findall(r"extproc render istio [^|)\n]*", text)]
    return found


@pytest.mark.parametrize(("name", "line"), commands())
def test_a_command_of_a_how_to_prints_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, line: str
) -> None:
    assert name
    (tmp_path / "policies").mkdir()
    for point in ("request", "response"):
        (tmp_path / f"policies/{point}.rego").write_text(f"package extproc.{point}\n\ndecision := true\n")
    (tmp_path / "extproc.yaml").write_text("policy: {paths: [policies]}\n")
    monkeypatch.chdir(tmp_path)

    arguments = shlex.split(line.rstrip('"'))[2:]
    assert CliRunner().invoke(app, arguments, catch_exceptions=False).stdout.startswith("---\n")


def test_the_configuration_of_a_migration_is_one() -> None:
    text = (DOCS / "how-to/migrate-from-ext-authz.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)

    points = Settings.model_validate(yaml.safe_load(block)).policy.points
    assert (points.request, points.response) == ("envoy/authz/allow", None)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (UPGRADE, "leaves PeerAuthentication and AuthorizationPolicy there"),
        (UPGRADE, "takes the old one's place"),
        (UPGRADE, "restart the server's pods (the chart does)"),
        (UPGRADE, "they read the new one where they restart"),
        (CHART, "helm has deleted its ConfigMap by then"),
        (CHART, "those that have lost it **pass everything**"),
    ],
)
def test_what_an_upgrade_leaves_open_is_on_its_page(page: Path, said: str) -> None:
    """tests/istio/manifests/test_upgrade.py shows that it does."""
    assert said in " ".join(page.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("example", ["jwt", "mtls", "rate-limit", "streams"])
def test_an_example_that_labels_no_gateway_says_whose_it_takes(example: str) -> None:
    """Without the label nobody is asked: what the quickstart did to the gateway comes first."""
    text = (DOCS.parent / "examples" / example / "README.md").read_text(encoding="utf-8")
    before_apply = " ".join(text.partition("## Apply")[0].split())

    assert re.search(
        r"Gateway(, application and the label of the gateway's pods| and application) are those of the \[quickstart\]",
        before_apply,
    )
