"""Fitting a pipeline, with scikit-learn's refusals as sentences; and what a fitted one says about rows."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any, TypeAlias

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import InvalidParameterError

from modelwright_contract.features import FeatureContract
from modelwright_contract.vectors import Array
from modelwright_worker.failures import Told, shortened
from modelwright_worker.labels import Classes
from modelwright_worker.limits import processors
from modelwright_worker.metrics import Judged

Model: TypeAlias = Any
"""scikit-learn ships no types."""

MAX_COMPLAINTS = 20


def fit(pipeline: Model, matrix: NDArray[np.float64], target: Array, contract: FeatureContract) -> tuple[str, ...]:
    """Fit in place; gives the warnings. Raises Told: EstimatorParameterInvalid, EstimatorFailed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            # Threads, not processes: a forest's trees have seeds of their own, so their number does not matter.
            with joblib.parallel_config(backend="threading", n_jobs=processors()):
                pipeline.fit(matrix, target)
        except InvalidParameterError as error:
            message = f"spec.trainer.estimator: {_sentence(error)}"
            raise Told("EstimatorParameterInvalid", message, retry=False) from error
        except MemoryError as error:
            message = "the training does not fit the memory limit: raise spec.resources.limits.memory"
            raise Told("EstimatorFailed", message, retry=False) from error
        except Exception as error:
            raise Told("EstimatorFailed", _refusal(error, matrix, contract), retry=False) from error
    return tuple(dict.fromkeys(shortened(_sentence(item.message), 200) for item in caught))[:MAX_COMPLAINTS]


def _sentence(error: Exception | Warning | str) -> str:
    return re.sub(r"\s+", " ", str(error)).strip()


def _refusal(error: Exception, matrix: NDArray[np.float64], contract: FeatureContract) -> str:
    said = shortened(_sentence(error), 300)
    missing = [name for index, name in enumerate(contract.features) if np.isnan(matrix[:, index]).any()]
    if missing and "NaN" in said:
        listed = ", ".join(missing[:8]) + (", …" if len(missing) > 8 else "")
        return (
            f"the estimator takes no missing values, and there are some in {listed}: put "
            "{class: sklearn.impute.SimpleImputer} before it, or write sklearn.ensemble.HistGradientBoosting…"
        )
    return f"fitting failed: {type(error).__name__}: {said}"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says about rows: labels or values, and probabilities or scores where it gives them."""

    predicted: Array
    probability: NDArray[np.float64] | None
    score: NDArray[np.float64] | None


def ask(model: Model, matrix: NDArray[np.float64], classes: Classes | None) -> Answers:
    """Predict. Raises Told: EstimatorFailed."""
    try:
        predicted = np.asarray(model.predict(matrix))
        if classes is None:
            return Answers(predicted.astype(np.float64).reshape(len(matrix)), None, None)
        probability = np.asarray(model.predict_proba(matrix)) if hasattr(model, "predict_proba") else None
        score = None
        if len(classes.values) == 2:
            if probability is not None:
                score = probability[:, 1]
            elif hasattr(model, "decision_function"):
                score = np.asarray(model.decision_function(matrix))
    except ValueError as error:
        raise Told("EstimatorFailed", f"predicting failed: {shortened(_sentence(error), 300)}", retry=False) from error
    return Answers(predicted, probability, score)


def judged(model: Model, matrix: NDArray[np.float64], target: Array, classes: Classes | None) -> Judged:
    """Truth beside the model's answers."""
    if not len(target):
        return Judged(np.empty(0), np.empty(0), 0 if classes is None else len(classes.values))
    answers = ask(model, matrix, classes)
    if classes is None:
        return Judged(target, answers.predicted, 0)
    return Judged(
        classes.codes(target),
        classes.codes(answers.predicted),
        len(classes.values),
        answers.probability,
        answers.score,
    )
