"""`python -m kite.rpc.probe HOST:PORT`: is the gRPC server there SERVING? For container health.

Exit code 0 when it is; 1 and one sentence when it is not.
"""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

SECONDS = 3.0


def probe(target: str, *, seconds: float = SECONDS) -> str:
    """Empty when `target` is serving, else one sentence that says what is wrong."""
    with grpc.insecure_channel(target) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=seconds
            )
        except grpc.RpcError as failed:
            return f"{target} did not answer ({failed.code().name.lower()})"
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return "" if status == "SERVING" else f"{target} answered {status}"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m kite.rpc.probe HOST:PORT\n")
        return 2
    trouble = probe(arguments[0])
    if trouble:
        sys.stderr.write(f"{trouble}\n")
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
