"""Building the training profile: bins chosen from the train split's rows, and what lies in them.

A column's first bins are chosen, then `modelwright_contract.binning` counts them, as the server will.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from modelwright_contract.binning import Binning, answers_matrix
from modelwright_contract.canonical import canonical_bytes
from modelwright_contract.features import FeatureContract
from modelwright_contract.profile import (
    MAX_BINS,
    MAX_PROFILE_BYTES,
    Column,
    Kind,
    Label,
    Profile,
    Ranges,
    Values,
)
from modelwright_worker.failures import shortened
from modelwright_worker.labels import Classes
from modelwright_worker.metrics import Judged
from modelwright_worker.ranges import ranges_of

MAX_LISTED = 30
"""Values of a column that have a bin of their own: the most frequent ones."""

MAX_LABEL_CHARS = 40

_FRAME_BYTES = 1024
"""Of the document, around its columns."""

Floats = NDArray[np.float64]


def profile_of(
    contract: FeatureContract, matrix: Floats, judged: Judged, split: str, classes: Classes | None
) -> Profile:
    """Features as they stand in the train split's `matrix`, and the answers that were `judged` on `split`.

    Features that would make the document too large are left out, and their number is told.
    """
    outputs = _outputs(judged, classes)
    room, bins = MAX_PROFILE_BYTES - _FRAME_BYTES - sum(map(_size, outputs)), MAX_BINS - sum(map(_bins, outputs))
    features: list[Column] = []
    for place, name in enumerate(contract.features):
        column = _counted(_feature(contract, name, matrix[:, place]), matrix[:, place])
        if _size(column) <= room and _bins(column) <= bins:
            room, bins = room - _size(column), bins - _bins(column)
            features.append(column)
    return Profile(tuple(features), outputs, split, len(contract.features) - len(features))


def _feature(contract: FeatureContract, name: str, values: Floats) -> Column:
    kind: Kind = contract.type_of(name)
    if kind == "string":
        return _column(name, kind, _most_frequent(values, contract.categories.get(name, ())))
    if kind == "boolean":
        return _column(name, kind, Values((0, 1), (False, True)))
    return _column(name, kind, ranges_of(values))


def _outputs(judged: Judged, classes: Classes | None) -> tuple[Column, ...]:
    if classes is None:
        values = answers_matrix(("prediction",), None, None, judged.predicted)
        return (_counted(_column("prediction", "number", ranges_of(values[:, 0])), values[:, 0]),)
    names = ("label",) if judged.probability is None else ("label", "probability")
    values = answers_matrix(names, judged.predicted, judged.probability, None)
    labels = classes.to_list()
    columns = [_column("label", _kind_of(labels[0]), _most_frequent(values[:, 0], labels))]
    if judged.probability is not None:
        columns.append(_column("probability", "number", ranges_of(values[:, 1])))
    return tuple(_counted(column, values[:, place]) for place, column in enumerate(columns))


def _most_frequent(codes: Floats, labels: Sequence[Label]) -> Values:
    """Of equally frequent ones the first; in the order of their codes."""
    known = codes[codes < len(labels)].astype(np.intp)
    counts = np.bincount(known, minlength=len(labels))
    listed = np.sort(np.argsort(-counts, kind="stable")[:MAX_LISTED]).tolist()
    return Values(tuple(listed), tuple(_shown(labels[code]) for code in listed))


def _column(name: str, kind: Kind, bins: Ranges | Values) -> Column:
    return Column(name, kind, bins, (0,) * (bins.number + 1))


def _counted(column: Column, values: Floats) -> Column:
    counts = Binning([column], [0]).count(values.reshape(-1, 1))
    return replace(column, counts=tuple(counts.tolist()))


def _kind_of(label: Label) -> Kind:
    if isinstance(label, bool):
        return "boolean"
    return "integer" if isinstance(label, int) else "string"


def _shown(label: Label) -> Label:
    return shortened(label, MAX_LABEL_CHARS) if isinstance(label, str) else label


def _size(column: Column) -> int:
    return len(canonical_bytes(column.to_json())) + 1


def _bins(column: Column) -> int:
    return len(column.counts)
