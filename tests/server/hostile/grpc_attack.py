"""One attack over gRPC: the frames, and how the call or the connection must end."""

import re
import struct
from dataclasses import dataclass

from modelwright_server.inference_proto.open_inference_pb2 import ModelInferRequest

from .honest import NAME
from .http2 import OPEN, Heard, data, fields, headers, message

WIDTH = 5
ROW = struct.pack(f"<{WIDTH}d", *[1.0] * WIDTH)


@dataclass(frozen=True)
class GrpcAttack:
    """`outcome` is a pattern of how stream 1 must end (see `Heard.outcome`); None where the connection must end."""

    name: str
    sent: bytes
    outcome: str | None = None

    @property
    def awaited(self) -> tuple[int, ...]:
        """The streams that end."""
        return (1,) if self.outcome else ()

    def check(self, heard: Heard) -> None:
        """Raises AssertionError unless it came so."""
        if self.outcome is None:
            assert heard.ended, f"the connection goes on: {heard.frames}"
            assert heard.error_code() != 0, heard.frames
        else:
            assert not heard.ended, f"the connection ended: {heard.frames[-1:]}"
            assert re.fullmatch(self.outcome, heard.outcome()), heard.outcome()


def right_message(raw: bytes = ROW, **parts: object) -> bytes:
    """An inference request for one row, with these parts of its input, or its raw data, changed."""
    return request([raw], **parts).SerializeToString()


def request(raw: list[bytes], **parts: object) -> ModelInferRequest:
    """The same with any number of raw parts."""
    tensor = {"name": "features", "datatype": "FP64", "shape": [1, WIDTH], **parts}
    return ModelInferRequest(model_name=NAME, inputs=[tensor], raw_input_contents=raw)


RIGHT = right_message()
HEAD = headers(fields())
LAST_WORD = data(message(RIGHT))


def breaks(name: str, *frames: bytes) -> GrpcAttack:
    """Breaks the protocol in a way that can't be mended."""
    return GrpcAttack(name, OPEN + b"".join(frames))


def goes_on(name: str, *frames: bytes, outcome: str = "") -> GrpcAttack:
    """Leaves the connection as it is, however its stream 1 ends."""
    return GrpcAttack(name, OPEN + b"".join(frames), outcome)
