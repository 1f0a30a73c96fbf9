"""The metrics by name: which a task has, and which are measured when a run names none.

The API admits these names and no others, and the worker measures all of them.
"""

from __future__ import annotations

from typing import Literal, get_args

ClassificationMetric = Literal[
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "false_positive_rate",
    "f1",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
]
RegressionMetric = Literal["r2", "mae", "mse", "rmse", "mape", "median_absolute_error", "max_error"]
MetricName = Literal[ClassificationMetric, RegressionMetric]

CLASSIFICATION_METRICS: tuple[ClassificationMetric, ...] = get_args(ClassificationMetric)
REGRESSION_METRICS: tuple[RegressionMetric, ...] = get_args(RegressionMetric)

LOWER_IS_BETTER: frozenset[MetricName] = frozenset(
    {"false_positive_rate", "log_loss", "brier", "mae", "mse", "rmse", "mape", "median_absolute_error", "max_error"}
)
"""Of all others, more is better."""

NOT_COMPARED: frozenset[MetricName] = frozenset({"max_error"})
"""One row decides it, so resampling can't tell how far it is due to chance: no gate compares two models by it."""

DEFAULT_METRICS: dict[Literal["classification", "regression"], tuple[MetricName, ...]] = {
    "classification": ("accuracy", "balanced_accuracy", "f1", "precision", "recall", "roc_auc", "log_loss"),
    "regression": ("rmse", "mae", "r2", "mape"),
}
"""What is measured when a run names no metrics; the gates' metrics come on top."""
