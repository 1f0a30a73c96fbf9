"""Reads plain rows by column name: a list of objects, or CSV."""

from __future__ import annotations

from modelwright_server.answers import Answers
from modelwright_server.feature_matrix import FeatureMatrix
from modelwright_server.http_message import Request, Response
from modelwright_server.problems import Problem
from modelwright_server.request_body import CSV_TYPES, JSON_TYPES, media_type_of, parse_json
from modelwright_server.rows import columns_of_csv
from modelwright_server.work import Work

_TAKEN = JSON_TYPES | CSV_TYPES


class PredictDecoder:
    """The decoder of one model's predict route."""

    def __init__(self, matrix: FeatureMatrix, answers: Answers) -> None:
        self._matrix = matrix
        self._answers = answers

    def __call__(self, request: Request) -> Work[Response]:
        """Raises Problem that names row and column."""
        if media_type_of(request.head.headers, _TAKEN) in CSV_TYPES:
            matrix = self._matrix.of_columns(columns_of_csv(request.body, self._matrix))
        else:
            document = parse_json(request.body)
            rows = document.get("rows") if isinstance(document, dict) else document
            if not isinstance(rows, list):
                raise Problem('the body must be a list of rows [{"column": value, …}, …], or {"rows": [{…}, …]}')
            matrix = self._matrix.of_rows(rows)
        return Work(len(matrix), matrix, self._answers.objects)
