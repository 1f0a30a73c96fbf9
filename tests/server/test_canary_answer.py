"""A canary's answer as bytes: what is read, and what is refused; and what its body says of each row."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

import pytest

from modelwright_server.answer_labels import AnswerUnreadable, agree, labels_of
from modelwright_server.canary_answer import MAX_FRAMING_BYTES, MAX_HEAD_BYTES, Answer, AnswerReader, Room, Unreadable

MAX_BYTES = 1000
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1;a=b\r\n}\r\n0\r\n\r\n"
OLD = b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def read(*pieces: bytes, max_bytes: int = MAX_BYTES, room: Room | None = None) -> tuple[Answer | None, bool]:
    """What comes of bytes that arrive in these pieces, and whether the connection may be used again."""
    reader = AnswerReader(max_bytes, room or Room(MAX_BYTES))
    answer = None
    for piece in pieces:
        answer = reader.feed(piece)
    return answer, reader.reusable


@pytest.mark.parametrize(
    ("sent", "reusable"),
    [
        pytest.param(PLAIN, True, id="plain"),
        pytest.param(CHUNKED, True, id="chunked"),
        pytest.param(OLD, False, id="HTTP/1.0"),
        pytest.param(OLD.replace(b"\r\n\r\n", b"\r\nconnection: keep-alive\r\n\r\n"), True, id="HTTP/1.0, kept"),
        pytest.param(PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), False, id="the last one"),
        pytest.param(PLAIN + PLAIN, False, id="two answers"),
        pytest.param(PLAIN + b"\0\1\2", False, id="and then garbage"),
    ],
)
def test_an_answer_is_read(sent: bytes, reusable: bool) -> None:
    answer, again = read(sent)
    assert answer is not None
    assert (answer.status, answer.body, again) == (200, b"{}", reusable)


@pytest.mark.parametrize("sent", [PLAIN, CHUNKED, OLD], ids=["plain", "chunked", "HTTP/1.0"])
def test_however_it_is_cut_it_is_whole_only_at_its_end(sent: bytes) -> None:
    for cut in range(len(sent)):
        reader = AnswerReader(MAX_BYTES, Room(MAX_BYTES))
        assert reader.feed(sent[:cut]) is None
        assert reader.began == (cut > 0)
        answer = reader.feed(sent[cut:])
        assert answer is not None
        assert answer.body == b"{}"


def test_any_status_is_an_answer() -> None:
    answer, reusable = read(b"HTTP/1.1 503 Sorry\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n")
    assert answer == Answer(503, {b"retry-after": b"1", b"content-length": b"0"}, b"")
    assert reusable


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", "no HTTP", id="another protocol"),
        pytest.param(bytes(range(256)), "no HTTP", id="garbage"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n{}", "does not tell its length", id="until its end"),
        pytest.param(PLAIN.replace(b"1.1", b"2.0"), "HTTP", id="another version"),
        pytest.param(PLAIN.replace(b": 2", b": -2"), "no HTTP", id="a length below nothing"),
        pytest.param(PLAIN.replace(b": 2", b": 2\r\nContent-Length: 3"), "no HTTP", id="two lengths"),
        pytest.param(PLAIN.replace(b": 2", b": 1001"), "over 1000 bytes", id="told to be too large"),
        pytest.param(CHUNKED.replace(b"chunked", b"gzip, chunked"), "coding for which nobody asked", id="packed"),
        pytest.param(
            CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-length: 2\r\n\r\n", 1), "no HTTP", id="doubtful length"
        ),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN, "status 100", id="what nobody asked"),
        pytest.param(
            b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", "status 101", id="another way"
        ),
        pytest.param(PLAIN.replace(b"{}", b"").replace(b": 2", b": 2\r\nX y"), "no HTTP", id="a broken field"),
        pytest.param(b"HTTP/1.1 200 OK\r\na: " + b"b" * MAX_HEAD_BYTES, "head is over", id="an endless field"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"190\r\n%b\r\n" % (b"x" * 400) * 3,
            "over 1000 bytes",
            id="too large in chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"x" * (MAX_HEAD_BYTES + MAX_FRAMING_BYTES),
            "longer than their data",
            id="an endless extension",
        ),
        pytest.param(
            CHUNKED[:-2] + b"a: " + b"x" * (MAX_HEAD_BYTES + MAX_FRAMING_BYTES),
            "longer than their data",
            id="an endless trailer",
        ),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 4096, 7])
def test_what_is_no_answer(sent: bytes, reason: str, piece_bytes: int) -> None:
    with pytest.raises(Unreadable) as caught:
        read(*(sent[begin : begin + piece_bytes] for begin in range(0, len(sent), piece_bytes)))
    assert reason in str(caught.value)


def test_answers_share_a_room() -> None:
    room = Room(3)
    first = AnswerReader(MAX_BYTES, room)
    first.feed(PLAIN)
    second = AnswerReader(MAX_BYTES, room)
    with pytest.raises(Unreadable):
        second.feed(PLAIN)
    assert second.no_room
    second.close()
    first.close()
    first.close()
    assert read(PLAIN, room=room)[0] is not None


def tensors(*outputs: object) -> bytes:
    """An infer answer."""
    return json.dumps({"model_name": "m", "outputs": outputs}).encode()


LABEL = {"name": "label", "datatype": "BOOL", "shape": [2], "data": [True, False]}
PROBABILITY = {"name": "probability", "datatype": "FP64", "shape": [2, 2], "data": [0.1, 0.9, 0.8, 0.2]}
BINARY = {"name": "label", "datatype": "BOOL", "shape": [2], "parameters": {"binary_data_size": 2}}
TEXTS = {"name": "label", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": 13}}


@pytest.mark.parametrize(
    ("route", "body", "labels"),
    [
        pytest.param("infer", tensors(LABEL, PROBABILITY), [True, False], id="tensors"),
        pytest.param("infer", tensors(PROBABILITY), None, id="without labels"),
        pytest.param(
            "infer",
            tensors(PROBABILITY | {"name": "prediction", "shape": [2], "data": [1, None]}),
            [1, None],
            id="values",
        ),
        pytest.param("predict", b'{"predictions":[{"label":"a"},{"prediction":2.5}]}', ["a", 2.5], id="objects"),
        pytest.param("v1", b'{"predictions":["a",2.5]}', ["a", 2.5], id="KServe v1"),
    ],
)
def test_labels(route: str, body: bytes, labels: Sequence[object] | None) -> None:
    assert labels_of(route, {}, body, 2) == labels


@pytest.mark.parametrize(
    ("output", "data", "labels"),
    [
        pytest.param(BINARY, b"\1\0", [True, False], id="booleans"),
        pytest.param(TEXTS, struct.pack("<I2sI3s", 2, b"ab", 3, "é!".encode()), ["ab", "é!"], id="texts"),
        pytest.param(
            BINARY | {"datatype": "INT64", "parameters": {"binary_data_size": 16}},
            struct.pack("<qq", 1, -5),
            [1, -5],
            id="numbers",
        ),
    ],
)
def test_labels_in_binary_data(output: object, data: bytes, labels: Sequence[object]) -> None:
    head = tensors(output, PROBABILITY)
    length = {b"inference-header-content-length": b"%d" % len(head)}
    assert labels_of("infer", length, head + data, 2) == labels


@pytest.mark.parametrize(
    ("route", "body"),
    [
        pytest.param("predict", b"<html>It works!</html>", id="a page"),
        pytest.param("predict", b"", id="nothing"),
        pytest.param("predict", b"[]", id="a list"),
        pytest.param("predict", b'{"predictions":[{"label":1}]}', id="a row less"),
        pytest.param("predict", b'{"predictions":[{"label":1},{"label":1},{"label":1}]}', id="a row more"),
        pytest.param("predict", b'{"predictions":[{"label":1},{}]}', id="a row without an answer"),
        pytest.param("predict", b'{"predictions":{"label":1}}', id="an object"),
        pytest.param("predict", tensors(LABEL), id="another route's"),
        pytest.param("v1", b'{"predictions":[1]}', id="KServe v1, a row less"),
        pytest.param("infer", b'{"error":"no"}', id="an error"),
        pytest.param("infer", tensors(), id="no output"),
        pytest.param("infer", tensors("label"), id="an output that is a text"),
        pytest.param("infer", tensors(LABEL | {"shape": [3]}), id="tensors, a row more"),
        pytest.param("infer", tensors(LABEL | {"shape": []}), id="a scalar"),
        pytest.param("infer", tensors(LABEL | {"shape": [2, True]}), id="a shape that is none"),
        pytest.param("infer", tensors(LABEL | {"data": [True]}), id="a value less"),
        pytest.param("infer", tensors(LABEL | {"data": None}), id="no data"),
        pytest.param("infer", tensors(BINARY), id="no binary data"),
        pytest.param("infer", tensors(BINARY | {"datatype": "BOOLEAN"}), id="no datatype"),
    ],
)
def test_what_is_no_answer_to_the_request(route: str, body: bytes) -> None:
    with pytest.raises(AnswerUnreadable):
        labels_of(route, {}, body, 2)


@pytest.mark.parametrize(
    ("length", "data"),
    [
        pytest.param(None, b"\1\0\0", id="a byte more"),
        pytest.param(None, b"\1", id="a byte less"),
        pytest.param(None, b"\1\2", id="no booleans"),
        pytest.param(b"99999", b"\1\0", id="a length beyond the end"),
        pytest.param(b"-1", b"\1\0", id="a length below nothing"),
        pytest.param(b"x", b"\1\0", id="a length that is none"),
        pytest.param(b"3", b"\1\0", id="a length within the head"),
    ],
)
def test_binary_data_that_are_none(length: bytes | None, data: bytes) -> None:
    head = tensors(BINARY)
    told = {b"inference-header-content-length": length or b"%d" % len(head)}
    with pytest.raises(AnswerUnreadable):
        labels_of("infer", told, head + data, 2)


@pytest.mark.parametrize(
    ("one", "other", "regression", "agreed"),
    [
        pytest.param("a", "a", False, True, id="the same label"),
        pytest.param("a", "b", False, False, id="another"),
        pytest.param(1, True, False, False, id="another type"),
        pytest.param(100.0, 100.09, True, True, id="nearly the same value"),
        pytest.param(100.0, 100.2, True, False, id="another value"),
        pytest.param(0.0, 1e-9, True, False, id="beside nothing"),
        pytest.param(3, 3.0, True, True, id="a whole number"),
        pytest.param(None, None, True, True, id="no value"),
        pytest.param(None, 1.0, True, False, id="a value and none"),
    ],
)
def test_agreement(one: object, other: object, regression: bool, agreed: bool) -> None:
    assert agree(one, other, regression=regression) is agreed
