"""How each server wants to be asked, and where the labels and probabilities stand in its answer."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]
Json: TypeAlias = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


@dataclass(frozen=True)
class Dialect:
    """`body` makes the JSON for a matrix; `labels` and `probabilities` read an answer's.

    The two raise ValueError, KeyError, TypeError or IndexError on an answer of another form. `both` asks for labels and
    probabilities; it is None where a server gives only labels.
    """

    body: Callable[[Matrix], Json]
    labels: Callable[[Json], list[int]]
    both: Callable[[Matrix], Json] | None = None
    probabilities: Callable[[Json], Matrix] | None = None

    def wrong_rows(self, answer: bytes, labels: Sequence[int]) -> int:
        """How many labels of an answer differ from the right ones; all where it can't be read."""
        try:
            found = self.labels(json.loads(answer))
        except (ValueError, KeyError, TypeError, IndexError):
            return len(labels)
        if len(found) != len(labels):
            return len(labels)
        return sum(one != other for one, other in zip(found, labels, strict=True))


def encoded(document: Json) -> bytes:
    """JSON without spaces."""
    return json.dumps(document, separators=(",", ":")).encode()


def request(path: str, document: Json) -> bytes:
    """A whole HTTP request, with the same few header lines for every server."""
    body = encoded(document)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def _tensor(matrix: Matrix) -> Json:
    shape = cast(Json, list(matrix.shape))
    return {"name": "features", "shape": shape, "datatype": "FP64", "data": cast(Json, matrix.ravel().tolist())}


def _infer(*outputs: str) -> Callable[[Matrix], Json]:
    if not outputs:
        return lambda matrix: {"inputs": [_tensor(matrix)]}
    named: list[Json] = [{"name": name} for name in outputs]
    return lambda matrix: {"inputs": [_tensor(matrix)], "outputs": named}


def _output(index: int) -> Callable[[Json], list[Json]]:
    def read(answer: Json) -> list[Json]:
        return _list(_object(_list(_object(answer)["outputs"])[index])["data"])

    return read


def _integers(values: Sequence[Json]) -> list[int]:
    return [int(cast(float, value)) for value in values]


def _in_rows(read: Callable[[Json], list[Json]]) -> Callable[[Json], Matrix]:
    # Two classes: the rows' probabilities stand one after the other.
    return lambda answer: np.array(read(answer), dtype=np.float64).reshape(-1, 2)


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _v2_labels(answer: Json) -> list[int]:
    return _integers(_output(0)(answer))


def _named_predictions(answer: Json) -> list[int]:
    return _integers(_list(_object(answer)["predictions"]))


OURS = Dialect(_infer("label"), _v2_labels, _infer("label", "probability"), _in_rows(_output(1)))
MLSERVER = Dialect(_infer(), _v2_labels, _infer("predict", "predict_proba"), _in_rows(_output(1)))
KSERVE_V2 = Dialect(_infer(), _v2_labels)
KSERVE_V1 = Dialect(lambda matrix: {"instances": matrix.tolist()}, _named_predictions)
MLFLOW = Dialect(lambda matrix: {"inputs": matrix.tolist()}, _named_predictions)
BENTOML = Dialect(lambda matrix: {"rows": matrix.tolist()}, lambda answer: _integers(_list(answer)))
