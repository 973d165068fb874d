"""gRPC health on the main port: what Envoy's active health check of the cluster asks.

Source: grpc/health/v1/health.proto.
"""

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio


class Health:
    """SERVING or NOT_SERVING, for the whole server (the empty service name)."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._servicer = aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    async def set(self, *, serving: bool) -> None:
        """Tell everyone who asks or watches."""
        status = health_pb2.HealthCheckResponse
        await self._servicer.set("", status.SERVING if serving else status.NOT_SERVING)
