"""One loaded model behind its HTTP routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Protocol

import orjson

from modelwright_contract.features import FeatureContract
from modelwright_contract.manifests import TensorSpec
from modelwright_server.answers import Answers
from modelwright_server.examples import examples_of, nullable_columns, takes_missing
from modelwright_server.feature_matrix import DEFAULT_MAX_ROWS, FeatureMatrix
from modelwright_server.golden import GoldenRows, disagreement
from modelwright_server.http_message import Request, Response
from modelwright_server.infer import InferDecoder
from modelwright_server.openapi import openapi
from modelwright_server.page import page
from modelwright_server.predict import PredictDecoder
from modelwright_server.prediction import Matrix, Prediction, Predictor
from modelwright_server.problems import ModelUnusable, Problem
from modelwright_server.profile_bins import ProfileBins
from modelwright_server.signature import Signature
from modelwright_server.v1 import V1Decoder, explain
from modelwright_server.work import Work


class LoadedPredictor(Predictor, Protocol):
    """A predictor as it comes from loading."""

    platform: str
    """What computes the answers, as the model's metadata name it."""

    def bind(self, rows: Matrix) -> None:
        """Prepare for many predictions; once, with some rows that the model takes. Raises nothing."""

    def settle_in_thread(self) -> None:
        """Configure the calling thread; once on each thread that predicts."""


class ModelEndpoint:
    """Implements `endpoint.Endpoint` for a model with a feature contract."""

    def __init__(
        self,
        name: str,
        version: str,
        contract: FeatureContract,
        predictor: LoadedPredictor,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        max_rows: int = DEFAULT_MAX_ROWS,
        profile: ProfileBins | None = None,
    ) -> None:
        """`max_rows` bounds the rows of one request."""
        self.name = name
        self.version = version
        self.predictor: LoadedPredictor = predictor
        self.profile = profile
        self.matrix = FeatureMatrix(contract, max_rows)
        self.answers = Answers(name, version, outputs, predictor.classes)
        self.settle_in_thread = predictor.settle_in_thread
        self._inputs = inputs
        self._outputs = outputs
        self._documents: dict[str, Response] = {}
        self._call_s = 0.0
        self._row_s = 0.0

    # -- what the application asks ----------------------------------------------------------------------------------

    def documents(self) -> Mapping[str, Response]:
        """The model's metadata and readiness, its OpenAPI and its page; known after the warm-up."""
        return self._documents

    def decoders(self) -> Mapping[str, Callable[[Request], Work[Response]]]:
        """infer and predict, with and without the version, and KServe's v1."""
        infer, predict = InferDecoder(self.matrix, self.answers), PredictDecoder(self.matrix, self.answers)
        decoders: dict[str, Callable[[Request], Work[Response]]] = {}
        for path in self._paths():
            decoders |= {f"{path}/infer": infer, f"{path}/predict": predict}
        v1 = f"/v1/models/{self.name}"
        return decoders | {f"{v1}:predict": V1Decoder(self.matrix, self.answers), f"{v1}:explain": explain}

    def route_of(self, path: str) -> str:
        """infer, predict, v1 or metadata."""
        if path.startswith("/v1/"):
            return "v1"
        last = path.rpartition("/")[2]
        return last if last in ("infer", "predict") and path not in self._paths() else "metadata"

    def seconds_for(self, rows: int) -> float:
        """A line through the two warm-up measurements."""
        return self._call_s + rows * self._row_s

    # -- warm-up ----------------------------------------------------------------------------------------------------

    def warm_up(self, golden: GoldenRows) -> None:
        """Predict the golden rows, hold them against their answers, measure, and describe. Raises ModelUnusable."""
        predictor = self.predictor
        try:
            matrix = self.matrix.of_columns(self.matrix.columns_of(golden.rows))
            predictor.bind(matrix)
            prediction = predictor.predict(matrix)
        except Problem as refusal:
            raise ModelUnusable(f"the golden rows are refused: {refusal.sentence}") from refusal
        difference = disagreement(golden, prediction, predictor.classes)
        if difference is not None:
            raise ModelUnusable(difference)
        one_s = _fastest(partial(predictor.predict, matrix[:1]))
        all_s = _fastest(partial(predictor.predict, matrix))
        self._row_s = max(0.0, all_s - one_s) / max(1, len(golden.rows) - 1)
        self._call_s = max(0.0, one_s - self._row_s)
        self._documents = self._described(golden, matrix, prediction)

    def _described(self, golden: GoldenRows, matrix: Matrix, prediction: Prediction) -> dict[str, Response]:
        missing = takes_missing(self.predictor, matrix)
        signature = Signature(
            name=self.name,
            version=self.version,
            columns=self.matrix.columns,
            nullable=nullable_columns(self.matrix, golden.rows[0], missing=missing),
            features=self.matrix.features,
            takes_missing=missing,
            inputs=self._inputs,
            outputs=self._outputs,
            classes=self.predictor.classes,
            max_rows=self.matrix.max_rows,
        )
        examples = examples_of(signature, golden.rows, prediction, self.answers)
        metadata = {
            "name": self.name,
            "versions": [self.version],
            "platform": self.predictor.platform,
            "inputs": [tensor.to_json() for tensor in self._inputs],
            "outputs": [tensor.to_json() for tensor in self._outputs],
        }
        ready = _json({"name": self.name, "ready": True})
        documents = dict.fromkeys(self._paths(), _json(metadata))
        documents |= {f"{path}/ready": ready for path in self._paths()}
        documents |= {"/v1/models": _json({"models": [self.name]}), f"/v1/models/{self.name}": ready}
        return documents | {"/openapi.json": _json(openapi(signature, examples)), "/": page(signature, examples)}

    def _paths(self) -> tuple[str, ...]:
        model = f"/v2/models/{self.name}"
        return (model, f"{model}/versions/{self.version}") if self.version else (model,)


def _json(document: object) -> Response:
    return Response(200, orjson.dumps(document))


def _fastest(call: Callable[[], object], times: int = 3) -> float:
    seconds = []
    for _ in range(times):
        began = perf_counter()
        call()
        seconds.append(perf_counter() - began)
    return min(seconds)
