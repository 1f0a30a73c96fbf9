"""Predictions as messages of inference.ModelInferResponse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelwright_server.answers import LABEL, PROBABILITY, Answers, class_name
from modelwright_server.http_message import Response
from modelwright_server.inference_proto.open_inference_pb2 import InferTensorContents, ModelInferResponse
from modelwright_server.prediction import Class, Prediction

MEDIA_TYPE = b"application/grpc"

CONTENTS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""The field of InferTensorContents that has a datatype's values; FP16 has none."""

_MAX_HEADS = 256
_ID, _RAW = b"\x1a", b"\x32"
"""Tags of `id` and `raw_output_contents`, fields 3 and 6, both of which carry their length."""


class GrpcAnswers:
    """Writes the predictions of one model."""

    def __init__(
        self,
        name: str,
        version: str,
        outputs: Mapping[str, tuple[str, Sequence[int]]],
        classes: Sequence[Class],
        answers: Answers,
    ) -> None:
        """`outputs` are datatype and shape by name, -1 for the rows; `answers` makes their binary data."""
        self.names = tuple(outputs)
        self._name = name
        self._version = version
        self._outputs = outputs
        self._classes = classes
        self._binary = answers.binary
        self._heads: dict[tuple[tuple[str, ...], int], bytes] = {}

    def raw(self, prediction: Prediction, wanted: tuple[str, ...], request_id: str) -> Response:
        """An answer with its values in raw_output_contents, as the inputs of its request were sent.

        A message is its fields in any order, so what is the same in each answer is written once and comes first.
        """
        rows = _rows(prediction)
        head = self._heads.get((wanted, rows))
        if head is None:
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            head = self._heads[wanted, rows] = self._message(rows, wanted).SerializeToString()
        parts = [head]
        if request_id:
            text = request_id.encode("utf-8")
            parts += (_ID, _varint(len(text)), text)
        for name in wanted:
            data = self._binary(name, prediction)
            parts += (_RAW, _varint(len(data)), data)
        return Response(200, b"".join(parts), MEDIA_TYPE, (), rows)

    def typed(self, prediction: Prediction, wanted: tuple[str, ...], request_id: str) -> Response:
        """An answer with its values in contents."""
        rows = _rows(prediction)
        message = self._message(rows, wanted)
        message.id = request_id
        for output in message.outputs:
            output.contents.CopyFrom(self._contents(output.name, output.datatype, prediction))
        return Response(200, message.SerializeToString(), MEDIA_TYPE, (), rows)

    def _message(self, rows: int, wanted: Sequence[str]) -> ModelInferResponse:
        message = ModelInferResponse(model_name=self._name, model_version=self._version)
        for name in wanted:
            datatype, shape = self._outputs[name]
            message.outputs.add(name=name, datatype=datatype, shape=[rows if size < 0 else size for size in shape])
        return message

    def _contents(self, name: str, datatype: str, prediction: Prediction) -> InferTensorContents:
        contents = InferTensorContents()
        getattr(contents, CONTENTS[datatype]).extend(self._values(name, datatype, prediction))
        return contents

    def _values(self, name: str, datatype: str, prediction: Prediction) -> list[Class] | list[bytes] | list[float]:
        if name == LABEL:
            assert prediction.labels is not None, "the golden rows had this output"
            labels = [self._classes[label] for label in prediction.labels.tolist()]
            return [class_name(label).encode("utf-8") for label in labels] if datatype == "BYTES" else labels
        values = prediction.probabilities if name == PROBABILITY else prediction.values
        assert values is not None, "the golden rows had this output"
        numbers: list[float] = values.reshape(-1).tolist()
        return numbers


def _rows(prediction: Prediction) -> int:
    values = prediction.values if prediction.labels is None else prediction.labels
    return 0 if values is None else len(values)


def _varint(value: int) -> bytes:
    """A whole number from 0 up in protobuf's variable length."""
    if value < 0x80:
        return value.to_bytes(1, "big")
    octets = bytearray()
    while value >= 0x80:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)
