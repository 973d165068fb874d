"""The image without a container engine: the Containerfile's own steps, in a root of its own that is then read-only.

Not shown by it: the base image's files (those of this machine stand in for them), and the engine's own limits.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wheel.conftest import DIST, ROOT

PYTHON = Path(sys.base_prefix)
"""Stands in for the base image's Python: the same path inside as outside."""


@dataclass(frozen=True)
class Containerfile:
    """What its instructions say; `runs` are those of the first stage, the rest is the last one's."""

    runs: tuple[str, ...]
    user: str
    environment: dict[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    last_stage: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "Containerfile":
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        build, last = re.split(r"(?m)^FROM .*\n", "\n".join(lines))[1:]

        def value(instruction: str) -> str:
            (found,) = re.findall(rf"(?m)^{instruction} (.*)$", last)
            return str(found)

        return cls(
            runs=tuple(re.findall(r"(?m)^RUN (.*)$", build)),
            user=value("USER"),
            environment=dict(re.findall(r"(\w+)=(\S+)", value("ENV"))),
            entrypoint=tuple(json.loads(value("ENTRYPOINT"))),
            command=tuple(json.loads(value("CMD"))),
            last_stage=tuple(re.findall(r"(?m)^([A-Z]+) ", last)),
        )


CONTAINERFILE = Containerfile.read((ROOT / "Containerfile").read_text())


def in_root(root: Path, binds: Sequence[tuple[Path, str, str]], command: Sequence[str], user: str = "0:0") -> list[str]:
    """The command that runs `command` in `root`, in a mount namespace of its own: nothing is left mounted after it.

    `binds` are folders from outside, where they are seen, and `ro` or `rw`.  As any user but root, the root itself is
    read-only too, and no right can be won back.
    """
    if os.geteuid() != 0:
        raise PermissionError("a root of its own needs mount: run this as root")
    script = ["set -eu", f"mount --bind {root} {root}"]
    for outside, inside, mode in [(Path("/usr"), "/usr", "ro"), (PYTHON, str(PYTHON), "ro"), *binds]:
        place = root / inside.removeprefix("/")
        place.mkdir(parents=True, exist_ok=True)
        script += [f"mount --rbind {outside} {place}"]
        script += [f"mount -o remount,ro,bind {place}"] if mode == "ro" else []
    for name in ("proc", "dev"):
        (root / name).mkdir(exist_ok=True)
        script += [f"mount --rbind /{name} {root}/{name}"]
    for name in ("bin", "lib", "lib64", "sbin"):
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    uid, gid = user.split(":")
    drop = f"setpriv --reuid={uid} --regid={gid} --clear-groups --no-new-privs --bounding-set=-all "
    script += [] if user == "0:0" else [f"mount -o remount,ro,bind {root}"]
    script += [f'exec chroot {root} {drop if user != "0:0" else ""}"$@"']
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(script), "sh", *command]


def build(folder: Path) -> Path:
    """Run every RUN of the first stage; /opt/extproc, which the last stage copies."""
    root, context = folder / "build-root", folder / "context"
    shutil.copytree(DIST, context / "dist", ignore=shutil.ignore_patterns("*.tar.gz"))
    shutil.copy(ROOT / "requirements/runtime.txt", context / "requirements.txt")
    opt = folder / "opt"
    for each in (root / "tmp", opt):
        each.mkdir(parents=True)
    binds = [(Path("/etc"), "/etc", "ro"), (context, "/build", "ro"), (opt, "/opt", "rw")]
    here = ["env", "-u", "PIP_FIND_LINKS", f"PATH={PYTHON}/bin:/usr/bin:/bin", "HOME=/tmp"]
    for step in CONTAINERFILE.runs:
        command = in_root(root, binds, [*here, "sh", "-euc", step])
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{step}\n{done.stdout}{done.stderr}"
    return opt / "extproc"
