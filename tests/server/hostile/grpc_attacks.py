"""Calls whose head, packing or message is wrong: what each is answered, on a connection that goes on."""

import gzip
import struct
import zlib

from modelwright_server.inference_proto.open_inference_pb2 import ModelInferRequest

from .grpc_attack import HEAD, LAST_WORD, RIGHT, ROW, WIDTH, GrpcAttack, goes_on, request, right_message
from .honest import MIB, NAME
from .http2 import DATA, END_HEADERS, END_STREAM, call, data, field, fields, frame, headers, message


def _head(
    name: str, outcome: str, *extra: tuple[bytes, bytes], content: bytes = LAST_WORD, **parts: bytes
) -> GrpcAttack:
    return goes_on(f"head: {name}", headers(fields(*extra, **parts)), content, outcome=outcome)


def _body(name: str, outcome: str, content: bytes, *extra: tuple[bytes, bytes]) -> GrpcAttack:
    return goes_on(f"body: {name}", headers(fields(*extra)), data(content), outcome=outcome)


def _message(case: str, outcome: str, raw: bytes = ROW, **parts: object) -> GrpcAttack:
    return goes_on(f"message: {case}", call(right_message(raw, **parts)), outcome=outcome)


HEADS = (
    _head("as it should be", "0"),
    _head("an unknown method", "12", path=b"/inference.GRPCInferenceService/Nothing"),
    _head("an unknown service", "12", path=b"/a.B/C"),
    _head("a path that is no UTF-8", "12", path=b"/\xff\xfe"),
    _head("a path with null bytes", "12|reset 1", path=b"/\x00"),
    _head("a path of 900 bytes", "12", path=b"/" + b"p" * 900),
    _head("an empty path", "reset 1|12", path=b""),
    _head("the path *", "12|reset 1", path=b"*"),
    _head("GET", "http 405|12|reset 1", method=b"GET"),
    _head("CONNECT", "http 405|12|reset 1", method=b"CONNECT"),
    _head("a name in capitals", "reset 1", (b"X", b"y")),
    _head("an empty name", "reset 1", (b"", b"y")),
    _head("a name with a blank", "reset 1", (b"x y", b"z")),
    _head("a name with a line feed", "reset 1", (b"x\n", b"z")),
    _head("a field of HTTP/1.1", "reset 1", (b"connection", b"close")),
    _head("a coding of HTTP/1.1", "reset 1", (b"transfer-encoding", b"chunked")),
    _head("another te", "reset 1", (b"te", b"gzip")),
    _head("two paths", "reset 1", (b":path", b"/other")),
    _head("an unknown pseudo field", "reset 1", (b":x", b"y")),
    _head("a wrong length", "0|reset 1", (b"content-length", b"7")),
    _head("another media type", "http 415|12|reset 1", media_type=b"text/html"),
    _head("two media types", "0|http 415|reset 1", (b"content-type", b"text/html")),
    _head("a deadline of 0", "4", (b"grpc-timeout", b"0n"), content=frame(DATA, 0, 1)),
    _head("a deadline of 99,999,999 hours", "0", (b"grpc-timeout", b"99999999H")),
    _head("a negative deadline", "0|3", (b"grpc-timeout", b"-1S")),
    _head("a deadline without a unit", "0|3", (b"grpc-timeout", b"9")),
    _head("a deadline of 1,000 digits", "0|3", (b"grpc-timeout", b"9" * 900 + b"S")),
    _head("an unknown packing", "12", (b"grpc-encoding", b"brotli")),
    _head(
        "a long id and a trace",
        "0",
        (b"x-request-id", b"i" * 128),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ),
    _head("an id with line feeds", "0|reset 1", (b"x-request-id", b"a\r\nb: c")),
    _head("an id that is no ASCII", "0|reset 1", (b"x-request-id", b"\xff")),
    goes_on("head: no path", headers(field(b":method", b"POST") + field(b":scheme", b"http")), outcome="reset 1"),
    goes_on("head: no fields at all", headers(b""), outcome="reset 1"),
    goes_on("head: a pseudo field behind others", headers(field(b"x", b"y") + fields()), outcome="reset 1"),
    goes_on("head: all that comes", headers(fields(), flags=END_HEADERS | END_STREAM), outcome="3"),
)

BODIES = (
    _body("nothing", "3", b""),
    _body("half a prefix", "3", b"\0\0\0"),
    _body("half a message", "3", message(RIGHT)[:-1]),
    _body("a prefix that says 2", "3|12|13", message(RIGHT, packed=2)),
    _body("a prefix that says 255", "3|12|13", message(RIGHT, packed=255)),
    _body("a length of 2^32 - 1", "8", message(RIGHT, length=2**32 - 1)),
    _body("a length over the bound", "8", message(b"x" * 200_001)),
    _body("two messages", "3|12", message(RIGHT) * 2),
    _body("a byte behind the message", "3|12", message(RIGHT) + b"\0"),
    _body("an empty message", "3|5", message(b"")),
    _body("no protobuf", "3", message(b"\xff" * 100)),
    _body("null bytes", "3", message(b"\0" * 100)),
    _body("protobuf that ends early", "3", message(RIGHT[:-1])),
    _body("groups without an end", "3", message(b"\x0b" * 100_000)),
    _body("messages nested without end", "3", message(b"\x2a\x7f" * 10_000)),
    _body("a name that is no UTF-8", "3|5", message(b"\x0a\x02\xff\xfe")),
    _body("unknown fields", "0", message(RIGHT + b"\xfa\x7f\x01x" * 1000)),
    _body("packed, but it is not", "3|13", message(RIGHT, packed=1)),
    _body("packed as gzip, but it is not", "3", message(RIGHT, packed=1), (b"grpc-encoding", b"gzip")),
    _body("packed as gzip", "0", message(gzip.compress(RIGHT), packed=1), (b"grpc-encoding", b"gzip")),
    _body("packed, and cut off", "3", message(gzip.compress(RIGHT)[:-9], packed=1), (b"grpc-encoding", b"gzip")),
    _body("packed, and more", "0|3", message(gzip.compress(RIGHT) * 2, packed=1), (b"grpc-encoding", b"gzip")),
    _body("a packed bomb", "8", message(gzip.compress(b"\0" * 64 * MIB), packed=1), (b"grpc-encoding", b"gzip")),
    _body("a bomb, deflated", "8", message(zlib.compress(b"\0" * 64 * MIB), packed=1), (b"grpc-encoding", b"deflate")),
    goes_on("body: data behind its end", HEAD, LAST_WORD, data(b"x"), outcome="0|reset 5"),
    goes_on("body: a head behind its end", HEAD, LAST_WORD, HEAD, outcome="0|reset [15]"),
    goes_on(
        "body: trailers of the client",
        HEAD,
        data(message(RIGHT), ends=False),
        headers(field(b"x", b"y"), 1, END_HEADERS | END_STREAM),
        outcome="0|reset 1",
    ),
    goes_on("body: 5 MiB without an end", HEAD, data(b"x" * 5 * MIB, ends=False), outcome="3|8"),
)

MESSAGES = (
    _message("as it should be", "0"),
    _message("raw data a byte too short", "3", raw=ROW[:-1]),
    _message("raw data a byte too long", "3", raw=ROW + b"x"),
    _message("no raw data", "3", raw=b""),
    _message("two rows said, one sent", "3", shape=[2, WIDTH]),
    _message("a negative size", "3", shape=[-1, WIDTH]),
    _message("two negative sizes", "3", shape=[-1, -WIDTH]),
    _message("no rows", "3", shape=[0, WIDTH], raw=b""),
    _message("no shape", "3", shape=[]),
    _message("9 dimensions", "3", shape=[1] * 8 + [WIDTH]),
    _message("10,000 dimensions", "3", shape=[1] * 10_000),
    _message("2^62 rows", "3|8", shape=[2**62, WIDTH]),
    _message("a shape whose bytes overflow to 40", "3|8", shape=[2**61 + 1, WIDTH]),
    _message("8 dimensions of 2^63 - 1", "3|8", shape=[2**63 - 1] * 8),
    _message("an unknown datatype", "3", datatype="FP128"),
    _message("no datatype", "3", datatype=""),
    _message("texts", "3", datatype="BYTES", raw=struct.pack("<I", 2**32 - 1) + b"x", shape=[1]),
    _message("texts of nothing", "3", datatype="BYTES", raw=b"\0" * 100_000, shape=[25_000]),
    _message("booleans that are 2", "3", datatype="BOOL", raw=b"\2" * WIDTH),
    _message("an unknown input", "3", name="x"),
    _message("an input without a name", "3", name=""),
    _message("an input's name of 100,000 letters", "3", name="n" * 100_000),
    _message("NaN", "0|3", raw=struct.pack(f"<{WIDTH}d", *[float("nan")] * WIDTH)),
    _message("infinity", "0|3", raw=struct.pack(f"<{WIDTH}d", *[float("inf")] * WIDTH)),
    _message("values in both places", "3", contents={"fp64_contents": [1.0] * WIDTH}),
    _message("values in the wrong place", "3", contents={"int_contents": [1] * WIDTH}),
    *(
        goes_on(f"message: {name}", call(sent.SerializeToString()), outcome=outcome)
        for name, outcome, sent in (
            ("no model", "3|5", ModelInferRequest()),
            ("an unknown model", "5", ModelInferRequest(model_name="other")),
            ("an unknown version", "5", ModelInferRequest(model_name=NAME, model_version="9")),
            ("no inputs", "3", ModelInferRequest(model_name=NAME)),
            ("two parts for one input", "3", request([ROW, ROW])),
            ("values too few", "3", request([])),
            ("20,000 inputs", "3", ModelInferRequest(model_name=NAME, inputs=[{}] * 20_000)),
            ("20,000 parts", "3", request([b""] * 20_000)),
            ("an id of 100,000 letters", "3|5", ModelInferRequest(model_name=NAME, id="i" * 100_000)),
            ("a model's name of 100,000 letters", "5", ModelInferRequest(model_name="m" * 100_000)),
        )
    ),
)

GRPC_ATTACKS: tuple[GrpcAttack, ...] = (*HEADS, *BODIES, *MESSAGES)
