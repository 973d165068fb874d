"""Signatures of bundles, checked by OPA itself (https://www.openpolicyagent.org/docs/management-bundles#signing)."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from extproc.engines.library import library
from extproc.errors import PolicyLoadError

_YAML = {"data.yaml", "data.yml"}


@dataclass(frozen=True, slots=True)
class BundleKey:
    """A key that may sign: PEM of a public key or certificate, or for HS256 to HS512 the secret itself.

    `algorithm` is that of the signature, whatever the bundle says; `scope` must be the signature's own, mostly empty.
    """

    file: Path
    algorithm: str
    scope: str = ""


def verify(path: Path, files: Mapping[PurePosixPath, bytes], keys: Mapping[str, BundleKey]) -> None:
    """Raise PolicyLoadError unless one of the keys, by its id, signed exactly these files.

    What is verified is what we read, so that there are no two readers of one archive to disagree.  YAML is refused for
    the same reason: its digest is of the values that OPA's reader sees, and ours could see others.
    """
    if yaml := sorted(str(name) for name in files if name.name in _YAML):
        raise PolicyLoadError(f"{path}: {', '.join(yaml)} cannot be verified: `opa build` makes a data.json of it")
    specification = {
        "files": {str(name): b64encode(content).decode() for name, content in files.items()},
        "keys": {id_: _document(key) for id_, key in keys.items()},
    }
    try:
        library().verify_bundle(json.dumps(specification).encode())
    except PolicyLoadError as error:
        raise PolicyLoadError(f"{path} is not signed by a key of policy.bundle_keys: {error}") from None


def _document(key: BundleKey) -> dict[str, str]:
    try:
        text = key.file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyLoadError(f"{key.file} cannot be read ({error}): correct policy.bundle_keys") from error
    return {"key": text, "algorithm": key.algorithm, "scope": key.scope}
