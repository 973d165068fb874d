from dataclasses import replace
from datetime import timedelta

import pytest
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import (
    ExternalProcessor,
    ProcessingMode,
    ProcessingModeBodySendMode,
    ProcessingModeHeaderSendMode,
)
from envoy_data_plane.envoy.type.v3 import StatusCode

from extproc.errors import ConfigurationError
from extproc.istio.gateway import Gateway
from extproc.istio.processor import processor

SEND, SKIP = ProcessingModeHeaderSendMode.SEND, ProcessingModeHeaderSendMode.SKIP
BUFFERED, NONE = ProcessingModeBodySendMode.BUFFERED, ProcessingModeBodySendMode.NONE


def config_of(gateway: Gateway) -> ExternalProcessor:
    packed = processor(gateway).typed_config
    assert packed is not None
    config = packed.unpack()
    assert isinstance(config, ExternalProcessor)
    return config


def test_the_filter_fails_closed(gateway: Gateway) -> None:
    config = config_of(gateway)

    assert config.failure_mode_allow is False
    assert config.message_timeout == timedelta(seconds=2)
    assert config.status_on_error is not None
    assert config.status_on_error.code is StatusCode.ServiceUnavailable


def test_the_failure_status_is_the_configured_one(gateway: Gateway) -> None:
    status = config_of(replace(gateway, status_on_error=403)).status_on_error

    assert status is not None
    assert status.code is StatusCode.Forbidden


def test_a_status_that_envoy_does_not_know_is_refused(gateway: Gateway) -> None:
    with pytest.raises(ConfigurationError, match="Envoy itself cannot answer with 451"):
        processor(replace(gateway, status_on_error=451))


def test_all_six_parts_are_sent(gateway: Gateway) -> None:
    assert config_of(gateway).processing_mode == ProcessingMode(
        request_header_mode=SEND,
        request_body_mode=BUFFERED,
        request_trailer_mode=SEND,
        response_header_mode=SEND,
        response_body_mode=BUFFERED,
        response_trailer_mode=SEND,
    )


def test_a_request_only_profile_sends_of_the_response_its_headers(gateway: Gateway) -> None:
    assert config_of(replace(gateway, response_point=False)).processing_mode == ProcessingMode(
        request_header_mode=SEND,
        request_body_mode=BUFFERED,
        request_trailer_mode=SEND,
        response_header_mode=SEND,
        response_body_mode=NONE,
        response_trailer_mode=SKIP,
    )


def test_no_override_is_possible_where_no_body_can_be_waived(gateway: Gateway) -> None:
    config = config_of(gateway)

    assert (config.allow_mode_override, config.allowed_override_modes) == (False, [])


def test_only_the_overrides_that_the_server_sends_are_possible_otherwise(gateway: Gateway) -> None:
    config = config_of(replace(gateway, waivers=True))

    assert config.allow_mode_override
    both, request = config.allowed_override_modes
    assert both == ProcessingMode(
        request_header_mode=SEND,
        request_body_mode=NONE,
        request_trailer_mode=SKIP,
        response_header_mode=SEND,
        response_body_mode=NONE,
        response_trailer_mode=SKIP,
    )
    assert request == replace(both, response_body_mode=BUFFERED, response_trailer_mode=SEND)


def test_the_processor_reads_the_jwt_and_writes_only_its_own_namespace(gateway: Gateway) -> None:
    options = config_of(gateway).metadata_options

    assert options is not None
    assert options.forwarding_namespaces is not None
    assert options.forwarding_namespaces.untyped == ["envoy.filters.http.jwt_authn"]
    assert options.receiving_namespaces is not None
    assert options.receiving_namespaces.untyped == ["extproc"]


def test_the_attributes_say_who_asked_and_who_answered(gateway: Gateway) -> None:
    config = config_of(gateway)

    assert {"request.id", "source.address", "connection.uri_san_peer_certificate"} <= set(config.request_attributes)
    assert "response.code_details" in config.response_attributes


def test_the_filter_is_not_named_like_istios(gateway: Gateway) -> None:
    assert processor(gateway).name == "extproc.policy"
