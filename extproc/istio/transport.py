"""Mutual TLS from Envoy to the server, where no mesh brings it."""

from envoy_data_plane.envoy.config.core.v3 import DataSource, TransportSocket
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    CommonTlsContext,
    SubjectAltNameMatcher,
    SubjectAltNameMatcherSanType,
    TlsCertificate,
    TlsParameters,
    TlsParametersTlsProtocol,
    UpstreamTlsContext,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher
from envoy_data_plane.google.protobuf import Any

from extproc.istio.gateway import ClientTls


def transport_socket(tls: ClientTls) -> TransportSocket:
    """TLS 1.2 or newer.  The server must have the name and be of the CA: Envoy checks neither unless it is told."""
    is_uri = "://" in tls.server_san
    context = UpstreamTlsContext(
        # A URI is no server name (RFC 6066 section 3).
        sni="" if is_uri else tls.server_san,
        common_tls_context=CommonTlsContext(
            tls_params=TlsParameters(tls_minimum_protocol_version=TlsParametersTlsProtocol.TLSv1_2),
            alpn_protocols=["h2"],
            tls_certificates=[
                TlsCertificate(
                    certificate_chain=DataSource(filename=tls.certificate), private_key=DataSource(filename=tls.key)
                )
            ],
            validation_context=CertificateValidationContext(
                trusted_ca=DataSource(filename=tls.server_ca),
                match_typed_subject_alt_names=[
                    SubjectAltNameMatcher(
                        san_type=SubjectAltNameMatcherSanType.URI if is_uri else SubjectAltNameMatcherSanType.DNS,
                        matcher=StringMatcher(exact=tls.server_san),
                    )
                ],
            ),
        ),
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=Any.pack(context))
