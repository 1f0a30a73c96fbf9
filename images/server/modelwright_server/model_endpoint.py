"""One loaded model behind its HTTP routes: decode, contract, predict, encode."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter

import orjson

from modelwright_contract.features import FeatureContract
from modelwright_contract.manifests import TensorSpec
from modelwright_contract.vectors import ValueType, Vector, quoted
from modelwright_server.answers import Answers
from modelwright_server.endpoint import Prepared
from modelwright_server.golden import GoldenRows, disagreement
from modelwright_server.http_message import Request, Response
from modelwright_server.predictor import Matrix, Prediction, Predictor
from modelwright_server.problems import ModelUnusable, Problem
from modelwright_server.rows import columns_of_csv, columns_of_json, parse_json
from modelwright_server.tensors import Tensor, columns_of

PLATFORM = "modelwright_sklearn"
MATRIX_INPUT = "features"


class ModelEndpoint:
    """Implements `endpoint.Endpoint` for a scikit-learn model with a feature contract."""

    def __init__(
        self,
        name: str,
        version: str,
        contract: FeatureContract,
        predictor: Predictor,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
    ) -> None:
        self.name = name
        self.version = version
        self._contract = contract
        self._predictor = predictor
        self._columns: dict[str, ValueType] = {column.name: column.type for column in contract.inputs}
        self._inputs = inputs
        self._outputs = outputs
        self._answers = Answers(name, version, {o.name: o.datatype for o in outputs}, predictor.classes)
        self._call_s = 0.0
        self._row_s = 0.0

    # -- what the application asks ----------------------------------------------------------------------------------

    def documents(self) -> Mapping[str, bytes]:
        """Metadata and readiness of the model, with and without its version."""
        metadata = orjson.dumps(
            {
                "name": self.name,
                "versions": [self.version],
                "platform": PLATFORM,
                "inputs": [tensor.to_json() for tensor in self._inputs],
                "outputs": [tensor.to_json() for tensor in self._outputs],
            }
        )
        ready = orjson.dumps({"name": self.name, "ready": True})
        return dict.fromkeys(self._paths(), metadata) | {f"{path}/ready": ready for path in self._paths()}

    def predictions(self) -> Mapping[str, Callable[[Request], Prepared]]:
        """`infer` (Open Inference Protocol) and `predict` (plain rows), with and without the version."""
        infer = {f"{path}/infer": self._prepare_infer for path in self._paths()}
        return infer | {f"{path}/predict": self._prepare_predict for path in self._paths()}

    def route_of(self, path: str) -> str:
        """infer, predict, ready or metadata."""
        last = path.rpartition("/")[2]
        return last if last in ("infer", "predict", "ready") and path not in self._paths() else "metadata"

    def seconds_for(self, rows: int) -> float:
        """A line through the two warm-up measurements."""
        return self._call_s + rows * self._row_s

    def settle_in_thread(self) -> None:
        """See `Predictor.settle_in_thread`."""
        self._predictor.settle_in_thread()

    # -- warm-up ----------------------------------------------------------------------------------------------------

    def warm_up(self, golden: GoldenRows) -> None:
        """Predict the golden rows, hold them against their answers, and measure. Raises ModelUnusable."""
        try:
            matrix = self._matrix(columns_of_json(golden.body, self._columns))
            problem = disagreement(golden, self._predictor.predict(matrix), self._predictor.classes)
        except Problem as refusal:
            raise ModelUnusable(f"the golden rows are refused: {refusal.sentence}") from refusal
        if problem is not None:
            raise ModelUnusable(problem)
        one_s = _fastest(partial(self._predictor.predict, matrix[:1]))
        all_s = _fastest(partial(self._predictor.predict, matrix))
        self._row_s = max(0.0, all_s - one_s) / max(1, golden.rows - 1)
        self._call_s = max(0.0, one_s - self._row_s)

    # -- requests ---------------------------------------------------------------------------------------------------

    def _prepare_infer(self, request: Request) -> Prepared:
        if b"inference-header-content-length" in request.headers:
            raise Problem("tensors in binary form are not taken here; send them as JSON")
        document = parse_json(_body_of(request))
        inputs = document.get("inputs") if isinstance(document, dict) else None
        if not isinstance(document, dict) or not isinstance(inputs, list) or not inputs:
            raise Problem('the body must be an object with "inputs": [{"name", "shape", "datatype", "data"}, …]')
        request_id = document.get("id")
        if request_id is not None and not isinstance(request_id, str):
            raise Problem(f"id: {quoted(request_id)} is no string")
        names = self._answers.requested(document.get("outputs"))
        tensors: dict[str, Tensor] = {}
        for position, item in enumerate(inputs):
            tensor = Tensor(position, item)
            if tensor.name in tensors:
                raise Problem(f'inputs[{position}].name: "{tensor.name[:64]}" is there twice')
            tensors[tensor.name] = tensor
        if tensors.keys() == {MATRIX_INPUT} and MATRIX_INPUT not in self._columns:
            matrix = tensors[MATRIX_INPUT].matrix(self._contract.features)
        else:
            matrix = self._matrix(columns_of(tensors, self._columns))
        return self._prepared(matrix, lambda prediction: self._answers.tensors(prediction, names, request_id))

    def _prepare_predict(self, request: Request) -> Prepared:
        media_type = request.headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
        if media_type == b"text/csv":
            columns = columns_of_csv(_body_of(request), self._columns)
        elif media_type in (b"application/json", b"application/x-www-form-urlencoded"):
            # curl -d without a header says form; what it sends is the JSON that its user wrote.
            columns = columns_of_json(_body_of(request), self._columns)
        else:
            said = media_type.decode("latin-1")[:64]
            raise Problem(f"Content-Type is {said}, must be application/json or text/csv", status=415)
        return self._prepared(self._matrix(columns), self._answers.objects)

    def _prepared(self, matrix: Matrix, encode: Callable[[Prediction], bytes]) -> Prepared:
        rows = len(matrix)
        if rows == 0:
            raise Problem("the request has no rows; send at least one")
        return Prepared(rows, lambda: Response(200, encode(self._predictor.predict(matrix)), rows=rows))

    def _matrix(self, columns: Mapping[str, Vector]) -> Matrix:
        return self._contract.features_of(columns)

    def _paths(self) -> tuple[str, ...]:
        model = f"/v2/models/{self.name}"
        return (model, f"{model}/versions/{self.version}") if self.version else (model,)


def _body_of(request: Request) -> bytes:
    coding = request.headers.get(b"content-encoding", b"identity").strip().lower()
    if coding != b"identity":
        said = coding.decode("latin-1")[:64]
        raise Problem(f"Content-Encoding is {said}; send the body uncompressed", status=415)
    return request.body


def _fastest(call: Callable[[], object], times: int = 3) -> float:
    seconds = []
    for _ in range(times):
        began = perf_counter()
        call()
        seconds.append(perf_counter() - began)
    return min(seconds)
