"""Requests of the Open Inference Protocol over gRPC, in the messages that NVIDIA's client comes with."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as v2

from .processes import Server


def channel_to(server: Server) -> grpc.Channel:
    """A connection of its own to a server."""
    return grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}", [("grpc.use_local_subchannel_pool", 1)])


def matrix_request(rows: int = 1, distance: float = 500.0) -> v2.ModelInferRequest:
    """A request with the model's own matrix as raw contents."""
    request = v2.ModelInferRequest(model_name="late")
    request.inputs.add(name="features", datatype="FP64", shape=[rows, 5])
    request.raw_input_contents.append(np.tile([1.0, distance, 100.0, 0.0, 12.0], (rows, 1)).tobytes())
    return request


def refusal(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    """The status that a call ends with, and its sentence."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value.code(), raised.value.details() or ""
