"""The embedded engine of a configuration: a worker's, and a command's that asks whether there could be a worker."""

import asyncio

from extproc.config import Settings
from extproc.core.engine import PolicyIdentity
from extproc.engines.embedded import EmbeddedEngine, Options
from extproc.engines.signatures import BundleKey
from extproc.engines.sources import load
from extproc.server.translation import rules_of


def bundle_keys(settings: Settings) -> dict[str, BundleKey]:
    """By their ids; their files are not read yet."""
    keys = settings.policy.bundle_keys.items()
    return {id_: BundleKey(key.file, key.algorithm, key.scope) for id_, key in keys}


def embedded_engine(settings: Settings) -> EmbeddedEngine:
    """With its policies loaded and compiled; within a running event loop.  Raises PolicyLoadError."""
    policy = settings.policy
    return EmbeddedEngine(
        policies=load(policy.paths, policy.data, bundle_keys(settings)),
        entrypoints=rules_of(settings).entrypoints,
        options=Options(allow_builtins=policy.allow_builtins, explain=policy.explain, memory_bytes=policy.memory_bytes),
    )


def compiled(settings: Settings) -> PolicyIdentity | None:
    """What a worker would decide by; None for an OPA server, whose policies are its own.

    **Nothing is evaluated**: a rule that would fail on some input is found by the policy's tests.  Raises
    PolicyLoadError as a worker does.
    """
    return asyncio.run(_identity(settings)) if settings.policy.engine == "embedded" else None


async def _identity(settings: Settings) -> PolicyIdentity:
    engine = embedded_engine(settings)
    await engine.close()
    return engine.identity()
