"""What the compilers see of the user's environment.

A release sees what is named here and nothing else, so that two machines build the same: no flags, search paths or
experiments, neither from variables nor from the file that `go env -w` writes.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence

PLACES = ("HOME", "PATH", "TMPDIR", "XDG_CACHE_HOME", "ZIG_GLOBAL_CACHE_DIR")
"""Where programs, and what they keep, are found.  The compilers and their tools are called by whole paths."""
NETWORK = (
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NETRC", "GIT_SSL_CAINFO", "GIT_SSH_COMMAND", "SSH_AUTH_SOCK"),
)
"""How a site is reached.  What comes from there is held to go.sum."""
REGISTRY = (
    *("GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB", "GONOSUMDB", "GOINSECURE", "GOVCS", "GOAUTH"),
    *("GOMODCACHE", "GOCACHE"),
)
"""Of `go env`: where modules come from, and what Go keeps.  `go env -w` is a site's way to set these."""
_WHERE_THE_FILE_IS = ("GOENV", "XDG_CONFIG_HOME", "GOPATH")
C_PATHS = ("CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX")
"""What else a C compiler reads, and the output depends on, where the machine's own one builds."""

Ask = Callable[[Sequence[str], Mapping[str, str]], str]
"""The output of `go` with these arguments in this environment; empty where it fails."""


def for_release(ask: Ask) -> dict[str, str]:
    """The environment of a release, without what is the build's own.  `{}` where Go cannot say its settings."""
    kept = _taken(*PLACES, *NETWORK)
    asked = ask(["env", "-json", *REGISTRY], {**kept, **_taken(*REGISTRY, *_WHERE_THE_FILE_IS)})
    settings: dict[str, str] = json.loads(asked or "{}")
    return {**kept, **{name: value for name, value in settings.items() if value}, "GOENV": "off"} if settings else {}


def _taken(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
