"""The gateway's API in Python, made of the proto files when it is imported."""

import pathlib
import sys

import grpc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"

# grpc finds proto files where Python finds modules.
sys.path.insert(0, str(PROTO))
try:
    api, services = grpc.protos_and_services("quotagate/v1/admission.proto")
except NotImplementedError:
    sys.exit("the proto files need grpcio-tools: pip install grpcio grpcio-tools")


def channel(address):
    """A connection to http://HOST:PORT, HOST:PORT or unix:///PATH."""
    return grpc.insecure_channel(address.removeprefix("http://").rstrip("/"))
