"""The metrics by name: which a task has, and which are measured when a run names none.

The API admits these names and no others, and the worker measures all of them.
"""

from __future__ import annotations

from typing import Literal, get_args

ClassificationMetric = Literal[
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "log_loss", "brier"
]
RegressionMetric = Literal["r2", "mae", "mse", "rmse", "mape", "median_absolute_error", "max_error"]
MetricName = Literal[ClassificationMetric, RegressionMetric]

CLASSIFICATION_METRICS: tuple[ClassificationMetric, ...] = get_args(ClassificationMetric)
REGRESSION_METRICS: tuple[RegressionMetric, ...] = get_args(RegressionMetric)

DEFAULT_METRICS: dict[Literal["classification", "regression"], tuple[MetricName, ...]] = {
    "classification": ("accuracy", "balanced_accuracy", "f1", "precision", "recall", "roc_auc", "log_loss"),
    "regression": ("rmse", "mae", "r2", "mape"),
}
"""What is measured when a run names no metrics; the gates' metrics come on top."""
