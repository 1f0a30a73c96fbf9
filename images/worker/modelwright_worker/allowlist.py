"""From what a user wrote to a scikit-learn Pipeline: only listed classes, only parameters they take, all seeds set."""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from sklearn.base import is_classifier, is_regressor
from sklearn.pipeline import Pipeline

from modelwright_contract.estimators import ESTIMATORS, SCORE_FUNCTIONS
from modelwright_contract.tasks import EstimatorStep
from modelwright_worker.failures import Told

Estimator: TypeAlias = Any
"""scikit-learn ships no types."""

TaskKind = Literal["classification", "regression"]


def build_pipeline(steps: Sequence[EstimatorStep], task: TaskKind, seed: int) -> Pipeline:
    """The pipeline, its steps named by position. Raises Told: EstimatorNotAllowed, -NotFound, -ParameterInvalid."""
    built = [(str(index), build_step(step, index, seed)) for index, step in enumerate(steps)]
    for (_, estimator), step in zip(built[:-1], steps[:-1], strict=True):
        if not hasattr(estimator, "transform"):
            message = f"{step.class_path} does not transform: only the last step of spec.trainer.estimator may predict"
            raise Told("EstimatorNotAllowed", message, retry=False)
    _require_kind(built[-1][1], steps[-1].class_path, task)
    return Pipeline(built)


def build_step(step: EstimatorStep, index: int, seed: int) -> Estimator:
    """One estimator. Raises Told."""
    kind = _find(step.class_path)
    takes = [name for name in inspect.signature(kind).parameters if name != "self"]
    params: dict[str, object] = {}
    for name, given in step.params.items():
        where = f"spec.trainer.estimator[{index}].params.{name}"
        if name not in takes:
            close = difflib.get_close_matches(name, takes, n=3)
            instead = f"did you mean {', '.join(close)}?" if close else f"it takes {', '.join(takes)}"
            message = f"{where}: {step.class_path} takes no parameter {name}: {instead}"
            raise Told("EstimatorParameterInvalid", message, retry=False)
        params[name] = _value(name, _plain(given), where)
    if params.get("random_state") is None and "random_state" in takes:
        params["random_state"] = seed
    # A tree of neighbours is followed unchecked when it is loaded from an archive.
    if kind.__name__.startswith("KNeighbors") and params.setdefault("algorithm", "brute") != "brute":
        message = f"spec.trainer.estimator[{index}].params.algorithm: only brute can be served: write algorithm: brute"
        raise Told("EstimatorParameterInvalid", message, retry=False)
    return kind(**params)


def _plain(given: object) -> object:
    """A null is written {"value": null}: manifests and their tools drop bare nulls."""
    if isinstance(given, Mapping) and set(given) == {"value"}:
        return given["value"]
    return given


def _value(name: str, value: object, where: str) -> object:
    if name == "score_func":
        if value not in SCORE_FUNCTIONS:
            raise Told(
                "EstimatorParameterInvalid", f"{where}: write one of {', '.join(sorted(SCORE_FUNCTIONS))}", retry=False
            )
        return getattr(importlib.import_module("sklearn.feature_selection"), str(value))
    if name == "categorical_features" and value is not None and value != "from_dtype":
        message = (
            f"{where}: leave it out: texts come as ordered codes, and an archive can't hold its column transformer"
        )
        raise Told("EstimatorParameterInvalid", message, retry=False)
    if name in ("hidden_layer_sizes", "feature_range", "quantile_range", "ngram_range") and isinstance(value, list):
        return tuple(value)
    return value


def _find(path: str) -> Estimator:
    module, _, name = path.rpartition(".")
    if path in ESTIMATORS:
        return getattr(importlib.import_module(module), name)
    close = _similar(path)
    package = module.removeprefix("sklearn.")
    known = {listed.rpartition(".")[0] for listed in ESTIMATORS}
    exists = module in known and hasattr(importlib.import_module(f"sklearn.{package}"), name)
    if path.startswith("sklearn.") and not exists and not any(part.startswith("_") for part in path.split(".")):
        message = f"there is no {path} in scikit-learn: {close}"
        raise Told("EstimatorNotFound", message, retry=False)
    raise Told("EstimatorNotAllowed", f"{path} is not allowed: {close}", retry=False)


def _similar(path: str) -> str:
    name = path.rpartition(".")[2]
    same = sorted(listed for listed in ESTIMATORS if listed.rpartition(".")[2].lower() == name.lower())
    by_name = {listed.rpartition(".")[2]: listed for listed in ESTIMATORS}
    close = same or [by_name[match] for match in difflib.get_close_matches(name, by_name, n=3)]
    if close:
        return f"did you mean {', '.join(close)}?"
    packages = sorted({".".join(listed.split(".")[:2]) for listed in ESTIMATORS})
    return f"write a class of {', '.join(packages)}"


def _require_kind(estimator: Estimator, path: str, task: TaskKind) -> None:
    fits = is_classifier(estimator) if task == "classification" else is_regressor(estimator)
    if fits:
        return
    other = "regressor" if is_regressor(estimator) else "classifier" if is_classifier(estimator) else "transformer"
    ending = "Classifier" if task == "classification" else "Regressor"
    stem = path.removesuffix("Regressor").removesuffix("Classifier")
    known = f"{stem}{ending}"
    instead = known if known in ESTIMATORS else f"a {ending.lower()}, or change spec.task"
    message = f"{path} is a {other}, spec.task is {task}: the last step must be {instead}"
    raise Told("EstimatorNotAllowed", message, retry=False)
