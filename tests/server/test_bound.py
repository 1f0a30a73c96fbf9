"""Pre-bound calls answer like scikit-learn itself, to the last bit, or leave the rows to it."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import ensemble, linear_model, svm, tree
from sklearn.base import is_classifier
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
from threadpoolctl import threadpool_limits

from modelwright_server.bound import leaves
from modelwright_server.bound.binding import bind
from modelwright_server.bound.calls import NotBindable

from .fitted_models import Drawn, Estimator, Matrix, hard_rows, scikit_learn_says

CLASS_NAMES: dict[str, NDArray[np.generic]] = {
    "int": np.arange(12) * 7 - 3,
    "str": np.array([f"class {letter}" for letter in "lkjihgfedcba"]),
    "bool": np.array([False, True]),
}
BATCHES = (1, 3, 5, 33)

TREES = {
    "tree": lambda: tree.DecisionTreeClassifier(random_state=0),
    "stump": lambda: tree.ExtraTreeClassifier(max_depth=1, random_state=0),
    "forest": lambda: ensemble.RandomForestClassifier(7, random_state=0),
    "forest of one": lambda: ensemble.RandomForestClassifier(1, random_state=0),
    "shallow forest, weighted": lambda: ensemble.RandomForestClassifier(
        12, max_depth=2, class_weight="balanced", random_state=0
    ),
    "extra trees": lambda: ensemble.ExtraTreesClassifier(6, bootstrap=True, random_state=0),
    "regression tree": lambda: tree.DecisionTreeRegressor(random_state=0),
    "regression forest": lambda: ensemble.RandomForestRegressor(9, random_state=0),
    "regression forest, Poisson": lambda: ensemble.RandomForestRegressor(
        5, criterion="poisson", max_leaf_nodes=6, random_state=0
    ),
    "regression extra trees": lambda: ensemble.ExtraTreesRegressor(5, random_state=0),
}
BOOSTING = {
    "histogram": lambda: ensemble.HistGradientBoostingClassifier(max_iter=6, min_samples_leaf=2, random_state=0),
    "histogram, few bins": lambda: ensemble.HistGradientBoostingClassifier(
        max_iter=4, max_bins=4, max_leaf_nodes=None, min_samples_leaf=1, random_state=0
    ),
    "histogram regression": lambda: ensemble.HistGradientBoostingRegressor(
        max_iter=8, min_samples_leaf=2, random_state=0
    ),
    "histogram regression, gamma": lambda: ensemble.HistGradientBoostingRegressor(
        loss="gamma", max_iter=5, min_samples_leaf=2, random_state=0
    ),
    "classic": lambda: ensemble.GradientBoostingClassifier(n_estimators=6, random_state=0),
    "classic, from zero": lambda: ensemble.GradientBoostingClassifier(n_estimators=3, init="zero", random_state=0),
    "classic regression": lambda: ensemble.GradientBoostingRegressor(n_estimators=6, random_state=0),
    "classic regression, absolute": lambda: ensemble.GradientBoostingRegressor(
        loss="absolute_error", n_estimators=4, random_state=0
    ),
}
LINEAR = {
    "logistic": lambda: linear_model.LogisticRegression(),
    "logistic, even": lambda: linear_model.LogisticRegression(C=1e-9),
    "ridge classifier": lambda: linear_model.RidgeClassifier(),
    "support vectors": lambda: svm.LinearSVC(random_state=0),
    "hinge": lambda: linear_model.SGDClassifier(random_state=0, max_iter=20, tol=None),
    "perceptron": lambda: linear_model.Perceptron(random_state=0),
    "least squares": lambda: linear_model.LinearRegression(),
    "lasso": lambda: linear_model.Lasso(alpha=0.1),
    "ridge, without intercept": lambda: linear_model.Ridge(fit_intercept=False),
    "stochastic": lambda: linear_model.SGDRegressor(random_state=0, max_iter=20, tol=None),
    "support vector regression": lambda: svm.LinearSVR(random_state=0),
    "Huber": lambda: linear_model.HuberRegressor(),
    "Bayesian": lambda: linear_model.BayesianRidge(),
}
DRAWN = st.builds(
    Drawn,
    st.integers(0, 10_000),
    features=st.integers(1, 6),
    classes=st.sampled_from([2, 2, 3, 9]),
    coarse=st.booleans(),
)
COMMON = settings(max_examples=4, deadline=None, derandomize=True)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tables this small are fitted sooner by one thread."""
    with threadpool_limits(1):
        yield


def fitted(estimator: Estimator, drawn: Drawn, kind: str = "int") -> Estimator:
    if is_classifier(estimator):
        return estimator.fit(drawn.matrix(), drawn.labels(CLASS_NAMES["bool" if drawn.classes == 2 else kind]))
    targets = drawn.targets()
    return estimator.fit(drawn.matrix(), targets - targets.min() + 1)


def batches_of(rows: Matrix) -> Iterator[Matrix]:
    ends = np.cumsum((0, *BATCHES))
    yield from (rows[begin:end] for begin, end in pairwise(ends.tolist()))
    yield rows


def check(estimator: Estimator, rows: Matrix, *, answers: bool = True) -> None:
    """`answers`: the bound call must answer; else it may leave rows to scikit-learn."""
    bound = bind(estimator)
    for batch in batches_of(rows):
        before = batch.tobytes()
        got = bound.call(batch)
        assert batch.tobytes() == before
        if got is None:
            assert not answers
            continue
        said = scikit_learn_says(estimator, batch, row_by_row=bound.row_by_row)
        assert said is not None, "scikit-learn refuses what is answered here"
        if is_classifier(estimator):
            assert got.labels is not None
            assert got.labels.dtype == np.intp
            assert estimator.classes_[got.labels].tolist() == said.predicted.tolist()
        else:
            assert got.values is not None
            assert got.values.shape == said.predicted.shape
            assert got.values.tobytes() == said.predicted.tobytes()
        assert (got.probabilities is None) == (said.probabilities is None)
        if got.probabilities is not None and said.probabilities is not None:
            assert got.probabilities.flags.c_contiguous
            assert got.probabilities.shape == said.probabilities.shape
            assert got.probabilities.tobytes() == said.probabilities.tobytes()


@pytest.fixture(params=["joined", "staged", "by itself", "in parts"])
def walk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every way of finding leaves, whatever the number of rows."""
    rows = 1_000_000 if request.param == "joined" else 0
    monkeypatch.setattr(leaves, "_JOINED_ROWS", rows)
    monkeypatch.setattr(leaves, "_JOINED_ROWS_WITH_MISSING", rows)
    if request.param == "by itself":
        monkeypatch.setattr(leaves, "_MAX_COPIED_NODES", 0)
    if request.param == "in parts":
        monkeypatch.setattr(leaves, "_VALUES_AT_ONCE", 1)
        monkeypatch.setattr(leaves, "_FEWEST_ROWS_AT_ONCE", 7)
    return str(request.param)


@pytest.mark.parametrize("make", [*TREES.values(), *BOOSTING.values()], ids=[*TREES, *BOOSTING])
def test_trees(make: Callable[[], Estimator]) -> None:
    @COMMON
    @given(DRAWN, st.sampled_from(["int", "str"]))
    def equal(drawn: Drawn, kind: str) -> None:
        estimator = fitted(make(), drawn, kind)
        check(estimator, hard_rows(estimator, drawn.matrix(), drawn.seed))

    equal()


@pytest.mark.parametrize("holes", [False, True], ids=["fitted without holes", "fitted with holes"])
@pytest.mark.parametrize(
    "name", ["tree", "forest", "extra trees", "regression forest", "histogram", "histogram regression"]
)
def test_missing_values_in_each_walk(walk: str, name: str, holes: bool) -> None:
    for seed, classes in ((1, 2), (2, 3)):
        drawn = Drawn(seed, features=4, classes=classes, coarse=seed == 2, holes=holes)
        estimator = fitted((TREES | BOOSTING)[name](), drawn)
        rows = hard_rows(estimator, drawn.matrix(), seed)
        check(estimator, np.nan_to_num(rows))
        rows[np.random.default_rng(seed).random(rows.shape) < 0.1] = np.nan
        check(estimator, rows)


@pytest.mark.parametrize("make", LINEAR.values(), ids=LINEAR)
def test_linear(make: Callable[[], Estimator]) -> None:
    @COMMON
    @given(DRAWN, st.sampled_from(["int", "str"]))
    def equal(drawn: Drawn, kind: str) -> None:
        estimator = fitted(make(), drawn, kind)
        check(estimator, hard_rows(estimator, drawn.matrix(), drawn.seed))

    with np.errstate(over="ignore", invalid="ignore"):
        equal()


def test_a_row_gets_the_same_answer_in_whatever_batch() -> None:
    drawn = Drawn(3, features=6, classes=9, coarse=False)
    call = bind(fitted(linear_model.LogisticRegression(), drawn)).call
    rows = drawn.matrix()
    together = call(rows)
    assert together is not None
    for at in range(len(rows)):
        alone = call(rows[at : at + 1])
        assert alone is not None
        assert alone.probabilities is not None
        assert together.probabilities is not None
        assert alone.probabilities[0].tobytes() == together.probabilities[at].tobytes()


def even(estimator: Estimator) -> None:
    """Make every score zero."""
    if hasattr(estimator, "coef_"):
        estimator.coef_[:] = 0
        estimator.intercept_[:] = 0
    elif hasattr(estimator, "_predictors"):
        estimator._baseline_prediction[:] = 0
        for stage in estimator._predictors:
            for predictor in stage:
                predictor.nodes["value"] = 0
    else:
        for member in estimator.estimators_.ravel():
            member.tree_.value[:] = 0


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["logistic", "ridge classifier", "perceptron", "histogram", "classic, from zero"])
def test_even_scores_get_the_class_that_scikit_learn_says(name: str, classes: int) -> None:
    drawn = Drawn(6, features=3, classes=classes, coarse=False)
    estimator = fitted((LINEAR | BOOSTING)[name](), drawn)
    even(estimator)
    check(estimator, drawn.matrix())


STEPS = {
    "standard": lambda: StandardScaler(),
    "standard, no mean": lambda: StandardScaler(with_mean=False),
    "standard, nothing": lambda: StandardScaler(with_mean=False, with_std=False),
    "robust": lambda: RobustScaler(),
    "robust, centre only": lambda: RobustScaler(with_scaling=False),
    "min max": lambda: MinMaxScaler((-1, 3)),
    "min max, clipped": lambda: MinMaxScaler(clip=True),
    "max abs": lambda: MaxAbsScaler(),
    "median": lambda: SimpleImputer(strategy="median"),
    "constant": lambda: SimpleImputer(strategy="constant", fill_value=-1.5),
}
LAST = {
    "logistic": LINEAR["logistic"],
    "histogram": BOOSTING["histogram"],
    "regression forest": TREES["regression forest"],
    "classic": BOOSTING["classic"],
}


@pytest.mark.parametrize("last", LAST.values(), ids=LAST)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_pipelines(step: Callable[[], Estimator], last: Callable[[], Estimator]) -> None:
    drawn = Drawn(11, features=5, classes=2, coarse=False)
    estimator = fitted(make_pipeline(step(), "passthrough", last()), drawn)
    rows = hard_rows(estimator, drawn.matrix(), 4)
    check(estimator, rows)
    # Not all of these take missing or infinite values; none may answer what scikit-learn refuses.
    rows[::3, 1] = np.nan
    check(estimator, rows, answers=False)
    rows[::5, 2], rows[1::5, 2] = np.inf, 1e300
    with np.errstate(over="ignore", invalid="ignore"):
        check(estimator, rows, answers=False)


def test_two_steps_before_the_model_fill_in_missing_values() -> None:
    drawn = Drawn(12, features=5, classes=3, coarse=False, holes=True)
    estimator = fitted(make_pipeline(SimpleImputer(), StandardScaler(), linear_model.LogisticRegression()), drawn)
    check(estimator, drawn.matrix())


@pytest.mark.parametrize(
    "make", [*TREES.values(), *BOOSTING.values(), *LINEAR.values()], ids=[*TREES, *BOOSTING, *LINEAR]
)
def test_nothing_is_answered_that_scikit_learn_refuses(make: Callable[[], Estimator]) -> None:
    drawn = Drawn(7, features=3, classes=3, coarse=False)
    estimator = fitted(make(), drawn)
    bound = bind(estimator)
    limit = float(np.finfo(np.float32).max)
    with np.errstate(over="ignore", invalid="ignore"):
        for value in (np.nan, np.inf, -np.inf, 1e39, -1e300, limit, np.nextafter(limit, np.inf), 1.7e308):
            for place in range(3):
                rows = drawn.matrix(6)
                rows[4, place] = value
                if scikit_learn_says(estimator, rows) is None:
                    assert bound.call(rows) is None, value
                else:
                    check(estimator, rows, answers=False)


@pytest.mark.parametrize(
    "make", [*TREES.values(), *BOOSTING.values(), *LINEAR.values()], ids=[*TREES, *BOOSTING, *LINEAR]
)
def test_rows_of_another_shape_are_left_to_scikit_learn(make: Callable[[], Estimator]) -> None:
    drawn = Drawn(8, features=3, classes=2, coarse=False)
    call = bind(fitted(make(), drawn)).call
    assert call(np.zeros((2, 2))) is None
    assert call(np.zeros((2, 4))) is None
    assert call(np.zeros((0, 3))) is None
    assert call(np.zeros(3)) is None


@pytest.mark.parametrize(
    "make", [*TREES.values(), *BOOSTING.values(), *LINEAR.values()], ids=[*TREES, *BOOSTING, *LINEAR]
)
def test_later_calls_leave_earlier_answers_as_they_are(make: Callable[[], Estimator]) -> None:
    drawn = Drawn(9, features=3, classes=3, coarse=False)
    estimator = fitted(make(), drawn)
    call = bind(estimator).call
    for rows in (1, 40):
        first = call(drawn.matrix()[:rows])
        assert first is not None
        arrays = [each for each in (first.labels, first.probabilities, first.values) if each is not None]
        before = [each.tobytes() for each in arrays]
        call(drawn.matrix()[40 : 40 + rows])
        assert [each.tobytes() for each in arrays] == before


class OwnRegression(linear_model.LogisticRegression):  # type: ignore[misc]  # scikit-learn ships no types
    """A class that may do anything."""


def single_precision() -> Estimator:
    drawn = Drawn(1, features=3, classes=2, coarse=False)
    return linear_model.LogisticRegression().fit(drawn.matrix().astype(np.float32), drawn.labels(np.arange(2)))


def two_targets() -> Estimator:
    matrix = Drawn(1, features=3, classes=2, coarse=False).matrix()
    return ensemble.RandomForestRegressor(3).fit(matrix, matrix[:, :2])


def categories() -> Estimator:
    matrix = np.abs(Drawn(1, features=3, classes=2, coarse=True).matrix())
    model = ensemble.HistGradientBoostingRegressor(categorical_features=[0], max_iter=3, min_samples_leaf=1)
    return model.fit(matrix, matrix[:, 0] % 2)


def drawn_by(estimator: Estimator) -> Callable[[], Estimator]:
    return lambda: fitted(estimator, Drawn(1, features=3, classes=2, coarse=False, holes=hasattr(estimator, "steps")))


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(drawn_by(KNeighborsClassifier()), id="a class of no family"),
        pytest.param(drawn_by(MLPRegressor(max_iter=2)), id="a network"),
        pytest.param(drawn_by(OwnRegression()), id="a subclass"),
        pytest.param(drawn_by(linear_model.SGDClassifier(loss="log_loss")), id="probabilities by other formulas"),
        pytest.param(drawn_by(make_pipeline(SimpleImputer(), PCA(2), tree.DecisionTreeRegressor())), id="a step"),
        pytest.param(
            drawn_by(make_pipeline(SimpleImputer(add_indicator=True), tree.DecisionTreeRegressor())), id="an indicator"
        ),
        pytest.param(
            drawn_by(ensemble.GradientBoostingRegressor(init=linear_model.Ridge(), n_estimators=2)),
            id="another's start",
        ),
        pytest.param(single_precision, id="coefficients in float32"),
        pytest.param(two_targets, id="two targets"),
        pytest.param(categories, id="splits by category"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_not_bindable(make: Callable[[], Estimator]) -> None:
    with pytest.raises(NotBindable):
        bind(make())
