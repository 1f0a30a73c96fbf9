"""Inference requests whose tensors disagree with themselves, with the model, or with what a machine can hold."""

import struct

import orjson

from .attack import Attack, taken
from .honest import INFER, post

WIDTH = 5
BINARY = b"content-type: application/octet-stream"
COLUMNS: dict[str, tuple[str, list[object]]] = {
    "carrier": ("BYTES", ["AA"]),
    "distance": ("FP64", [733.5]),
    "seats": ("INT64", [100]),
    "holiday": ("BOOL", [False]),
    "sched_dep": ("BYTES", ["2026-01-01T10:00:00Z"]),
}


def _posted(name: str, answers: str, content: bytes, *fields: bytes, path: str = INFER, says: str = "") -> Attack:
    return taken(name, post(path, content, *fields), answers, says)


def _features(**parts: object) -> dict[str, object]:
    """The model's own matrix of one row, with these parts changed; None leaves one out."""
    tensor = {"name": "features", "shape": [1, WIDTH], "datatype": "FP64", "data": [1.0] * WIDTH, **parts}
    return {name: value for name, value in tensor.items() if value is not None}


def _matrix(case: str, answers: str, says: str = "", **parts: object) -> Attack:
    return _document(f"matrix: {case}", answers, says, inputs=[_features(**parts)])


def _columns(changed: str, **parts: object) -> list[object]:
    """One tensor a column, with these parts of one of them changed."""
    tensors: list[object] = []
    for name, (datatype, data) in COLUMNS.items():
        tensor = {"name": name, "shape": [1], "datatype": datatype, "data": data}
        tensors.append({**tensor, **parts} if name == changed else tensor)
    return tensors


def _column(name: str, column: str, answers: str, says: str = "", **parts: object) -> Attack:
    return _document(f"{column}: {name}", answers, says, inputs=_columns(column, **parts))


def _document(name: str, answers: str, says: str = "", **members: object) -> Attack:
    return _posted(name, answers, orjson.dumps(members), says=says)


def _raw(name: str, answers: str, old: bytes, new: bytes) -> Attack:
    """The right request with some bytes replaced by what orjson would not write."""
    content = orjson.dumps({"inputs": [_features()]})
    assert old in content
    return _posted(f"matrix: {name}", answers, content.replace(old, new, 1))


def _binary(case: str, answers: str, values: bytes, length: bytes | None = None, **parts: object) -> Attack:
    """A matrix as binary data; `size` is its binary_data_size and `length` the header, where they are wrong."""
    size = parts.pop("size", len(values))
    tensor = _features(**{"data": None, "parameters": {"binary_data_size": size}, **parts})
    document = orjson.dumps({"inputs": [tensor]})
    header = b"inference-header-content-length: " + (b"%d" % len(document) if length is None else length)
    return _posted(f"binary: {case}", answers, document + values, BINARY, header)


def _texts(name: str, answers: str, content: bytes, says: str = "", shape: list[int] | None = None) -> Attack:
    """A text column as binary data beside the others as JSON."""
    parts = {"data": None, "shape": shape or [1], "parameters": {"binary_data_size": len(content)}}
    inputs = [
        {part: value for part, value in tensor.items() if value is not None}
        for tensor in _columns("carrier", **parts)
        if isinstance(tensor, dict)
    ]
    document = orjson.dumps({"inputs": inputs})
    header = b"inference-header-content-length: %d" % len(document)
    return _posted(f"texts: {name}", answers, document + content, BINARY, header, says=says)


RIGHT = orjson.dumps({"inputs": [_features()]})
ROW = struct.pack(f"<{WIDTH}d", *[1.0] * WIDTH)
AA = struct.pack("<I", 2) + b"AA"

SHAPES = (
    _matrix("as it should be", "200"),
    _matrix("a value too few", "422", data=[1.0] * 4),
    _matrix("a value too many", "422", data=[1.0] * 6),
    _matrix("no data", "422", data=None),
    _matrix("data that is null", "422", data=[None] * 5, says=""),
    _matrix("data that is a number", "422", data=1),
    _matrix("data that is a text", "422", data="11111"),
    _matrix("data that is an object", "422", data={"a": 1}),
    _matrix("two rows said, one sent", "422", shape=[2, 5]),
    _matrix("one row said, two sent", "422", data=[1.0] * 10),
    _matrix("turned round", "422", shape=[5, 1]),
    _matrix("no shape", "422", shape=None),
    _matrix("an empty shape", "422", shape=[]),
    _matrix("a shape that is a number", "422", shape=5),
    _matrix("a shape that is a text", "422", shape="15"),
    _matrix("a shape that is an object", "422", shape={"0": 1, "1": 5}),
    _matrix("a negative size", "422", shape=[-1, 5]),
    _matrix("two negative sizes", "422", shape=[-1, -5]),
    _matrix("a size that is a fraction", "422", shape=[1.5, 5]),
    _matrix("a size that is written as a float", "200|422", shape=[1, 5.0]),
    _matrix("sizes that are text", "422", shape=["1", "5"]),
    _matrix("sizes that are true", "422", shape=[True, 5]),
    _matrix("sizes that are null", "422", shape=[None, 5]),
    _matrix("nested sizes", "422", shape=[[1], [5]]),
    _matrix("no rows", "422", shape=[0, 5], data=[]),
    _matrix("no columns", "422", shape=[1, 0], data=[]),
    _matrix("no rows and no columns", "422", shape=[0, 0], data=[]),
    _matrix("rows without columns", "422", shape=[2**62, 0], data=[]),
    _matrix("2^31 rows", "4(13|22)", shape=[2**31, 5]),
    _matrix("2^32 × 2^32", "4(13|22)", shape=[2**32, 2**32]),
    _matrix("2^63 - 1 rows", "4(13|22)", shape=[2**63 - 1, 5]),
    _matrix("2^64 rows", "4(13|22)", shape=[1.8446744073709552e19, 5]),
    _matrix("a product of 2^64 + 5", "4(13|22)", shape=[2**32 + 1, 2**32 - 1]),
    _matrix("sizes whose product overflows to 5", "4(13|22)", shape=[3689348814741910324, 5]),
    _matrix("8 dimensions of 2^63 - 1", "4(13|22)", shape=[2**63 - 1] * 8),
    _matrix("9 dimensions", "422", shape=[1] * 8 + [5]),
    _matrix("10,000 dimensions", "422", shape=[1] * 10_000),
    _matrix("1 dimension", "422", shape=[5]),
    _matrix("3 dimensions", "422", shape=[1, 1, 5]),
    _matrix("10,001 rows", "413", shape=[10_001, 5], data=[1] * 50_005),
    _matrix("nested", "200", data=[[1.0] * 5]),
    _matrix("nested too deep", "422", data=[[[1.0] * 5]]),
    _matrix("nested raggedly", "422", shape=[2, 5], data=[[1.0] * 4, [1.0] * 6]),
    _matrix("nested in part", "422", shape=[2, 5], data=[[1.0] * 5, *[1.0] * 5]),
    _matrix("nested in part, the other way", "422", shape=[2, 5], data=[1.0, [1.0] * 9]),
    _matrix("nested 200 levels deep", "422", data=orjson.loads(b"[" * 200 + b"1" + b"]" * 200)),
    _matrix("nested without values", "422", shape=[5, 5], data=[[]] * 5),
)

DATATYPES = (
    _matrix("no datatype", "422", datatype=None),
    _matrix("an unknown datatype", "422", "must be one of", datatype="FP128"),
    _matrix("a datatype in small letters", "422", datatype="fp64"),
    _matrix("a datatype that is a number", "422", datatype=64),
    _matrix("a datatype that is a list", "422", datatype=["FP64"]),
    _matrix("a datatype that is an object", "422", datatype={}),
    _matrix("a datatype of 1 MiB", "422", datatype="F" * 1_000_000),
    _matrix("texts", "422", datatype="BYTES", data=["1"] * 5),
    _matrix("booleans", "422", datatype="BOOL", data=[True] * 5),
    _matrix("true among numbers", "422", data=[1.0, 2.0, True, 4.0, 5.0]),
    _matrix("false among whole numbers", "422", datatype="INT64", data=[1, 2, False, 4, 5]),
    _matrix("a text among numbers", "422", data=[1.0, 2.0, "3", 4.0, 5.0]),
    _matrix("an object among numbers", "422", data=[1.0, 2.0, {}, 4.0, 5.0]),
    _matrix("a list among numbers", "422", data=[1.0, 2.0, [3.0], 4.0, 5.0]),
    _matrix("a fraction among whole numbers", "422", datatype="INT64", data=[1, 2, 3.5, 4, 5]),
    _matrix("out of UINT8", "422", datatype="UINT8", data=[1, 2, 256, 4, 5]),
    _matrix("out of INT8", "422", datatype="INT8", data=[1, 2, -129, 4, 5]),
    _matrix("negative for UINT64", "422", datatype="UINT64", data=[1, 2, -1, 4, 5]),
    _matrix("out of INT64", "422", datatype="INT64", data=[1, 2, 2**63, 4, 5]),
    _matrix("out of FP32", "422", datatype="FP32", data=[1, 2, 1e39, 4, 5]),
    _matrix("out of FP16", "422", datatype="FP16", data=[1, 2, 65536, 4, 5]),
    _matrix("the largest FP64", "200|422", data=[1.7976931348623157e308] * 5),
    _raw("1e400", "400", b"[1.0,", b"[1e400,"),
    _raw("NaN", "400", b"[1.0,", b"[NaN,"),
    _raw("2^64", "422", b"[1,5]", b"[18446744073709551616,5]"),
    _raw("-2^64", "422", b"[1,5]", b"[-18446744073709551616,5]"),
    _raw("a size of 5,000 digits", "4(00|22)", b"[1,5]", b"[%b,5]" % (b"1" * 5000)),
    _raw("1e2 rows", "422", b"[1,5]", b"[1e2,5]"),
    _raw("the name twice", "422", b'"name":"features"', b'"name":"features","name":"other"'),
    _raw("the data twice", "422", b'"data":', b'"data":[1],"data":'.replace(b"[1]", b'"x"') + b'[1],"data":[],"x":'),
)

NAMES = (
    _matrix("no name", "422", name=None),
    _matrix("an empty name", "422", name=""),
    _matrix("a name that is a number", "422", name=1),
    _matrix("a name that is a list", "422", name=["features"]),
    _matrix("an unknown name", "422", "is unknown", name="x"),
    _matrix("a name of 1 MB", "422", name="n" * 1_000_000),
    _document("the matrix twice", "422", inputs=[_features(), _features()]),
    _document("the matrix and a column", "422", inputs=[_features(), *_columns("")[:1]]),
    _document("a column twice", "422", "twice", inputs=[*_columns(""), *_columns("")[:1]]),
    _document("a column is missing", "422", "is missing", inputs=_columns("")[:4]),
    _document("10,000 inputs", "422", inputs=_columns("") * 2000),
    _document("100,000 inputs that are null", "422", inputs=[None] * 100_000),
    _document("an input that is a list", "422", inputs=[[1]]),
    _column("another length", "seats", "422", "they must agree", shape=[2], data=[1, 2]),
    _column("another shape", "seats", "422", shape=[1, 2], data=[1, 2]),
    _column("a column of one", "seats", "200", shape=[1, 1], data=[[100]]),
    _column("texts for numbers", "seats", "422", datatype="BYTES", data=["1"]),
    _column("numbers for texts", "carrier", "422", datatype="FP64", data=[1.0]),
    _column("no timestamp", "sched_dep", "422", 'column "sched_dep"', data=["yesterday"]),
    _column("2 for a boolean", "holiday", "422", datatype="INT8", data=[2]),
)

REQUESTS = (
    _document("no inputs", "422", id="a"),
    _document("an id that is a number", "422", "id:", id=1, inputs=[_features()]),
    _document("an id of 1 MB", "200|422", id="i" * 1_000_000, inputs=[_features()]),
    _document("an id that is null", "200", id=None, inputs=[_features()]),
    _document("parameters that are a list", "422", parameters=[1], inputs=[_features()]),
    _document("outputs that are an object", "422", outputs={"name": "label"}, inputs=[_features()]),
    _document("an unknown output", "422", outputs=[{"name": "x"}], inputs=[_features()]),
    _document("an output that is a list", "422", outputs=[["label"]], inputs=[_features()]),
    _document("an output whose name is a list", "422", outputs=[{"name": ["label"]}], inputs=[_features()]),
    _document("an output 10,000 times", "200|422", outputs=[{"name": "label"}] * 10_000, inputs=[_features()]),
    _document("shared memory", r"4\d\d|501", parameters={"shared_memory_region": "a"}, inputs=[_features()]),
    _document("nested parameters", "200|422", parameters={"a": {"b": [1] * 1000}}, inputs=[_features()]),
    _posted("an unknown model", "404", RIGHT, path=INFER.replace("band", "other")),
    _posted("no model", "404", RIGHT, path="/v2/models//infer"),
    _posted("an unknown version", "404", RIGHT, path=INFER.replace("/infer", "/versions/9/infer")),
    _posted("an unknown model, v1", "404", b"{}", path="/v1/models/other:predict"),
    _posted("a model's name of 3,000 characters", "404", RIGHT, path=f"/v2/models/{'m' * 3000}/infer"),
    _posted("a repository's route", "404", b"{}", path="/v2/repository/models/band/unload"),
    _posted("compressed", "415", b"\x1f\x8b", b"content-encoding: gzip"),
    _posted("another media type", "415", b"<a/>", b"content-type: text/xml"),
    _posted("no media type", "200|415", RIGHT, b"content-type:"),
)

BINARIES = (
    _binary("as it should be", "200", ROW),
    _binary("a byte too few", "4(00|22)", ROW[:-1], size=40),
    _binary("a byte too few in all sizes", "4(00|22)", ROW[:-1]),
    _binary("a byte too many", "4(00|22)", ROW + b"x", size=40),
    _binary("a byte too many in all sizes", "4(00|22)", ROW + b"x"),
    _binary("nothing", "4(00|22)", b"", size=40),
    _binary("no data, two rows", "4(00|22)", ROW, shape=[2, 5]),
    _binary("no rows", "422", b"", shape=[0, 5]),
    _binary("2^62 rows of nothing", "4(00|13|22)", b"", shape=[2**62, 5]),
    _binary("a shape whose bytes overflow to 40", "4(00|13|22)", ROW, shape=[2**61 + 1, 5]),
    _binary("2^32 × 2^32", "4(00|13|22)", ROW, shape=[2**32, 2**32]),
    _binary("a negative size", "4(00|22)", ROW, size=-40),
    _binary("a size that is a text", "4(00|22)", ROW, size="40"),
    _binary("a size that is true", "4(00|22)", ROW, size=True),
    _binary("a size that is a fraction", "4(00|22)", ROW, size=40.0),
    _binary("a size of 2^63 - 1", "4(00|22)", ROW, size=2**63 - 1),
    _binary("a size of 2^64", "4(00|22)", ROW, size=1.8446744073709552e19),
    _binary("no size", "4(00|22)", ROW, parameters={}),
    _binary("data in both forms", "4(00|22)", ROW, parameters={"binary_data_size": 40}, data=[1.0] * 5),
    _binary("a negative length", "400", ROW, length=b"-1"),
    _binary("a length of 0", "400", ROW, length=b"0"),
    _binary("an empty length", "400", ROW, length=b""),
    _binary("a length with a sign", "400", ROW, length=b"+50"),
    _binary("a hexadecimal length", "400", ROW, length=b"0x50"),
    _binary("a length that is a fraction", "400", ROW, length=b"50.0"),
    _binary("a length that is a word", "400", ROW, length=b"long"),
    _binary("a length in other digits", "400", ROW, length="٥٠".encode()),
    _binary("a length with an underscore", "400", ROW, length=b"1_0"),
    _binary("two lengths", "400", ROW, length=b"50, 50"),
    _binary("a length beyond the body", "400", ROW, length=b"100000"),
    _binary("a length of 2^64", "400", ROW, length=b"18446744073709551616"),
    _binary("a length of 1,000 digits", "400", ROW, length=b"9" * 1000),
    _binary("a length within the JSON", "400", ROW, length=b"10"),
    _binary("a length within the data", "400", ROW, length=b"140"),
    _binary("an unknown datatype", "422", ROW, datatype="FP128"),
    _binary("NaN", "200|422", struct.pack("<5d", *[float("nan")] * 5)),
    _binary("infinity", "200|422", struct.pack("<5d", *[float("inf")] * 5)),
    _binary("infinity as FP16", "200|422", b"\x00\x7c" * 5, datatype="FP16"),
    _binary("booleans that are 2", "422", b"\x02" * 5, datatype="BOOL"),
    _texts("as it should be", "200", AA),
    _texts("a length beyond the end", "4(00|22)", struct.pack("<I", 3) + b"AA"),
    _texts("a length of 2^32 - 1", "4(00|22)", struct.pack("<I", 2**32 - 1) + b"AA"),
    _texts("a length without a text", "4(00|22)", struct.pack("<I", 2)),
    _texts("half a length", "4(00|22)", b"\x02\x00"),
    _texts("nothing", "4(00|22)", b""),
    _texts("bytes behind the last", "4(00|22)", AA + b"x"),
    _texts("a value too many", "4(00|22)", AA + AA),
    _texts("a value too few", "4(00|22)", AA, shape=[2]),
    _texts("no UTF-8", "422", struct.pack("<I", 1) + b"\xff"),
    _texts("250,000 empty texts", "4(00|13|22)", struct.pack("<I", 0) * 250_000),
)

TENSOR_ATTACKS: tuple[Attack, ...] = (*SHAPES, *DATATYPES, *NAMES, *REQUESTS, *BINARIES)
