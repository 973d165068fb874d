"""What the wheels say of themselves is so: platform, licences, and the same sources in both."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from elftools.elf.elffile import ELFFile
from release.pins import OPA, OPA_VERSION
from wheel.conftest import ROOT, wheel

MACHINES = {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}
LIBRARY, NOTICES = "extproc/engines/libopa.so", "extproc/engines/libopa-notices.txt"


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    """The machine of a wheel."""
    return str(request.param)


def read(machine: str, name: str) -> bytes:
    with ZipFile(wheel(machine)) as archive:
        return archive.read(name)


def test_the_library_is_for_the_machine_of_the_tag(machine: str) -> None:
    elf = ELFFile(io.BytesIO(read(machine, LIBRARY)))
    assert (elf["e_machine"], elf["e_type"], elf.elfclass) == (MACHINES[machine], "ET_DYN", 64)


def test_the_library_needs_nothing_newer_than_its_tag_allows(machine: str) -> None:
    command = [sys.executable, "-m", "auditwheel", "show", "--json", str(wheel(machine))]
    shown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    oldest = re.fullmatch(r"manylinux_2_(\d+)_(\w+)", shown["overall_tag"])
    assert oldest is not None
    assert (int(oldest[1]) <= 28, oldest[2], shown["external_libs"]) == (True, machine, {})
    versions = {version for versions in shown["versioned_symbols"].values() for version in versions}
    needed = [tuple(map(int, version.removeprefix("GLIBC_").split("."))) for version in versions]
    assert max(needed) <= (2, 28)


def test_nothing_of_the_machine_that_built_it_is_in_the_library(machine: str) -> None:
    library = read(machine, LIBRARY)
    names = [section.name for section in ELFFile(io.BytesIO(library)).iter_sections()]
    assert [name for name in names if name.startswith(".debug")] == []
    assert [folder for folder in (ROOT, Path.home() / "go", Path(sys.prefix)) if str(folder).encode() in library] == []


def test_it_works_with_every_python_3() -> None:
    with ZipFile(wheel("x86_64")) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/WHEEL"))
        lines = archive.read(name).decode().splitlines()
    assert "Root-Is-Purelib: false" in lines
    assert "Tag: py3-none-manylinux_2_28_x86_64" in lines


def test_all_that_is_linked_has_its_licence_in_the_wheel(machine: str, tmp_path: Path) -> None:
    library = tmp_path / "libopa.so"
    library.write_bytes(read(machine, LIBRARY))
    said = subprocess.run([ROOT / ".tools/go", "version", "-m", library], capture_output=True, text=True, check=True)
    linked = set(re.findall(r"^\tdep\t(\S+)\t(\S+).*\n(?!\t=>)", said.stdout, re.MULTILINE))  # `=>`: ours in its place
    notices = read(machine, NOTICES).decode()
    listed = re.findall(r"^- (\S+) (v\S+): ", notices, re.MULTILINE)
    assert (OPA, f"v{OPA_VERSION}") in linked
    assert listed == sorted(linked)
    assert re.findall(r"^\t=>\t(\S+)", said.stdout, re.MULTILINE) == ["./xxhash"]
    assert re.findall(r"^- ([A-Z].*):", notices, re.MULTILINE) == [
        "Go's runtime and standard library",
        "Zig's compiler runtime",
    ]
    assert "NO LICENCE FILE" not in notices


def test_our_own_licence_is_in_the_wheel(machine: str) -> None:
    with ZipFile(wheel(machine)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE"))
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()


def test_the_wheels_differ_in_the_library_alone() -> None:
    contents = []
    for machine in MACHINES:
        with ZipFile(wheel(machine)) as archive:
            contents.append({info.filename: info.CRC for info in archive.infolist()})
    x86_64, aarch64 = contents
    differ = {
        name.rpartition("/")[2] for name in x86_64.keys() | aarch64.keys() if x86_64.get(name) != aarch64.get(name)
    }
    assert differ == {"libopa.so", "WHEEL", "RECORD"}
