"""Generated bodies for the prediction routes: right ones, ones with hostile values in them, and damaged ones."""

import json
import random
import struct
from dataclasses import dataclass

from .honest import ROW
from .streams import damaged

JSON_HEADERS: dict[bytes, bytes] = {b"content-type": b"application/json"}
CSV_HEADERS: dict[bytes, bytes] = {b"content-type": b"text/csv"}
LENGTH = b"inference-header-content-length"

VALUES = (
    *(b"null", b"true", b"false", b"0", b"1", b"-1", b"1.5", b"-0", b"-0.0", b"1e308", b"-1e308", b"1e-400", b"1e400"),
    *(b"-1e400", b"NaN", b"Infinity", b"-Infinity", b"nan", b"01", b"+1", b".5", b"1.", b"1e", b"0x10", b"1_0", b"127"),
    *(b"128", b"-129", b"255", b"256", b"32768", b"65536", b"2147483648", b"4294967296", b"9007199254740993", b"3.0"),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775808", b"-9223372036854775809"),
    *(
        b"18446744073709551615",
        b"18446744073709551616",
        b"1" * 400,
        b"1" * 5000,
        b"0." + b"1" * 400,
        b"65505",
        b"3.5e38",
    ),
    *(
        b'""',
        b'"AA"',
        b'"\\u0000"',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\\ud83d\\ude00"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
    ),
    *(b'"a\nb"', b'"\xef\xbb\xbf"', b'"' + b"s" * 3000 + b'"', b'"1"', b'"true"', b'"NaN"', b'"%s"', b'"{}"'),
    *(b'"2026-01-01T10:00:00Z"', b'"2026-01-01"', b'"0001-01-01T00:00:00+14:00"', b'"9999-12-31T23:59:59-14:00"'),
    *(b'"2026-02-30"', b'"2026-01-01T25:00"', b'"10000-01-01"', b'"2026-W01-1"', b'"20260101"', b'" 2026-01-01 "'),
    *(b"[]", b"{}", b"[1]", b"[[]]", b"[[1],[2]]", b'{"a":1}', b"[null]", b"[" * 100 + b"]" * 100, b"[" * 2000),
)
"""JSON values, and what looks like them."""

SIZES = (
    *(b"-1", b"0", b"1", b"2", b"3", b"5", b"9", b"10001", b"2147483648", b"4294967296", b"9223372036854775807"),
    *(b"18446744073709551616", b"1.0", b"1.5", b"true", b"null", b'"1"', b"[1]", b"{}", b"1e3", b"-0"),
)
_DATATYPES = ("BYTES", "FP64", "INT64", "BOOL", "BYTES")
_COLUMNS = ("carrier", "distance", "seats", "holiday", "sched_dep")
_ALL_DATATYPES = (
    *(
        b'"FP64"',
        b'"FP32"',
        b'"FP16"',
        b'"INT64"',
        b'"INT32"',
        b'"INT8"',
        b'"UINT8"',
        b'"UINT64"',
        b'"BOOL"',
        b'"BYTES"',
    ),
    *(b'"FP128"', b'"fp64"', b'""', b"null", b"1", b'["FP64"]', b"{}"),
)
_RIGHT: dict[str, bytes] = {name: json.dumps(value).encode() for name, value in json.loads(ROW).items()}
_PARAMETERS = (
    *(b"null", b"{}", b"[]", b'{"binary_data_size":8}', b'{"binary_data_size":-1}', b'{"binary_data":true}'),
    *(b'{"binary_data_output":true}', b'{"binary_data":1}', b'{"binary_data_size":9223372036854775807}', b'{"x":[1]}'),
    *(
        b'{"classification":1}',
        b'{"shared_memory_region":"a"}',
        b'{"binary_data_size":1.0}',
        b'{"binary_data_size":true}',
    ),
)
TOKENS = (
    *VALUES,
    *SIZES,
    *_ALL_DATATYPES,
    *_PARAMETERS,
    *(b",", b":", b"{", b"}", b"[", b"]", b'"', b"\\", b" ", b"\n", b"\x00", b"/**/", b"\xef\xbb\xbf", b"\xff\xfe"),
    *(
        b'"name"',
        b'"shape"',
        b'"datatype"',
        b'"data"',
        b'"inputs"',
        b'"outputs"',
        b'"features"',
        b'"parameters"',
        b'"id"',
    ),
    *(
        b'"instances"',
        b'"rows"',
        b'"carrier"',
        b'"distance":1',
        b'"label"',
        b'"probability"',
        b'"data":[',
        b'"shape":[',
    ),
)


@dataclass(frozen=True)
class Body:
    """One request to a prediction route; `route` is the end of its path."""

    route: str
    headers: dict[bytes, bytes]
    content: bytes


def hostile_body(rng: random.Random) -> Body:
    """A body in one of the forms that are taken, with few or many things wrong in it, or none."""
    wrong = rng.choice((0.0, 0.0, 0.02, 0.1, 0.5))
    match rng.randint(0, 6):
        case 0 | 1:
            body = Body("/predict", JSON_HEADERS, _predict(rng, wrong))
        case 2:
            body = Body("/predict", CSV_HEADERS, _csv(rng, wrong))
        case 3:
            body = Body(":predict", JSON_HEADERS, _v1(rng, wrong))
        case 4:
            body = _binary(rng, wrong)
        case _:
            body = Body("/infer", JSON_HEADERS, _infer(rng, wrong))
    if rng.random() < 0.3:
        return Body(body.route, body.headers, damaged(rng, body.content, TOKENS))
    return body


def _object(members: list[tuple[str, bytes]]) -> bytes:
    return b"{%b}" % b",".join(b"%b:%b" % (json.dumps(name).encode(), value) for name, value in members)


def _list(values: list[bytes]) -> bytes:
    return b"[%b]" % b",".join(values)


def _or_wrong(rng: random.Random, wrong: float, right: bytes, others: tuple[bytes, ...] = VALUES) -> bytes:
    return rng.choice(others) if rng.random() < wrong else right


def _rows(rng: random.Random, wrong: float) -> bytes:
    rows = []
    for _ in range(rng.choice((1, 1, 2, 5, 0) if wrong else (1, 3))):
        members = [(name, _or_wrong(rng, wrong, value)) for name, value in _RIGHT.items()]
        if rng.random() < wrong:
            del members[rng.randrange(len(members))]
        if rng.random() < wrong:
            members.append(rng.choice([*members, ("other", b"1"), ("", b"{}")]) if members else ("x", b"1"))
        rows.append(_or_wrong(rng, wrong / 5, _object(members)))
    return _or_wrong(rng, wrong / 5, _list(rows))


def _predict(rng: random.Random, wrong: float) -> bytes:
    rows = _rows(rng, wrong)
    return rows if rng.random() < 0.5 else _object([("rows", rows)])


def _v1(rng: random.Random, wrong: float) -> bytes:
    if rng.random() < 0.5:
        return _object(
            [(rng.choice(("instances", "instances", "inputs")) if wrong else "instances", _rows(rng, wrong))]
        )
    rows = []
    for _ in range(rng.choice((1, 2, 4))):
        width = rng.choice((0, 4, 6, 5)) if rng.random() < wrong else 5
        rows.append(_list([_or_wrong(rng, wrong, b"1.5") for _ in range(width)]))
    return _object([("instances", _list(rows))])


def _csv(rng: random.Random, wrong: float) -> bytes:
    names = list(_COLUMNS)
    if rng.random() < wrong:
        names = rng.choices([*names, "other", "", '"'], k=rng.randint(0, 7))
    lines = [",".join(names).encode()]
    for _ in range(rng.choice((0, 1, 3)) if wrong else 1):
        cells = (_RIGHT[name].strip(b'"') for name in _COLUMNS)
        lines.append(b",".join(_or_wrong(rng, wrong, cell) for cell in cells))
    end = rng.choice((b"\n", b"\r\n")) if rng.random() >= wrong else rng.choice((b"\r", b"\n\n", b'"', b"\x00"))
    return end.join(lines) + rng.choice((b"", end))


def _infer(rng: random.Random, wrong: float) -> bytes:
    inputs = [_matrix_input(rng, wrong)] if rng.random() < 0.5 else _column_inputs(rng, wrong)
    if rng.random() < wrong:
        rng.shuffle(inputs)
        inputs = rng.choice((inputs[:-1], [*inputs, inputs[0]], [*inputs, rng.choice(VALUES)], []))
    members = [("inputs", _or_wrong(rng, wrong / 5, _list(inputs)))]
    if rng.random() < 0.3:
        members.append(("id", _or_wrong(rng, wrong, b'"a-1"')))
    if rng.random() < 0.3:
        outputs = [_object([("name", _or_wrong(rng, wrong, b'"label"'))])] * rng.choice((1, 1, 2) if wrong else (1,))
        members.append(("outputs", _or_wrong(rng, wrong, _list(outputs))))
    if rng.random() < wrong:
        members.append(("parameters", rng.choice(_PARAMETERS)))
    return _object(members)


def _column_inputs(rng: random.Random, wrong: float) -> list[bytes]:
    rows = rng.choice((1, 2, 3))
    inputs = []
    for name, datatype in zip(_COLUMNS, _DATATYPES, strict=True):
        data = [_or_wrong(rng, wrong, _RIGHT[name]) for _ in range(rows)]
        inputs.append(_input(rng, wrong, name, datatype, [rows], data))
    return inputs


def _matrix_input(rng: random.Random, wrong: float) -> bytes:
    rows = rng.choice((1, 2, 3))
    data = [_or_wrong(rng, wrong, b"1.5") for _ in range(rows * 5)]
    if rng.random() < 0.3:
        data = [_list(data[at : at + 5]) for at in range(0, len(data), 5)]
    return _input(rng, wrong, "features", rng.choice(("FP64", "FP32")), [rows, 5], data)


def _input(rng: random.Random, wrong: float, name: str, datatype: str, shape: list[int], data: list[bytes]) -> bytes:
    sizes = [_or_wrong(rng, wrong, b"%d" % size, SIZES) for size in shape]
    if rng.random() < wrong:
        sizes = rng.choice((sizes[:-1], [*sizes, b"1"], [b"1"] * 9, [b"0", *sizes], [b"4294967296"] * 2))
    if rng.random() < wrong:
        data = rng.choice((data[:-1], [*data, b"1"], [_list(data)], [_list([value]) for value in data], []))
    members = [
        ("name", _or_wrong(rng, wrong / 3, json.dumps(name).encode())),
        ("shape", _or_wrong(rng, wrong / 3, _list(sizes))),
        ("datatype", _or_wrong(rng, wrong / 3, json.dumps(datatype).encode(), _ALL_DATATYPES)),
        ("data", _or_wrong(rng, wrong / 3, _list(data))),
    ]
    if rng.random() < wrong:
        members.append(("parameters", rng.choice(_PARAMETERS)))
    if rng.random() < wrong:
        del members[rng.randrange(len(members))]
    return _object(members)


def _binary(rng: random.Random, wrong: float) -> Body:
    rows = rng.choice((1, 2, 3))
    if rng.random() < 0.5:
        parts = [("features", rng.choice(("FP64", "FP32")), [rows, 5])]
    else:
        parts = [(name, datatype, [rows]) for name, datatype in zip(_COLUMNS, _DATATYPES, strict=True)]
    inputs, data = [], b""
    for name, datatype, shape in parts:
        content = _binary_data(rng, wrong, datatype, shape[0] * (shape[1] if len(shape) > 1 else 1))
        size = b"%d" % len(content)
        sizes = [_or_wrong(rng, wrong, b"%d" % each, SIZES) for each in shape]
        members = [
            ("name", json.dumps(name).encode()),
            ("shape", _list(sizes)),
            ("datatype", _or_wrong(rng, wrong, json.dumps(datatype).encode(), _ALL_DATATYPES)),
            ("parameters", _object([("binary_data_size", _or_wrong(rng, wrong, size, SIZES))])),
        ]
        if rng.random() < wrong / 3:
            members.append(("data", b"[]"))
        inputs.append(_object(members))
        data += content
    members = [("inputs", _list(inputs))]
    if rng.random() < 0.3:
        members.append(("parameters", b'{"binary_data_output":true}'))
    document = _object(members)
    length = _or_wrong(
        rng, wrong, b"%d" % len(document), (*SIZES, b"", b" 5", b"+5", b"0x5", b"\xb2", b"9" * 5000, b"5,5")
    )
    cut = rng.randint(0, len(data)) if rng.random() < wrong else len(data)
    return Body("/infer", {b"content-type": b"application/octet-stream", LENGTH: length}, document + data[:cut])


def _binary_data(rng: random.Random, wrong: float, datatype: str, count: int) -> bytes:
    if rng.random() < wrong:
        count += rng.choice((-1, 1))
    match datatype:
        case "BYTES":
            texts = [rng.choice((b"AA", b"", b"2026-01-01", b"\xff" if wrong else b"UA")) for _ in range(count)]
            lie = rng.choice((-1, 1, 2**31, 2**32 - 9)) if rng.random() < wrong else 0
            return b"".join(struct.pack("<I", (len(text) + lie) % 2**32) + text for text in texts)
        case "BOOL":
            return bytes(rng.choice((0, 1, 2 if wrong else 1)) for _ in range(count))
        case "INT64":
            return struct.pack(f"<{max(0, count)}q", *rng.choices((0, 100, -(2**63), 2**63 - 1), k=max(0, count)))
        case _:
            code, infinity = ("d", float("inf")) if datatype == "FP64" else ("f", float("nan"))
            return struct.pack(f"<{max(0, count)}{code}", *rng.choices((0.0, 1.5, -1e30, infinity), k=max(0, count)))
