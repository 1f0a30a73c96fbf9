"""What is measured, and what must and what should come out: the one place for both."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A bound that must hold, and one that is aimed at (None: there is no further aim)."""

    must: float
    aim: float | None = None


@dataclass(frozen=True)
class Cell:
    """A kind of load in a closed loop: each connection asks again as soon as it has its answer."""

    title: str
    rows: int
    connections: int


@dataclass(frozen=True)
class Column:
    """One of our forms of a model; peers serve the same model by scikit-learn."""

    title: str
    model: str
    form: str


MANY = Cell("1 row, concurrency 64", 1, 64)
ALONE = Cell("1 row, concurrency 1", 1, 1)
BULK = Cell("100 rows, concurrency 16", 100, 16)
CELLS = (MANY, ALONE, BULK)

LOGISTIC, FOREST, BOOSTING = "logistic", "forest", "boosting"
MODELS = (LOGISTIC, FOREST, BOOSTING)
SKLEARN, ONNX = "scikit-learn", "ONNX"
COLUMNS = (
    Column("logistic regression", LOGISTIC, SKLEARN),
    Column("forest, scikit-learn", FOREST, SKLEARN),
    Column("forest, ONNX", FOREST, ONNX),
    Column("boosting, scikit-learn", BOOSTING, SKLEARN),
    Column("boosting, ONNX", BOOSTING, ONNX),
)

_RATIOS = {
    MANY: (Target(20, 30), Target(5, 7), Target(20, 30), Target(12, 17), Target(15, 25)),
    ALONE: (Target(3, 4), Target(1.1), Target(20, 60), Target(1.5), Target(5, 15)),
    BULK: (Target(2.5, 3), Target(1.5, 2), Target(3, 8), Target(1.5), Target(2, 4)),
}
RATIOS = {(cell, column): target for cell, row in _RATIOS.items() for column, target in zip(COLUMNS, row, strict=True)}
"""Our throughput over the best peer's, at least."""

OPEN_LOOP_LOAD = 0.7
"""The rate of the open loop, as a share of what the best peer answers in the closed loop."""
OPEN_LOOP_P99 = Target(1 / 3)
"""Our p99 over that peer's at that rate, at most."""
ECHO_SHARE = Target(0.35, 0.5)
"""Our throughput on logistic regression over that of our own HTTP stack answering a fixed body, at least."""
COUNTERS_COST = Target(0.08, 0.03)
"""The share of throughput that the windowed counters cost, at most."""
