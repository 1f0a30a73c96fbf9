"""KServe's protocol v1."""

import pytest

from .model_directories import ModelDirectory
from .processes import Server

PATH = "/v1/models/late:predict"


def labels(model: ModelDirectory, count: int) -> list[object]:
    """What scikit-learn answers for the first rows."""
    answers: list[object] = model.estimator.predict(model.matrix(model.rows[:count])).tolist()  # type: ignore[attr-defined]
    return answers


def test_models(server: Server) -> None:
    assert server.get("/v1/models").json() == {"models": ["late"]}
    assert server.get("/v1/models/late").json() == {"name": "late", "ready": True}


@pytest.mark.parametrize("count", [1, 40])
def test_instances_by_name(server: Server, late: ModelDirectory, count: int) -> None:
    answer = server.post(PATH, {"instances": late.rows[:count], "signature_name": "serving_default"})
    assert answer.status_code == 200
    assert answer.json() == {"predictions": labels(late, count)}


@pytest.mark.parametrize("count", [1, 40])
def test_instances_in_the_order_of_the_features(server: Server, late: ModelDirectory, count: int) -> None:
    matrix = late.matrix(late.rows[:count]).tolist()
    rows = [[None if value != value else value for value in row] for row in matrix]
    assert server.post(PATH, {"instances": rows}).json() == {"predictions": labels(late, count)}


def test_values_of_a_regression(delay: ModelDirectory) -> None:
    values = delay.estimator.predict(delay.matrix(delay.rows[:5])).tolist()  # type: ignore[attr-defined]
    with Server(delay.path, model_name="delay") as server:
        assert server.post("/v1/models/delay:predict", {"instances": delay.rows[:5]}).json() == {"predictions": values}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        pytest.param([], "the body must be an object with", id="no object"),
        pytest.param({"inputs": []}, "the body must be an object with", id="no instances"),
        pytest.param({"instances": {}}, "the body must be an object with", id="no list"),
        pytest.param({"instances": []}, "the request has no rows", id="no rows"),
        pytest.param({"instances": [3]}, "row 1: 3 is no object", id="a number"),
        pytest.param({"instances": [{"carrier": "AA"}]}, 'row 1: column "distance" is missing', id="missing column"),
        pytest.param({"instances": [[1, 2, 3, 4, 5], [1, 2]]}, "row 2 has 2 values, must be a list of 5", id="short"),
        pytest.param({"instances": [[1, 2, 3, 4, 5], {}]}, "row 2 is {}, must be a list of 5", id="mixed"),
        pytest.param(
            {"instances": [[1, 2, 3, 4, 5], [1, 2, True, 4, 5]]},
            'row 2, column "seats": expected a number, got true',
            id="true",
        ),
        pytest.param(
            {"instances": [["UA", 2, 3, 4, 5]]}, 'row 1, column "carrier": expected a number, got "UA"', id="text"
        ),
    ],
)
def test_wrong_instances(server: Server, document: object, sentence: str) -> None:
    answer = server.post(PATH, document)
    assert answer.status_code == 422
    assert sentence in answer.json()["error"]


def test_explanations_are_not_given(server: Server) -> None:
    answer = server.post("/v1/models/late:explain", {"instances": []})
    assert (answer.status_code, answer.json()["error"]) == (
        501,
        "explanations are not given by this server; POST to :predict for predictions",
    )
