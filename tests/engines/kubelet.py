"""A ConfigMap as kubelet mounts it (its AtomicWriter): versions in hidden folders, and one link to swap."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath


@dataclass
class Mount:
    """`folder` holds `..data`, a link to the newest version, and a link through it for each name at the top."""

    folder: Path
    _versions: "count[int]" = field(default_factory=count)

    def write(self, payload: Mapping[str, str]) -> None:
        """Swap to a version with these files, as one rename; the old version goes after it."""
        version = self.folder / f"..2026_11_27_{next(self._versions)}"
        for name, text in payload.items():
            (version / name).parent.mkdir(parents=True, exist_ok=True)
            (version / name).write_text(text)
        new = self.folder / "..data_tmp"
        new.symlink_to(version.name)
        old = (self.folder / "..data").resolve()
        new.replace(self.folder / "..data")
        for top in {PurePosixPath(name).parts[0] for name in payload}:
            if not (self.folder / top).is_symlink():
                (self.folder / top).symlink_to(f"..data/{top}")
        if old.name != "..data":
            shutil.rmtree(old)
