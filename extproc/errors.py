"""The whole exception tree; every class has one stable word, its `code`, and the answer it deserves.

    ExtProcError
    ├── StartupError               before serving: one sentence that says what to do, exit status 2
    │   ├── ConfigurationError     configuration
    │   ├── PolicyLoadError        policy_load
    │   ├── KeyFileError           key_file
    │   ├── CertificateError       certificate
    │   ├── EvidenceDirectoryError evidence_directory
    │   ├── ListenError            listen
    │   ├── EnvoyMissingError      envoy_missing
    │   └── DumpError              dump
    ├── ExchangeError              while serving: a denial of this exchange, with a receipt
    │   ├── UndefinedDecision      undefined_decision    answered with blocking.status
    │   ├── EngineTimeout          engine_timeout        answered with blocking.failure_status, as all below
    │   ├── EngineError            engine_error
    │   ├── InvalidDecision        invalid_decision
    │   ├── MutationRefused        mutation_refused
    │   ├── EvidenceUnwritable     evidence_unwritable
    │   ├── Overloaded             overloaded
    │   └── ProtocolError          protocol_error
    ├── BodyError                  a body that cannot be shown whole; its code is the inspection state
    │   ├── OverLimit              over_limit
    │   ├── Undecodable            undecodable
    │   ├── Malformed              malformed
    │   └── TypeMismatch           type_mismatch
    └── VerificationError          verification          a receipt or a log that does not prove what it claims

Beside the code that alone raises them: Unsynced (extproc.evidence.wal), an EvidenceUnwritable; ExportError and
ExportRejected (extproc.telemetry.otlp), which no exchange ever sees.

A code is the metric label, `error.type` on the span, the receipt's reason, `ImmediateResponse.details` and the word in
the documentation (docs/errors.md).  Renaming one is a breaking change.
"""

from enum import StrEnum
from typing import ClassVar


class Answer(StrEnum):
    """Which configured status an error is answered with."""

    BLOCKING = "blocking.status"
    FAILURE = "blocking.failure_status"


class ExtProcError(Exception):
    """Everything that this package raises on purpose."""

    code: ClassVar[str]


class StartupError(ExtProcError):
    """The process cannot serve; the message names the thing and what to do about it."""


class ConfigurationError(StartupError):
    """A configuration key is unknown, missing or holds a value that it may not hold."""

    code = "configuration"


class PolicyLoadError(StartupError):
    """The policy cannot be read, does not compile, or does not define a configured entrypoint."""

    code = "policy_load"


class KeyFileError(StartupError):
    """A key file is missing, unreadable or not of the expected kind."""

    code = "key_file"


class CertificateError(StartupError):
    """A certificate, its key or a CA is missing, unreadable, of another kind, out of its time, or does not fit."""

    code = "certificate"


class EvidenceDirectoryError(StartupError):
    """The evidence directory cannot be written."""

    code = "evidence_directory"


class ListenError(StartupError):
    """A socket cannot be bound."""

    code = "listen"


class EnvoyMissingError(StartupError):
    """There is no Envoy to start: the `demo` extra is not installed."""

    code = "envoy_missing"


class DumpError(StartupError):
    """A gateway's config dump cannot be had, or is none."""

    code = "dump"


class ExchangeError(ExtProcError):
    """The exchange cannot be allowed; the client gets a denial and the evidence names `code`."""

    answer: ClassVar[Answer] = Answer.FAILURE


class UndefinedDecision(ExchangeError):
    """The entrypoint has no rule that applies: no opinion is a denial."""

    code = "undefined_decision"
    answer = Answer.BLOCKING


class EngineTimeout(ExchangeError):
    """The policy engine did not answer before the deadline."""

    code = "engine_timeout"


class EngineError(ExchangeError):
    """The policy engine failed: an evaluation error, a lost connection, an answer that is none."""

    code = "engine_error"


class InvalidDecision(ExchangeError):
    """The policy answered with something that is not a decision."""

    code = "invalid_decision"


class MutationRefused(ExchangeError):
    """The policy asked for a change that the configuration does not permit."""

    code = "mutation_refused"


class EvidenceUnwritable(ExchangeError):
    """The receipt cannot be signed or written."""

    code = "evidence_unwritable"


class Overloaded(ExchangeError):
    """A budget (memory, queue) is full."""

    code = "overloaded"


class ProtocolError(ExchangeError):
    """Envoy sent a message that its protocol does not permit here."""

    code = "protocol_error"


class BodyError(ExtProcError):
    """The body cannot be shown to the policy whole; `code` is the name of its inspection state."""


class OverLimit(BodyError):
    """More bytes, encoded or decoded, than allowed."""

    code = "over_limit"


class Undecodable(BodyError):
    """A content coding or charset that cannot be undone exactly."""

    code = "undecodable"


class Malformed(BodyError):
    """The declared type does not parse strictly."""

    code = "malformed"


class TypeMismatch(BodyError):
    """The bytes contradict the declared type."""

    code = "type_mismatch"


class VerificationError(ExtProcError):
    """A signature, a chain or a document does not verify."""

    code = "verification"
