"""gRPC by its reference implementation (grpcio), against server processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tritonclient.grpc import service_pb2 as v2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from .grpc_requests import channel_to, matrix_request, refusal
from .model_directories import ModelDirectory
from .processes import TIMEOUT_S, Server, eventually

SERVING, SERVICE_UNKNOWN = 1, 3
INFERENCE = "inference.GRPCInferenceService"


@pytest.fixture(scope="module")
def channel(grpc_server: Server) -> Iterator[grpc.Channel]:
    """One connection."""
    with channel_to(grpc_server) as connected:
        yield connected


@pytest.fixture(scope="module")
def stub(channel: grpc.Channel) -> GRPCInferenceServiceStub:
    """The service's methods."""
    return GRPCInferenceServiceStub(channel)


def column_request(**contents: tuple[str, dict[str, list[object]]]) -> v2.ModelInferRequest:
    """A request of one row with typed contents; `contents` replace or add columns by name."""
    given: dict[str, tuple[str, dict[str, list[object]]]] = {
        "carrier": ("BYTES", {"bytes_contents": [b"UA"]}),
        "distance": ("FP64", {"fp64_contents": [500.0]}),
        "seats": ("INT64", {"int64_contents": [100]}),
        "holiday": ("BOOL", {"bool_contents": [False]}),
        "sched_dep": ("BYTES", {"bytes_contents": [b"2026-01-31T12:00:00Z"]}),
        **contents,
    }
    request = v2.ModelInferRequest(model_name="late")
    for name, (datatype, values) in given.items():
        tensor = request.inputs.add(name=name, datatype=datatype, shape=[1])
        for field, items in values.items():
            getattr(tensor.contents, field).extend(items)
    return request


@pytest.mark.parametrize(
    ("datatype", "field", "value"),
    [
        ("FP64", "fp64_contents", 77.0),
        ("FP32", "fp32_contents", 77.0),
        ("INT8", "int_contents", 77),
        ("INT16", "int_contents", 77),
        ("INT32", "int_contents", 77),
        ("INT64", "int64_contents", 77),
        ("UINT8", "uint_contents", 77),
        ("UINT16", "uint_contents", 77),
        ("UINT32", "uint_contents", 77),
        ("UINT64", "uint64_contents", 77),
    ],
)
def test_typed_contents(
    stub: GRPCInferenceServiceStub, late: ModelDirectory, datatype: str, field: str, value: float
) -> None:
    request = column_request(distance=(datatype, {field: [value]}))
    request.id = "typed"
    answer = stub.ModelInfer(request)
    row = {
        "carrier": "UA",
        "distance": 77.0,
        "seats": 100,
        "holiday": False,
        "sched_dep": "2026-01-31T12:00:00Z",
    }
    expected = late.estimator.predict_proba(late.matrix([row])).reshape(-1).tolist()  # type: ignore[attr-defined,list-item]
    assert (answer.id, answer.model_name, answer.model_version) == ("typed", "late", "v7")
    assert len(answer.raw_output_contents) == 0
    label, probability = answer.outputs
    assert list(label.contents.bool_contents) == [expected[1] > expected[0]]
    assert list(probability.contents.fp64_contents) == expected
    assert list(probability.shape) == [1, 2]


def damaged(change: Callable[[v2.ModelInferRequest], object], request: v2.ModelInferRequest) -> v2.ModelInferRequest:
    change(request)
    return request


def set_parameter(request: v2.ModelInferRequest) -> None:
    request.inputs[0].parameters["shared_memory_region"].string_param = "mine"


INVALID = {
    "a value out of range": (
        column_request(seats=("INT8", {"int_contents": [300]})),
        'input "seats", row 1: 300 is out of INT8\'s range',
    ),
    "a field that isn't the datatype's": (
        column_request(distance=("FP64", {"fp32_contents": [5.0]})),
        'input "distance": the values of FP64 belong into contents.fp64_contents, not contents.fp32_contents',
    ),
    "FP16, which has no field": (column_request(distance=("FP16", {})), "FP16 has no field in contents"),
    "too few values": (column_request(distance=("FP64", {})), "data has 0 values, shape [1] asks for 1"),
    "no UTF-8": (column_request(carrier=("BYTES", {"bytes_contents": [b"\xff"]})), "row 1: the value is no UTF-8"),
    "no time": (
        column_request(sched_dep=("BYTES", {"bytes_contents": [b"noon"]})),
        'row 1, column "sched_dep": expected a timestamp as ISO 8601 text, got "noon"',
    ),
    "a datatype that isn't": (column_request(distance=("FP8", {})), 'datatype is "FP8", must be one of BOOL'),
    "an unknown column": (column_request(wings=("FP64", {"fp64_contents": [2.0]})), 'input "wings" is unknown'),
    "no inputs": (v2.ModelInferRequest(model_name="late"), "the request has no inputs"),
    "the input twice": (
        damaged(lambda request: request.inputs.append(request.inputs[0]), column_request()),
        'input "carrier" is there twice',
    ),
    "raw contents and typed ones": (
        damaged(lambda request: request.inputs[0].contents.fp64_contents.extend([1.0] * 5), matrix_request()),
        "has both contents and raw_input_contents",
    ),
    "raw contents for another number of inputs": (
        damaged(lambda request: request.raw_input_contents.append(b""), matrix_request()),
        "raw_input_contents has 2 parts, must have one for each of the 1 inputs",
    ),
    "raw contents of another size": (
        damaged(lambda request: request.inputs[0].shape.__setitem__(0, 2), matrix_request()),
        "there are 40 bytes of binary data, shape [2, 5] of FP64 asks for 80",
    ),
    "a negative size": (
        damaged(lambda request: request.inputs[0].shape.__setitem__(0, -1), matrix_request()),
        "shape is [-1, 5], must be a list of 1 to 8 whole numbers",
    ),
    "sizes whose product is beyond 64 bits": (
        damaged(lambda request: request.inputs[0].shape.__setitem__(slice(None), [2**62, 5]), matrix_request()),
        "there are 40 bytes of binary data",
    ),
    "an output that isn't there": (
        damaged(lambda request: request.outputs.add(name="colour"), matrix_request()),
        'outputs[0].name: "colour" is no output of this model; it has label, probability',
    ),
    "the output twice": (
        damaged(lambda request: request.outputs.extend([request.outputs.add(name="label")]), matrix_request()),
        'outputs[1].name: "label" is there twice',
    ),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_requests_are_told_what_is_wrong(stub: GRPCInferenceServiceStub, name: str) -> None:
    request, sentence = INVALID[name]
    code, details = refusal(lambda: stub.ModelInfer(request))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert sentence in details


def test_what_is_not_here(stub: GRPCInferenceServiceStub, channel: grpc.Channel) -> None:
    for request in (
        v2.ModelInferRequest(model_name="early"),
        v2.ModelInferRequest(model_name="late", model_version="v6"),
    ):
        code, details = refusal(lambda request=request: stub.ModelInfer(request))  # type: ignore[misc]
        assert (code, 'this server has model "late", version "v7"' in details) == (grpc.StatusCode.NOT_FOUND, True)
    assert refusal(lambda: stub.RepositoryIndex(v2.RepositoryIndexRequest()))[0] is grpc.StatusCode.UNIMPLEMENTED
    with_parameter = damaged(set_parameter, matrix_request())
    assert refusal(lambda: stub.ModelInfer(with_parameter))[0] is grpc.StatusCode.UNIMPLEMENTED
    told = refusal(lambda: channel.unary_unary("/any.Service/Method")(b""))[1]
    assert "there is no method /any.Service/Method here" in told


def test_sentences_keep_their_letters(stub: GRPCInferenceServiceStub) -> None:
    _, details = refusal(lambda: stub.ModelInfer(column_request(carrier=("FP64", {"fp64_contents": [1.0]}))))
    assert "must be BYTES because the column is of type string" in details
    request = damaged(lambda request: request.outputs.add(name="Größe 100 % \n"), matrix_request())
    assert '"Größe 100 % \n" is no output' in refusal(lambda: stub.ModelInfer(request))[1]


def test_ids_and_traces_come_back(stub: GRPCInferenceServiceStub) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    sent = (("x-request-id", "r-17"), ("traceparent", trace))
    _, call = stub.ModelInfer.with_call(matrix_request(), metadata=sent)
    assert set(sent) <= {(key, value) for key, value in call.initial_metadata()}
    failed = stub.ModelInfer.future(v2.ModelInferRequest(model_name="early"), metadata=sent)
    assert failed.code() is grpc.StatusCode.NOT_FOUND
    returned = [*failed.initial_metadata(), *failed.trailing_metadata()]
    assert set(sent) <= {(key, value) for key, value in returned}


def test_health(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", INFERENCE):
        assert health.Check(health_pb2.HealthCheckRequest(service=service)).status == SERVING
    assert refusal(lambda: health.Check(health_pb2.HealthCheckRequest(service="x")))[0] is grpc.StatusCode.NOT_FOUND
    watch = health.Watch(health_pb2.HealthCheckRequest(service="x"), timeout=TIMEOUT_S)
    assert next(watch).status == SERVICE_UNKNOWN
    watch.cancel()


def test_reflection(channel: grpc.Channel) -> None:
    database = ProtoReflectionDescriptorDatabase(channel)
    services = list(database.get_services())
    assert {INFERENCE, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} <= set(services)
    file = database.FindFileContainingSymbol(f"{INFERENCE}.ModelInfer")
    assert [method.name for method in file.service[0].method][-1] == "ModelInfer"
    assert database.FindFileContainingSymbol("inference.ModelInferRequest.InferInputTensor").name == file.name
    assert database.FindFileByName("health.proto").package == "grpc.health.v1"
    with pytest.raises(KeyError):
        database.FindFileContainingSymbol("inference.Nothing")
    ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
    requests = [
        reflection_pb2.ServerReflectionRequest(all_extension_numbers_of_type="inference.ModelInferRequest"),
        reflection_pb2.ServerReflectionRequest(host="here"),
    ]
    answers = list(ask(iter(requests), timeout=TIMEOUT_S))
    assert [answer.error_response.error_code for answer in answers] == [5, 3]
    assert answers[1].valid_host == "here"


def test_the_messages_are_those_of_the_standard(channel: grpc.Channel) -> None:
    """Every field that we declare has the name, number and type that Triton's own file gives it."""
    file = ProtoReflectionDescriptorDatabase(channel).FindFileContainingSymbol(INFERENCE)
    for ours in file.message_type:
        theirs = v2.DESCRIPTOR.message_types_by_name[ours.name]
        for nested, known in [(ours, theirs), *((n, theirs.nested_types_by_name[n.name]) for n in ours.nested_type)]:
            declared = {(field.name, field.number, field.type, field.label) for field in nested.field}
            assert declared <= {(field.name, field.number, field.type, _label(field)) for field in known.fields}


def _label(field: object) -> int:
    return 3 if field.is_repeated else 1  # type: ignore[attr-defined]


def test_calls_are_counted(grpc_server: Server, stub: GRPCInferenceServiceStub) -> None:
    before = {code: grpc_server.series("requests_total", route="grpc", code=code) for code in ("200", "404", "422")}
    stub.ModelInfer(matrix_request())
    refusal(lambda: stub.ModelInfer(v2.ModelInferRequest(model_name="early")))
    refusal(lambda: stub.ModelInfer(INVALID["no time"][0]))

    def counted() -> bool:
        return all(grpc_server.series("requests_total", route="grpc", code=code) == before[code] + 1 for code in before)

    eventually(counted)
