"""What holds of the decoders' reading of any body."""

import json
from collections.abc import Callable, Mapping

import numpy as np

from modelwright_server.http_message import Head, Request, Response
from modelwright_server.model_endpoint import ModelEndpoint
from modelwright_server.problems import Problem
from modelwright_server.work import Work

from .bodies import LENGTH, Body
from .honest import INFER, PREDICT, V1

CODES = frozenset({400, 413, 415, 422, 501})
LONGEST_SENTENCE = 2000


class Decoding:
    """The decoders of one loaded model of five features."""

    def __init__(self, endpoint: ModelEndpoint) -> None:
        self._endpoint = endpoint
        decoders: Mapping[str, Callable[[Request], Work[Response]]] = endpoint.decoders()
        self._decoders = {"/infer": decoders[INFER], "/predict": decoders[PREDICT], ":predict": decoders[V1]}

    def is_sound(self, body: Body) -> None:
        """It is refused with a sentence and a code, or it is work that can be predicted and answered in JSON."""
        request = Request(Head("POST", body.route, body.headers, True, False), body.content, b"id", 0.0)
        try:
            work = self._decoders[body.route](request)
            assert work.rows > 0
            assert work.matrix.shape == (work.rows, len(self._endpoint.matrix.features))
            assert work.matrix.dtype == np.float64
            assert work.matrix.flags.c_contiguous
            with np.errstate(all="ignore"):
                response = work.encode(self._endpoint.predictor.predict(work.matrix))
        except Problem as problem:
            _is_sentence(problem, body)
        except Exception as failure:
            raise AssertionError(f"{type(failure).__name__}: {failure}: {body}") from failure
        else:
            _is_json(response, work.rows)


def _is_sentence(problem: Problem, body: Body) -> None:
    assert problem.status in CODES, f"{problem.status} {problem.sentence}: {body}"
    assert 0 < len(problem.sentence) < LONGEST_SENTENCE, f"{problem.sentence[:3000]}: {body}"
    # It can be sent: it has no lone surrogate.
    problem.sentence.encode()


def _is_json(response: Response, rows: int) -> None:
    """Strict JSON, with numbers only; binary data, if any, behind it."""
    length = dict(response.headers).get(LENGTH)
    document = json.loads(response.body if length is None else response.body[: int(length)], parse_constant=_no_number)
    if "predictions" in document:
        assert len(document["predictions"]) == rows
    else:
        assert all(output["shape"][0] == rows for output in document["outputs"])
    assert response.rows == rows


def _no_number(text: str) -> float:
    raise AssertionError(f"{text} is no JSON")
