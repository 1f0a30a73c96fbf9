"""inference.GRPCInferenceService: the Open Inference Protocol v2 over gRPC, for the one model that is served."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import orjson
from google.protobuf.message import DecodeError, Message

from modelwright_server import __version__
from modelwright_server.app import INLINE_BODY_BYTES
from modelwright_server.endpoint import Endpoint
from modelwright_server.grpc_answers import GrpcAnswers
from modelwright_server.grpc_call import Call, Method
from modelwright_server.grpc_tensors import GrpcDecoder
from modelwright_server.http_message import Request, Response
from modelwright_server.inference_proto.open_inference_pb2 import (
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
    ServerLiveRequest,
    ServerLiveResponse,
    ServerMetadataRequest,
    ServerMetadataResponse,
    ServerReadyRequest,
    ServerReadyResponse,
)
from modelwright_server.problems import Problem
from modelwright_server.request_id import fresh_id
from modelwright_server.work import Work

SERVICE = "inference.GRPCInferenceService"

_OK = 200
_M = TypeVar("_M", bound=Message)


class Predictions(Protocol):
    """What predicts, counts and logs."""

    endpoint: Endpoint

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""

    def predict(
        self,
        request: Request,
        decoder: Callable[[Request], Work[Response]],
        route: str,
        reply: Callable[[Response], None],
        *,
        inline: bool,
    ) -> None:
        """Read and predict `request`, and call `reply` once; nothing is read on the loop's thread unless `inline`."""


class Inference:
    """The service's methods."""

    def __init__(self, predictions: Predictions) -> None:
        endpoint = predictions.endpoint
        self._predictions = predictions
        self._metadata = _metadata_of(endpoint)
        outputs = {tensor.name: (tensor.datatype, tuple(tensor.shape)) for tensor in self._metadata.outputs}
        classes = endpoint.predictor.classes
        answers = GrpcAnswers(endpoint.name, endpoint.version, outputs, classes, endpoint.answers)
        self._decoder = GrpcDecoder(endpoint.name, endpoint.version, endpoint.matrix, answers)

    def methods(self) -> Mapping[str, Method]:
        """The service's methods by name."""
        return {
            "ServerLive": Method(self._server_live, "health", for_all=True),
            "ServerReady": Method(self._server_ready, "health", for_all=True),
            "ModelReady": Method(self._model_ready, "metadata"),
            "ServerMetadata": Method(self._server_metadata, "metadata"),
            "ModelMetadata": Method(self._model_metadata, "metadata"),
            "ModelInfer": Method(self._model_infer, None),
        }

    def _model_infer(self, call: Call, message: bytes) -> None:
        head = call.head.http
        request = Request(head, message, head.request_id or fresh_id(), call.received_s)

        def reply(response: Response) -> None:
            if response.status == _OK:
                call.respond(response.body)
            else:
                call.fail(Problem(orjson.loads(response.body)["error"], response.status))

        decode, inline = self._decode, len(message) <= INLINE_BODY_BYTES
        if call.packed:
            # However short it is, it may become long.
            decode, inline = lambda request: self._decoder(call.unpacked(request.body)), False
        self._predictions.predict(request, decode, "grpc", reply, inline=inline)

    def _decode(self, request: Request) -> Work[Response]:
        return self._decoder(request.body)

    def _model_metadata(self, call: Call, message: bytes) -> None:
        request = _parsed(ModelMetadataRequest, call, message)
        self._decoder.check_model(request.name, request.version)
        call.respond(self._metadata.SerializeToString())

    def _model_ready(self, call: Call, message: bytes) -> None:
        request = _parsed(ModelReadyRequest, call, message)
        # As Triton has it: no error for a model that isn't here, because this is a question that has an answer.
        ready = self._predictions.ready and self._decoder.serves(request.name, request.version)
        call.respond(ModelReadyResponse(ready=ready).SerializeToString())

    def _server_metadata(self, call: Call, message: bytes) -> None:
        _parsed(ServerMetadataRequest, call, message)
        call.respond(ServerMetadataResponse(name="modelwright", version=__version__).SerializeToString())

    def _server_live(self, call: Call, message: bytes) -> None:
        _parsed(ServerLiveRequest, call, message)
        call.respond(ServerLiveResponse(live=True).SerializeToString())

    def _server_ready(self, call: Call, message: bytes) -> None:
        _parsed(ServerReadyRequest, call, message)
        call.respond(ServerReadyResponse(ready=self._predictions.ready).SerializeToString())


def _metadata_of(endpoint: Endpoint) -> ModelMetadataResponse:
    """The same as REST tells of the model."""
    document = orjson.loads(endpoint.documents()[f"/v2/models/{endpoint.name}"].body)
    return ModelMetadataResponse(**document)


def _parsed(kind: type[_M], call: Call, message: bytes) -> _M:
    try:
        return kind.FromString(call.unpacked(message))
    except DecodeError:
        raise Problem(f"the message is no {kind.DESCRIPTOR.full_name}", 400) from None
