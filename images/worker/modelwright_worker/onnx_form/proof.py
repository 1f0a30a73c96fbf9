"""Is an ONNX form equal to its model? Held against scikit-learn on real rows and on hard ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.onnx_file import OnnxError
from modelwright_contract.onnx_session import Answers, OnnxModel
from modelwright_worker.failures import shortened
from modelwright_worker.onnx_form.adversary import Rows, hard_rows
from modelwright_worker.onnx_form.convert import largest_taken, splits_of, taken_apart
from modelwright_worker.onnx_form.graph import Matrix
from modelwright_worker.onnx_form.scaling import SCALINGS
from modelwright_worker.onnx_form.trees import Fitted

TOLERANCE = 1e-6
"""Of a probability absolutely, of a value relatively. Labels must be equal."""

BATCHES = (1, 100, 1024)
"""Rows asked at once. Of batches of one row there are at most `SINGLES`."""

SINGLES = 500
MOST_ROWS = 16_384
"""Hard rows; real ones are taken up to as many."""

_MOST_STEPS = 8_000_000
"""Hard rows times trees, so that large forests are proven in seconds too."""

_FEWEST_ROWS = 1024
_TOLERANCE_AT_ZERO = 1e-12
"""Of values, relative to the greatest among the real rows: near 0 a sum's last bits are all there is."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was compared, and the greatest difference of a probability, or relative one of a value."""

    real_rows: int
    hard_rows: int
    greatest_difference: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Where form and model differ, in one sentence."""

    sentence: str


def prove(estimator: object, content: bytes, rows: Matrix, seed: int = 0) -> Proof | Difference:
    """Compare a form with its model on `rows` (real ones, at least one) and on hard ones, as the server runs it.

    Each row is asked in several sizes of batches.
    """
    steps, model = taken_apart(estimator)
    classes = len(getattr(model, "classes_", ()))
    try:
        form = OnnxModel(content, rows.shape[1], classes)
    except OnnxError as error:
        return Difference(f"the ONNX form can't be served: {error}")
    with _one_job(estimator):
        real = rows[_is_asked(form, steps, model, rows)][:MOST_ROWS]
        if not len(real):
            return Difference("there is no row to compare on: each has values that the model does not take")
        trees = splits_of(model)
        budget = max(_FEWEST_ROWS, min(MOST_ROWS, _MOST_STEPS // max(1, len(trees))))
        random = np.random.default_rng(seed)
        made = hard_rows(trees, real, _results(steps, real), partial(_led_back, steps), form.taken, budget, random)
        hard = [Rows(part.name, part.matrix[_is_asked(form, steps, model, part.matrix)]) for part in made]
        return _compare(estimator, form, [Rows("a test row", real), *(part for part in hard if len(part.matrix))])


def _compare(estimator: Fitted, form: OnnxModel, groups: Sequence[Rows]) -> Proof | Difference:
    greatest, scale = 0.0, 0.0
    for group in groups:
        matrix = np.ascontiguousarray(group.matrix)
        try:
            expected = _expected(estimator, matrix)
        except ValueError as error:
            return Difference(f"scikit-learn does not take {group.name}: {shortened(str(error), 200)}")
        if expected.values is not None and group is groups[0]:
            scale = float(np.abs(expected.values).max())
        for size in BATCHES:
            given = _given(form, matrix[:SINGLES] if size == 1 else matrix, size)
            found = _difference(given, expected, scale)
            if isinstance(found, float):
                greatest = max(greatest, found)
                continue
            row, sentence = found
            shown = shortened(", ".join(repr(value) for value in matrix[row].tolist()), 200)
            return Difference(f"{group.name}, in batches of {size}: {sentence}; its features are {shown}")
    hard = sum(len(group.matrix) for group in groups[1:])
    return Proof(len(groups[0].matrix), hard, greatest)


def _expected(estimator: Fitted, matrix: Matrix) -> Answers:
    """scikit-learn's answers. Raises ValueError where it takes no such rows."""
    with np.errstate(all="ignore"):
        predicted = np.asarray(estimator.predict(matrix))
        if not hasattr(estimator, "classes_"):
            return Answers(None, None, predicted.astype(np.float64).reshape(len(matrix)))
        labels = np.searchsorted(estimator.classes_, predicted)
        probabilities = np.asarray(estimator.predict_proba(matrix)) if hasattr(estimator, "predict_proba") else None
        return Answers(labels, probabilities, None)


def _given(form: OnnxModel, matrix: Matrix, size: int) -> Answers:
    parts = [form.answer(matrix[begin : begin + size]) for begin in range(0, len(matrix), size)]
    together = [None if column[0] is None else np.concatenate(column) for column in zip(*parts, strict=True)]
    return Answers(*together)


def _difference(given: Answers, expected: Answers, scale: float) -> float | tuple[int, str]:
    """The greatest difference, or a row and what differs there."""
    if (given.labels is None, given.probabilities is None) != (expected.labels is None, expected.probabilities is None):
        return 0, "the form gives other outputs than scikit-learn"
    greatest = 0.0
    if given.labels is not None and expected.labels is not None:
        differs = np.flatnonzero(given.labels != expected.labels[: len(given.labels)])
        if len(differs):
            row = int(differs[0])
            return row, f"the label is number {given.labels[row]}, scikit-learn's is number {expected.labels[row]}"
    for name, ours, theirs in (
        ("probability", given.probabilities, expected.probabilities),
        ("prediction", given.values, expected.values),
    ):
        if ours is None or theirs is None:
            continue
        theirs = theirs[: len(ours)]
        with np.errstate(all="ignore"):
            same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
            off = np.where(same, 0.0, np.abs(ours - theirs))
            if name == "prediction":
                off = np.where(off <= _TOLERANCE_AT_ZERO * scale, 0.0, off / np.abs(theirs))
        # Not a number is a difference too.
        wrong = np.argwhere(~(off <= TOLERANCE))
        if len(wrong):
            at = tuple(wrong[0])
            return int(at[0]), f"the {name} is {float(ours[at])!r}, scikit-learn's is {float(theirs[at])!r}"
        greatest = max(greatest, float(off.max()))
    return greatest


def _is_asked(form: OnnxModel, steps: Sequence[Fitted], model: Fitted, rows: Matrix) -> NDArray[np.bool_]:
    """Which rows scikit-learn takes too: a step may make a number too large for the model, and then it refuses."""
    asked: NDArray[np.bool_] = np.logical_and.reduce(form.taken.mask(rows), axis=1)
    largest = largest_taken(model)
    with np.errstate(all="ignore"):
        for step in steps:
            rows = step.transform(np.where(asked[:, None], rows, 0.0))
            asked &= ~np.isinf(rows).any(axis=1)
        return asked & ~(np.abs(rows) > largest).any(axis=1)


def _results(steps: Sequence[Fitted], rows: Matrix) -> Matrix:
    """What the steps before the model make of rows."""
    with np.errstate(all="ignore"):
        for step in steps:
            rows = step.transform(rows)
    return rows


def _led_back(steps: Sequence[Fitted], results: Matrix) -> Matrix:
    """Rows of which the steps make about these results."""
    with np.errstate(all="ignore"):
        for step in reversed(steps):
            results = SCALINGS[type(step)].back(step, results)
    return results


@contextmanager
def _one_job(estimator: Fitted) -> Iterator[None]:
    """As the server does it: with several, forests sum their trees in any order."""
    jobs = {
        name: value
        for name, value in estimator.get_params().items()
        if name.rpartition("__")[2] == "n_jobs" and value is not None
    }
    estimator.set_params(**dict.fromkeys(jobs, 1))
    try:
        yield
    finally:
        estimator.set_params(**jobs)
