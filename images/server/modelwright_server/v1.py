"""KServe's protocol v1: `{"instances": […]}` in, `{"predictions": […]}` out.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol
"""

from __future__ import annotations

from modelwright_server.answers import Answers
from modelwright_server.feature_matrix import FeatureMatrix
from modelwright_server.http_message import Request, Response
from modelwright_server.json_tensors import has_booleans
from modelwright_server.problems import Problem
from modelwright_server.request_body import JSON_TYPES, media_type_of, parse_json
from modelwright_server.work import Work


class V1Decoder:
    """The decoder of one model's v1 predict route."""

    def __init__(self, matrix: FeatureMatrix, answers: Answers) -> None:
        self._matrix = matrix
        self._answers = answers

    def __call__(self, request: Request) -> Work[Response]:
        """Instances are objects by column name, or lists of numbers in the order of the features. Raises Problem."""
        media_type_of(request.head.headers, JSON_TYPES)
        document = parse_json(request.body)
        instances = document.get("instances") if isinstance(document, dict) else None
        if not isinstance(instances, list):
            raise Problem('the body must be an object with "instances": [{"column": value, …}, …] or [[number, …], …]')
        if instances and isinstance(instances[0], list):
            matrix = self._matrix.of_arrays(instances, booleans=has_booleans(request.body))
        else:
            matrix = self._matrix.of_rows(instances)
        return Work(len(matrix), matrix, self._answers.values)


def explain(_request: Request) -> Work[Response]:
    """The decoder of the v1 explain route: raises Problem."""
    raise Problem("explanations are not given by this server; POST to :predict for predictions", 501)
