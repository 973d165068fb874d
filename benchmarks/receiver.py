"""An OTLP/gRPC receiver that takes every batch and forgets it, so that 200,000 spans do not fill the memory.

    python -m benchmarks.receiver

Prints its address, HOST:PORT, as the first line.  It answers with an empty ExportTraceServiceResponse: all accepted.
"""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


def _export(_: bytes, __: grpc.ServicerContext) -> bytes:
    return b""


def main() -> None:
    """Receive until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # before the threads, which inherit it
    server = grpc.server(ThreadPoolExecutor(2))
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(_export)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Export": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"127.0.0.1:{port}\n")
    sys.stdout.flush()
    signal.sigwait([signal.SIGTERM])
    server.stop(None).wait()


if __name__ == "__main__":
    main()
