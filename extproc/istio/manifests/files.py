"""What the server reads, as ConfigMaps: its configuration with the paths of a pod, and the policies."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import walk
from pathlib import Path, PurePosixPath

import yaml

from extproc.config import Settings
from extproc.errors import ConfigurationError
from extproc.istio.attachment import ADMIN_PORT, NAME, PORT, Attachment
from extproc.istio.manifests.objects import Document, kubernetes_object

CONFIG = PurePosixPath("/etc/extproc/config/extproc.yaml")
POLICIES = PurePosixPath("/etc/extproc/policies")
KEYS = PurePosixPath("/etc/extproc/keys")
TLS = PurePosixPath("/etc/extproc/tls")
RECEIPTS = PurePosixPath("/var/lib/extproc")

SIGNING_KEY = "signing.pem"
HMAC_KEY = "hmac.key"

CONFIG_NAME = f"{NAME}-config"
KEYS_NAME = f"{NAME}-keys"
TLS_NAME = f"{NAME}-tls"
GATEWAY_TLS_NAME = f"{NAME}-gateway-tls"
"""Secrets as cert-manager makes them: `tls.crt`, `tls.key`, `ca.crt`; the second in the gateway's namespace."""

MOST_BYTES = 1 << 20
"""Of a ConfigMap, keys and values together (https://kubernetes.io/docs/concepts/configuration/configmap/)."""

_KEY = re.compile(r"(?!\.\.)[-._A-Za-z0-9]{1,253}")
"""Of a ConfigMap or a Secret, as the API server takes one; the published schemas do not say so."""

_WANTED = {"data.json", "data.yaml", "data.yml", ".manifest"}


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """`path` is relative to POLICIES, in the pod as in the folder that it came from."""

    path: PurePosixPath
    content: bytes

    @property
    def key(self) -> str:
        """A ConfigMap's keys have no slashes."""
        return str(self.path).replace("/", "__")


def policy_files(settings: Settings) -> tuple[PolicyFile, ...]:
    """Everything under `policy.paths` that the server would read, in a fixed order.

    Raises ConfigurationError for what cannot be read, for nothing, for more than a ConfigMap holds, for a name that
    none of its keys can have, and for two paths of one name.
    """
    if settings.policy.engine != "embedded":
        return ()
    names = [path.name for path in settings.policy.paths]
    if len(set(names)) < len(names):
        raise ConfigurationError("policy.paths: two of them have the same name, and lie side by side in a pod")
    try:
        files = tuple(file for path in settings.policy.paths for file in _files(path))
    except OSError as error:
        raise ConfigurationError(f"policy.paths: {error.filename} cannot be read ({error.strerror})") from error
    if not files:
        raise ConfigurationError("policy.paths: there is nothing in them that the server would read")
    for file in files:
        _check_key(file.key, f"policy.paths: rename {str(file.path)!r}")
    if sum(len(file.key) + len(file.content) for file in files) > MOST_BYTES:
        raise ConfigurationError(f"policy.paths: a ConfigMap holds {MOST_BYTES} bytes, and these are more")
    if len({file.key for file in files}) < len(files):
        raise ConfigurationError("policy.paths: two files are the same but for `__` and `/`: rename one")
    return files


def _check_key(key: str, mend: str) -> None:
    if not _KEY.fullmatch(key):
        raise ConfigurationError(
            f"{mend}: a key of a ConfigMap or a Secret has letters and digits of ASCII, `-`, `_` and `.`, 253 at most"
        )


def _files(path: Path) -> Iterator[PolicyFile]:
    if not path.is_dir():
        yield PolicyFile(PurePosixPath(path.name), path.read_bytes())
        return
    for folder, folders, names in walk(path, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if name in _WANTED or (name.endswith(".rego") and not name.startswith(".") and not _is_test(name)):
                yield PolicyFile(PurePosixPath(path.name, file.relative_to(path)), file.read_bytes())


def _is_test(name: str) -> bool:
    return name.endswith("_test.rego")


def _raise(error: OSError) -> None:
    raise error


def policies_name(files: Iterable[PolicyFile]) -> str:
    """Of their ConfigMap, after its content: that of pods that run never changes.

    Under one name kubelet would give pods of an old rendering, which mount the old list of files, those of them that
    changed and none that is new.  A rule that moved to a file of its own would be in neither.
    """
    lines = "\n".join(sorted(f"{hashlib.sha256(file.content).hexdigest()}  {file.key}" for file in files))
    return f"{NAME}-policies-{hashlib.sha256(lines.encode()).hexdigest()[:10]}"


def policies_map(attachment: Attachment, files: tuple[PolicyFile, ...]) -> Document:
    """Text as text, bundles as base64."""
    texts: dict[str, str] = {}
    bundles: dict[str, str] = {}
    for file in files:
        try:
            texts[file.key] = file.content.decode()
        except UnicodeDecodeError:
            bundles[file.key] = base64.b64encode(file.content).decode()
    content = {name: value for name, value in (("data", texts), ("binaryData", bundles)) if value}
    return kubernetes_object("v1", "ConfigMap", attachment.home, name=policies_name(files), **content)


def config_map(attachment: Attachment, settings: Settings) -> Document:
    """The same settings, but for what depends on where they are read."""
    document = in_a_pod(attachment, settings)
    Settings.model_validate(document)
    text = yaml.safe_dump(document, sort_keys=False, width=120)
    return kubernetes_object("v1", "ConfigMap", attachment.home, name=CONFIG_NAME, data={CONFIG.name: text})


def in_a_pod(attachment: Attachment, settings: Settings) -> Document:
    """The configuration as a document: what differs from the defaults, with a pod's addresses and paths.

    One worker, for replicas scale.  Keys come from a Secret: a key of each pod's own could not be pinned.
    """
    document: Document = settings.model_dump(mode="json", exclude_defaults=True)
    in_pod = attachment.profile == "in-pod"
    if not in_pod:
        document.pop("workers", None)
    here: Document = {} if in_pod else {"listen": f"0.0.0.0:{PORT}"}
    here["admin"] = {"listen": f"0.0.0.0:{ADMIN_PORT}"}
    here["policy"] = _policy(settings)
    here["evidence"] = {
        "directory": str(RECEIPTS / "receipts"),
        "key": str(KEYS / SIGNING_KEY),
        "hmac_key": str(KEYS / HMAC_KEY),
    }
    if settings.tls is not None:
        names = {"certificate": "tls.crt", "key": "tls.key", "client_ca": "ca.crt"}
        here["tls"] = {key: str(TLS / name) for key, name in names.items()}
    merge(document, here)
    return document


def _policy(settings: Settings) -> Document:
    policy = settings.policy
    for name in sorted({key.file.name for key in policy.bundle_keys.values()}):
        _check_key(name, f"policy.bundle_keys: rename {name!r}")
    names = [HMAC_KEY, SIGNING_KEY, *(file.name for file in {key.file for key in policy.bundle_keys.values()})]
    if len(set(names)) < len(names):
        raise ConfigurationError(
            f"policy.bundle_keys: two files have the same name, or one is {SIGNING_KEY} or {HMAC_KEY}, and all of them "
            f"are files of one Secret, {KEYS_NAME}: rename one"
        )
    paths: Document = {"paths": [str(POLICIES / path.name) for path in policy.paths]} if policy.paths else {}
    keys = {name: {"file": str(KEYS / key.file.name)} for name, key in policy.bundle_keys.items()}
    return paths | ({"bundle_keys": keys} if keys else {})


def merge(document: Document, over: Document) -> None:
    """Mapping by mapping; anything else replaces what was there."""
    for key, value in over.items():
        mine = document.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            merge(mine, value)
        else:
            document[key] = value


def digest(*parts: Mapping[str, object]) -> str:
    """SHA-256 over documents: in a pod's annotation it makes a change of them a rollout."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
