"""Whether a server answers all test rows like scikit-learn itself; one that does not is not raced."""

import json
from collections.abc import Sequence

import numpy as np
from benchmarks.servers.asking import NotAnswered, answers, answers_to_many
from benchmarks.servers.contenders import Contender
from benchmarks.servers.models import Model
from benchmarks.servers.targets import CELLS, SKLEARN

SAME_FORM, OTHER_FORM = 1e-9, 1e-6
"""How far probabilities may be from scikit-learn's, where it computes them and where an ONNX form does."""


def disagreement(contender: Contender, models: Sequence[Model]) -> str | None:
    """None when labels, and probabilities where the server gives them, are right; else a sentence."""
    if contender.echoes:
        return None
    for model in models:
        if model.name in contender.endpoints:
            sizes = sorted({cell.rows for cell in CELLS})
            try:
                problem = next(filter(None, (_labels(contender, model, rows) for rows in sizes)), None)
                problem = problem or _probabilities(contender, model)
            except NotAnswered as failure:
                problem = str(failure)
            if problem is not None:
                return f"{model.name}: {problem}"
    return None


def _labels(contender: Contender, model: Model, rows: int) -> str | None:
    endpoint, parts = contender.endpoints[model.name], model.batches(rows)
    documents = [contender.dialect.body(model.rows[part]) for part in parts]
    found = answers_to_many(endpoint.port, endpoint.path, documents)
    pairs = zip(found, parts, strict=True)
    wrong = sum(contender.dialect.wrong_rows(answer, model.labels[part]) for answer, part in pairs)
    return f"{wrong} labels differ from scikit-learn's at {rows} rows a request" if wrong else None


def _probabilities(contender: Contender, model: Model) -> str | None:
    dialect, endpoint = contender.dialect, contender.endpoints[model.name]
    if dialect.both is None or dialect.probabilities is None:
        return None
    (answer,) = answers(endpoint.port, endpoint.path, [dialect.both(model.rows)])
    try:
        found = dialect.probabilities(json.loads(answer))
    except (ValueError, KeyError, TypeError, IndexError) as problem:
        return f"probabilities can't be read: {problem!r}"
    if found.shape != model.probabilities.shape:
        return f"the probabilities' shape is {found.shape}, must be {model.probabilities.shape}"
    furthest = float(np.abs(found - model.probabilities).max())
    allowed = SAME_FORM if contender.form == SKLEARN else OTHER_FORM
    return None if furthest <= allowed else f"a probability is {furthest:.3g} from scikit-learn's"
