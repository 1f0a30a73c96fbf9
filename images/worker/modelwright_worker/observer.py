"""Looks at rows as they are written: computed columns for their checks, texts of the train split for categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from modelwright_contract.features import MAX_CATEGORIES, fit_categories
from modelwright_contract.tasks import Column
from modelwright_contract.vectors import Vector
from modelwright_worker.arrow_columns import kind_of, to_vectors
from modelwright_worker.checks import Breaches, ComputedChecks
from modelwright_worker.engine import name
from modelwright_worker.layout import Layout
from modelwright_worker.splitting import SPLIT_COLUMN

MAX_DISTINCT = 1_000_000
"""Distinct texts of one computed feature that are counted; texts first seen later are not kept as categories."""


class Observer:
    """One pass over all rows, in row groups."""

    def __init__(self, layout: Layout, declared: Sequence[Column], connection: duckdb.DuckDBPyConnection) -> None:
        self._contract = layout.contract
        self._stored = [(column.name, kind_of(column)) for column in layout.stored]
        self._checks = ComputedChecks(
            [c for c in declared if c.expression is not None and (c.allowed or c.max_null_fraction is not None)]
        )
        steps = {step.name for step in layout.contract.steps}
        texts = [feature for feature in layout.contract.features if layout.contract.type_of(feature) == "string"]
        self._computed: dict[str, Counter[str]] = {feature: Counter() for feature in texts if feature in steps}
        self._raw = {feature: _most_frequent(connection, feature) for feature in texts if feature not in steps}

    def see(self, split: str, rows: pa.Table) -> None:
        """Take a row group of a split."""
        counted = self._computed if split == "train" else {}
        if not counted and not self._checks.columns:
            return
        vectors = to_vectors(rows, self._stored)
        for column in self._checks.columns:
            if column.role == "target":
                self._checks.see(column, self._contract.target_of(vectors))
            elif column.role == "feature":
                self._checks.see(column, self._contract.feature(column.name, vectors).broadcast(rows.num_rows))
        for feature, counter in counted.items():
            _count(self._contract.feature(feature, vectors).broadcast(rows.num_rows), counter)

    def report(self, rows: int, breaches: Breaches) -> None:
        """Judge the computed columns after all rows were seen."""
        self._checks.report(rows, breaches)

    def categories(self) -> dict[str, tuple[str, ...]]:
        """The fitted categories of every text feature."""
        counts: dict[str, Mapping[str, int]] = {**self._raw, **self._computed}
        return {feature: fit_categories(counts[feature]) for feature in sorted(counts)}


def _count(values: Vector, counter: Counter[str]) -> None:
    for text, times in Counter(value for value in values.to_list() if isinstance(value, str)).items():
        if text in counter or len(counter) < MAX_DISTINCT:
            counter[text] += times


def _most_frequent(connection: duckdb.DuckDBPyConnection, feature: str) -> Mapping[str, int]:
    own = name(feature)
    return dict(
        connection.execute(
            f"SELECT {own}, count(*) FROM typed WHERE {name(SPLIT_COLUMN)} = 0 AND {own} IS NOT NULL "
            f"GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MAX_CATEGORIES}"
        ).fetchall()
    )
