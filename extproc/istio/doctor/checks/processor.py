"""The settings of the ext_proc filter itself."""

from collections.abc import Iterator
from datetime import timedelta

from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ProcessingMode
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ProcessingModeHeaderSendMode as Send

from extproc.config.settings import MARGIN_MS
from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.view import Processor, View
from extproc.istio.gateway import NAMESPACE, Gateway
from extproc.istio.mutation_rules import mutation_rules
from extproc.istio.processor import BODIES_WAIVED, REQUEST_BODY_WAIVED, processing_mode

JWT = "envoy.filters.http.jwt_authn"
CODE_DETAILS = "response.code_details"
# ExternalProcessor.message_timeout, where it is absent.
DEFAULT_TIMEOUT = timedelta(milliseconds=200)


def _failure_mode_allow(view: View, _: Expected) -> Iterator[Spot]:
    for _chain, ours in view.processed:
        if ours.config.failure_mode_allow:
            yield Spot(ours.path_to("failure_mode_allow"), "is true")


def _verdict_ignored(view: View, _: Expected) -> Iterator[Spot]:
    for _chain, ours in view.processed:
        if ours.config.observability_mode:
            yield Spot(ours.path_to("observability_mode"), "is true: Envoy does not wait for an answer")
        if ours.config.disable_immediate_response:
            yield Spot(ours.path_to("disable_immediate_response"), "is true: Envoy takes no denial")


def _request_mode(view: View, expected: Expected) -> Iterator[Spot]:
    for _chain, ours in view.processed:
        yield from _modes(ours, expected.gateway, "request_")


def _response_mode(view: View, expected: Expected) -> Iterator[Spot]:
    for _chain, ours in view.processed:
        yield from _modes(ours, expected.gateway, "response_")


def _modes(ours: Processor, gateway: Gateway, half: str) -> Iterator[Spot]:
    found = _parts(ours.config.processing_mode or ProcessingMode())
    for part, wanted in _parts(processing_mode(response_point=gateway.response_point)).items():
        if part.startswith(half) and found[part] != wanted:
            yield Spot(f"{ours.path_to('processing_mode')}.{part}", f"is {found[part]}, must be {wanted}")


def _parts(mode: ProcessingMode) -> dict[str, str]:
    """The six parts; DEFAULT is what Envoy takes it for: headers are sent, trailers are not."""
    headers = {"request_header_mode": mode.request_header_mode, "response_header_mode": mode.response_header_mode}
    trailers = {"request_trailer_mode": mode.request_trailer_mode, "response_trailer_mode": mode.response_trailer_mode}
    return {
        **{part: _sent(value, Send.SEND) for part, value in headers.items()},
        **{part: _sent(value, Send.SKIP) for part, value in trailers.items()},
        "request_body_mode": mode.request_body_mode.name or "unknown",
        "response_body_mode": mode.response_body_mode.name or "unknown",
    }


def _sent(mode: Send, default: Send) -> str:
    return (default if mode is Send.DEFAULT else mode).name or "unknown"


def _mode_override(view: View, expected: Expected) -> Iterator[Spot]:
    wanted = [BODIES_WAIVED, REQUEST_BODY_WAIVED]
    for _chain, ours in view.processed:
        allowed, modes = ours.config.allow_mode_override, ours.config.allowed_override_modes
        if allowed and not modes:
            yield Spot(ours.path_to("allowed_override_modes"), "is empty: any override is taken")
        elif allowed and not expected.gateway.waivers:
            yield Spot(ours.path_to("allow_mode_override"), "is true, and this configuration waives no body")
        elif not allowed and expected.gateway.waivers:
            yield Spot(ours.path_to("allow_mode_override"), "is false: a waived body is buffered all the same")
        elif allowed and not all(mode in modes for mode in wanted):
            yield Spot(ours.path_to("allowed_override_modes"), "lacks a mode that the server sends")
        elif any(mode not in wanted for mode in modes):
            yield Spot(ours.path_to("allowed_override_modes"), "holds a mode that the server never sends")


def _message_timeout(view: View, expected: Expected) -> Iterator[Spot]:
    least = timedelta(milliseconds=expected.deadline_ms + MARGIN_MS)
    for _chain, ours in view.processed:
        found = DEFAULT_TIMEOUT if ours.config.message_timeout is None else ours.config.message_timeout
        if found < least:
            yield Spot(ours.path_to("message_timeout"), f"is {_ms(found)} ms, must be at least {_ms(least)} ms")


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)


def _receiving_namespaces(view: View, _: Expected) -> Iterator[Spot]:
    for _chain, ours in view.processed:
        options = ours.config.metadata_options
        receiving = options.receiving_namespaces if options else None
        if receiving is None or NAMESPACE not in receiving.untyped:
            yield Spot(f"{ours.path_to('metadata_options')}.receiving_namespaces", f"lacks {NAMESPACE}")


def _forwarding_namespaces(view: View, _: Expected) -> Iterator[Spot]:
    for chain, ours in view.processed:
        options = ours.config.metadata_options
        forwarding = options.forwarding_namespaces if options else None
        if chain.named(JWT) and (forwarding is None or JWT not in forwarding.untyped):
            yield Spot(f"{ours.path_to('metadata_options')}.forwarding_namespaces", f"lacks {JWT}")


def _code_details(view: View, _: Expected) -> Iterator[Spot]:
    for _chain, ours in view.processed:
        if CODE_DETAILS not in ours.config.response_attributes:
            yield Spot(ours.path_to("response_attributes"), f"lacks {CODE_DETAILS}")


def _mutation_rules(view: View, expected: Expected) -> Iterator[Spot]:
    wanted = mutation_rules(expected.gateway)
    for _chain, ours in view.processed:
        if ours.config.mutation_rules != wanted:
            yield Spot(ours.path_to("mutation_rules"), "is not what this configuration renders")


CHECKS = (
    Check(
        "failure_mode_allow",
        Severity.ERROR,
        "When the server is away, slow or broken, traffic passes uninspected (the request guard still refuses it).",
        "Set failure_mode_allow: false.",
        _failure_mode_allow,
    ),
    Check(
        "verdict_ignored",
        Severity.ERROR,
        "The processor is asked, and its denial is not obeyed.",
        "Remove observability_mode and disable_immediate_response; for a trial use policy.mode: shadow.",
        _verdict_ignored,
    ),
    Check(
        "request_mode",
        Severity.ERROR,
        "A part of the request that is not sent, or sent in pieces, is not what the policy decides on.",
        "Render the filter again from this configuration.",
        _request_mode,
    ),
    Check(
        "response_mode",
        Severity.ERROR,
        "A part of the response that is not sent cannot be blocked, and the response guard refuses the whole.",
        "Render the filter again from this configuration; policy.points.response: null leaves responses out by name.",
        _response_mode,
    ),
    Check(
        "mode_override",
        Severity.ERROR,
        "Envoy drops an override that it does not know in silence, and takes any where none is listed.",
        "Render the filter again: the two modes that the server sends, or neither field.",
        _mode_override,
    ),
    Check(
        "message_timeout",
        Severity.ERROR,
        "Envoy gives up with a 504 of its own before the server's deadline: no receipt reaches the client.",
        f"Set message_timeout to envoy.message_timeout_ms, at least policy.deadline_ms + {MARGIN_MS}.",
        _message_timeout,
    ),
    Check(
        "receiving_namespaces",
        Severity.ERROR,
        "Envoy drops the verdict that the guards look for: every request is refused.",
        f"Set metadata_options.receiving_namespaces.untyped: [{NAMESPACE}].",
        _receiving_namespaces,
    ),
    Check(
        "forwarding_namespaces",
        Severity.WARNING,
        "The claims of a checked JWT never reach the policy.",
        f"Set metadata_options.forwarding_namespaces.untyped: [{JWT}].",
        _forwarding_namespaces,
    ),
    Check(
        "code_details",
        Severity.ERROR,
        "The server cannot tell an answer of Envoy's own from the upstream's, and judges it as a response.",
        f"Add {CODE_DETAILS} to response_attributes.",
        _code_details,
    ),
    Check(
        "mutation_rules",
        Severity.WARNING,
        "Envoy drops a header that they do not allow in silence, or lets policy change what it may not.",
        "Render the filter again from this configuration.",
        _mutation_rules,
    ),
)
