"""What Istio's agent does in a pod: has istiod certify it, and gives Envoy the certificate and the root over SDS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc.aio
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from envoy.service.secret.v3 import sds_pb2_grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from istio_live.certificates import Identity, signing_request
from istio_live.control_plane import ControlPlane

_CREATE = "/istio.v1.auth.IstioCertificateService/CreateCertificate"


def _message(name: str, field: str, label: int) -> type:
    """A message whose field 1 is of text, as both of istio.io/api/security/v1alpha1/ca.proto (1.31) are to us."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="extproc.test")
    message = file.message_type.add(name=name)
    message.field.add(name=field, number=1, label=label, type=descriptor_pb2.FieldDescriptorProto.TYPE_STRING)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"extproc.test.{name}"))


_Request = _message("IstioCertificateRequest", "csr", descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL)
_Response = _message("IstioCertificateResponse", "cert_chain", descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED)


async def certified(plane: ControlPlane, namespace: str, service_account: str) -> Identity:
    """`spiffe://cluster.local/ns/NAMESPACE/sa/SERVICE_ACCOUNT`, signed by istiod for both ends of a connection."""
    request, key = signing_request()
    token = (("authorization", f"Bearer {namespace}:{service_account}"),)
    async with grpc.aio.insecure_channel(plane.xds) as channel:
        create = channel.unary_unary(_CREATE, _Request.SerializeToString, _Response.FromString)
        answer = await create(_Request(csr=request.decode()), metadata=token)
    return Identity("".join(answer.cert_chain[:-1]).encode(), key)  # the last is the root


class _Secrets(sds_pb2_grpc.SecretDiscoveryServiceServicer):
    """What istiod's configuration asks for: `default` and `ROOTCA`."""

    def __init__(self, root: bytes, identity: Identity) -> None:
        self._root, self._identity = root, identity

    async def StreamSecrets(  # noqa: N802 - the service's own name
        self, requests: AsyncIterator[DiscoveryRequest], _context: grpc.aio.ServicerContext
    ) -> AsyncIterator[DiscoveryResponse]:
        async for request in requests:
            if request.response_nonce:  # an acknowledgement: nothing changes here
                continue
            response = DiscoveryResponse(version_info="1", nonce="1", type_url=request.type_url)
            for name in request.resource_names:
                response.resources.add().Pack(self._secret(name))
            yield response

    def _secret(self, name: str) -> Secret:
        secret = Secret(name=name)
        if name == "ROOTCA":
            secret.validation_context.trusted_ca.inline_bytes = self._root
        else:
            secret.tls_certificate.certificate_chain.inline_bytes = self._identity.certificate
            secret.tls_certificate.private_key.inline_bytes = self._identity.key
        return secret


@asynccontextmanager
async def agent(root: bytes, identity: Identity) -> AsyncIterator[str]:
    """Serve these; the address is HOST:PORT."""
    server = grpc.aio.server()
    sds_pb2_grpc.add_SecretDiscoveryServiceServicer_to_server(_Secrets(root, identity), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(grace=None)
