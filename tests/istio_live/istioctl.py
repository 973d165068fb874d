"""istioctl, of the release of the istiod that runs: what it says of manifests, without a cluster."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from extproc.istio.protojson import manifests

# What both say of every EnvoyFilter.
_OF_ANY = "EnvoyFilter exposes internal implementation details"


@dataclass(frozen=True, slots=True)
class Said:
    """Whether the exit status is that of an error, and each remark but the one on every EnvoyFilter."""

    refused: bool
    remarks: tuple[str, ...]

    @property
    def word(self) -> str:
        """As the page has it."""
        return "refuses" if self.refused else "warns" if self.remarks else ""


NOTHING = Said(refused=False, remarks=())


def validate(documents: Sequence[Mapping[str, object]], folder: Path) -> Said:
    """`istioctl validate`, which shares its rules with istiod's admission webhook.

    Of a Deployment it says that labels for metrics are missing, which is not counted.
    """
    done = _istioctl(documents, folder, "validate", "-f")
    return _said(done.returncode, re.findall(r"^\t\* (.+)$", done.stderr, re.MULTILINE))


def analyze(documents: Sequence[Mapping[str, object]], folder: Path, *, everywhere: bool = True) -> Said:
    """`istioctl analyze`, in every namespace or in `default` alone, as it does unless it is told."""
    where = ["--all-namespaces"] if everywhere else []
    done = _istioctl(documents, folder, "analyze", "--use-kube=false", *where)
    unread = re.findall(r"^\t\* (error .+)$", done.stderr, re.MULTILINE)
    return _said(done.returncode, [*unread, *re.findall(r"^\w+ \[IST\d+\] .+$", done.stdout, re.MULTILINE)])


def proxy_config(dump: bytes, folder: Path) -> bytes:
    """`istioctl proxy-config all`, of a dump in place of a pod."""
    file = folder / "dump.json"
    file.write_bytes(dump)
    return _run(folder, "proxy-config", "all", "--file", str(file), "--output", "json").stdout.encode()


def _istioctl(
    documents: Sequence[Mapping[str, object]], folder: Path, *command: str
) -> subprocess.CompletedProcess[str]:
    file = folder / "manifests.yaml"
    file.write_text(manifests(documents))
    return _run(folder, *command, str(file))


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Without a cluster of this machine's."""
    home = {**os.environ, "HOME": str(folder), "KUBECONFIG": str(folder / "none")}
    command = [os.environ["TEST_ISTIOCTL"], *arguments]
    return subprocess.run(command, env=home, capture_output=True, text=True, check=False)


def _said(status: int, remarks: Sequence[str]) -> Said:
    return Said(refused=status != 0, remarks=tuple(one for one in remarks if _OF_ANY not in one))
