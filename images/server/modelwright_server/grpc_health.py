"""grpc.health.v1: whether calls should be sent here. Asked by orchestrators and load balancers, so without a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from google.protobuf.message import DecodeError

from modelwright_server.grpc_call import Call, Method
from modelwright_server.inference_proto.health_pb2 import HealthCheckRequest, HealthCheckResponse
from modelwright_server.problems import Problem

SERVICE = "grpc.health.v1.Health"

_State = HealthCheckResponse.ServingStatus


class Health:
    """The state of this server, which is also that of each of its services."""

    def __init__(self, is_ready: Callable[[], bool], services: tuple[str, ...]) -> None:
        self._is_ready = is_ready
        self._services = frozenset({"", *services})
        self._watching: set[Call] = set()

    def methods(self) -> Mapping[str, Method]:
        """The service's methods by name."""
        return {
            "Check": Method(self._check, "health", for_all=True),
            "Watch": Method(self._watch, "health", streaming=True, gone=self._watching.discard, for_all=True),
        }

    def changed(self) -> None:
        """Tell the watching clients the state as it is now."""
        for call in list(self._watching):
            call.send(self._answer())

    def end(self) -> None:
        """The server ends: nothing more will change."""
        for call in list(self._watching):
            call.fail(Problem("the server is shutting down", 503))

    def _check(self, call: Call, message: bytes) -> None:
        service = _service_of(call, message)
        if service not in self._services:
            raise Problem(f'there is no service "{service[:256]}" here', 404)
        call.respond(self._answer())

    def _watch(self, call: Call, message: bytes) -> None:
        if call in self._watching:
            raise Problem("this method takes one message", 501)
        if _service_of(call, message) in self._services:
            self._watching.add(call)
            call.send(self._answer())
        else:
            # The protocol keeps the call open, in case the service comes; none ever does here.
            call.send(HealthCheckResponse(status=_State.SERVICE_UNKNOWN).SerializeToString())

    def _answer(self) -> bytes:
        state = _State.SERVING if self._is_ready() else _State.NOT_SERVING
        return HealthCheckResponse(status=state).SerializeToString()


def _service_of(call: Call, message: bytes) -> str:
    try:
        return HealthCheckRequest.FromString(call.unpacked(message)).service
    except DecodeError:
        raise Problem("the message is no grpc.health.v1.HealthCheckRequest", 400) from None
