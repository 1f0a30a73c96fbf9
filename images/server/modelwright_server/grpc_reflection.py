"""Server reflection, by which grpcurl and its like learn the services without their .proto files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import DecodeError

from modelwright_server.grpc_call import Call, Method
from modelwright_server.grpc_status import Code
from modelwright_server.inference_proto.reflection_pb2 import (
    ErrorResponse,
    FileDescriptorResponse,
    ListServiceResponse,
    ServerReflectionRequest,
    ServerReflectionResponse,
    ServiceResponse,
)
from modelwright_server.problems import Problem

SERVICES = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
"""Two names for one protocol: clients ask for the newer one first, older ones know only the other."""


class Reflection:
    """Knows some services, each declared in one file that imports no other."""

    def __init__(self, files: Iterable[FileDescriptor]) -> None:
        """`files` declare the services; reflection itself is listed and not declared, as clients have it built in."""
        self._files = {file.name: file.serialized_pb for file in files}
        self._services = sorted({*SERVICES, *(name for file in files for name in _services_of(file))})
        self._symbols = {name: file.name for file in files for name in _symbols_of(file)}

    def methods(self) -> Mapping[str, Method]:
        """The service's methods by name."""
        return {"ServerReflectionInfo": Method(self._take, "metadata", streaming=True, ended=Call.finish)}

    def _take(self, call: Call, message: bytes) -> None:
        try:
            request = ServerReflectionRequest.FromString(call.unpacked(message))
        except DecodeError:
            raise Problem("the message is no grpc.reflection.v1.ServerReflectionRequest", 400) from None
        response = self._answer(request)
        response.valid_host = request.host
        response.original_request.CopyFrom(request)
        call.send(response.SerializeToString())

    def _answer(self, request: ServerReflectionRequest) -> ServerReflectionResponse:
        match request.WhichOneof("message_request"):
            case "list_services":
                services = [ServiceResponse(name=name) for name in self._services]
                return ServerReflectionResponse(list_services_response=ListServiceResponse(service=services))
            case "file_by_filename":
                return self._file(request.file_by_filename)
            case "file_containing_symbol":
                return self._file(self._symbols.get(request.file_containing_symbol))
            case "file_containing_extension" | "all_extension_numbers_of_type":
                return _error(Code.NOT_FOUND, "nothing here has extensions")
            case _:
                return _error(Code.INVALID_ARGUMENT, "the request asks for nothing")

    def _file(self, name: str | None) -> ServerReflectionResponse:
        file = None if name is None else self._files.get(name)
        if file is None:
            return _error(Code.NOT_FOUND, "this is not declared here")
        return ServerReflectionResponse(file_descriptor_response=FileDescriptorResponse(file_descriptor_proto=[file]))


def _error(code: Code, text: str) -> ServerReflectionResponse:
    return ServerReflectionResponse(error_response=ErrorResponse(error_code=code, error_message=text))


def _services_of(file: FileDescriptor) -> list[str]:
    return [service.full_name for service in file.services_by_name.values()]


def _symbols_of(file: FileDescriptor) -> Iterable[str]:
    yield from _services_of(file)
    for service in file.services_by_name.values():
        yield from (method.full_name for method in service.methods)
    messages = list(file.message_types_by_name.values())
    while messages:
        message = messages.pop()
        yield message.full_name
        messages += message.nested_types
