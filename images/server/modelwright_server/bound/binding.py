"""Which models have a pre-bound call: estimators of exactly known classes, alone or behind known steps."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

from sklearn.pipeline import Pipeline

from modelwright_server.bound.calls import Bound, NotBindable, Step
from modelwright_server.prediction import Matrix, Prediction

_FAMILIES = {
    "sklearn.ensemble._forest": "trees",
    "sklearn.ensemble._gb": "boosting",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": "boosting",
    "sklearn.linear_model": "linear",
    "sklearn.svm": "linear",
    "sklearn.tree": "trees",
}
"""By the module of the estimator's class; a family is imported only for a model of its own."""


class _Steps(Protocol):
    steps: Sequence[tuple[str, object]]


class _Fitted(Protocol):
    n_features_in_: int


def bind(estimator: object) -> Bound:
    """The pre-bound call of a fitted estimator, not yet proven.

    Raises NotBindable, or anything where scikit-learn is another than expected.
    """
    before: list[object] = []
    if type(estimator) is Pipeline:
        *named, (_, estimator) = cast(_Steps, estimator).steps
        before = [step for _, step in named if step is not None and step != "passthrough"]
    build = _binder(type(estimator))
    features = cast(_Fitted, estimator).n_features_in_
    steps: list[Step] = []
    if before:
        from modelwright_server.bound.scaling import step_of

        steps = [step_of(step, features) for step in before]
    bound = build(estimator, features)
    last = bound.call

    def call(matrix: Matrix) -> Prediction | None:
        # Compiled traversals read as many columns as the model has, whatever there is.
        if matrix.ndim != 2 or matrix.shape[1] != features or not len(matrix):
            return None
        for step in steps:
            stepped = step(matrix)
            if stepped is None:
                return None
            matrix = stepped
        return last(matrix)

    return Bound(call, bound.row_by_row)


def _binder(kind: type) -> Callable[[object, int], Bound]:
    family = next((name for module, name in _FAMILIES.items() if f"{kind.__module__}.".startswith(f"{module}.")), None)
    if family is not None:
        binders: Mapping[type, Callable[[object, int], Bound]]
        binders = importlib.import_module(f"modelwright_server.bound.{family}").BINDERS
        if kind in binders:
            return binders[kind]
    raise NotBindable(f"a {kind.__name__} is asked as ever")
