"""The models of the benchmark, fitted here once, with what scikit-learn itself answers for the test rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import joblib
import numpy as np
from benchmarks.servers.dialects import Matrix
from benchmarks.servers.targets import BOOSTING, FOREST, LOGISTIC
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


class Estimator(Protocol):
    """What the benchmark asks of a fitted classifier."""

    def fit(self, rows: Matrix, labels: NDArray[np.int64]) -> object:
        """Learn."""

    def predict(self, rows: Matrix) -> NDArray[np.int64]:
        """Labels of rows."""

    def predict_proba(self, rows: Matrix) -> Matrix:
        """Probabilities of the classes."""


@dataclass(frozen=True)
class Model:
    """A fitted classifier and its right answers for the test rows."""

    name: str
    estimator: Estimator
    features: tuple[str, ...]
    rows: Matrix
    labels: list[int]
    probabilities: Matrix

    def batches(self, rows: int) -> list[slice]:
        """Which test rows each request of so many rows asks: every row alone, or overlapping stretches."""
        step = 1 if rows == 1 else max(1, (len(self.rows) - rows) // 8)
        return [slice(begin, begin + rows) for begin in range(0, len(self.rows) - rows + 1, step)]

    def save(self, folder: Path) -> Path:
        """As the archive that peers load: `<name>/model.joblib`."""
        path = folder / self.name / "model.joblib"
        path.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(self.estimator, path)
        return path


def fit(names: Sequence[str]) -> list[Model]:
    """Classifiers of scikit-learn's breast cancer dataset: 369 rows to learn, 200 to ask, 30 features, two classes."""
    data = load_breast_cancer()
    split = train_test_split(data.data, data.target, test_size=200, random_state=0, stratify=data.target)
    train, test, train_labels, _ = (np.ascontiguousarray(part) for part in split)
    estimators: dict[str, Estimator] = {
        LOGISTIC: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        FOREST: RandomForestClassifier(n_estimators=200, random_state=0),
        BOOSTING: HistGradientBoostingClassifier(random_state=0),
    }
    models = []
    for name in names:
        estimator = estimators[name]
        estimator.fit(train, train_labels)
        labels, probabilities = estimator.predict(test).tolist(), estimator.predict_proba(test)
        models.append(Model(name, estimator, tuple(data.feature_names), test, labels, probabilities))
    return models
