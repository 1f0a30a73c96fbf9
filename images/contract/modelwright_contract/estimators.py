"""The closed list of scikit-learn classes that may be trained and loaded, by public import path."""

from __future__ import annotations

_CLASSES: dict[str, tuple[str, ...]] = {
    "preprocessing": (
        "Binarizer",
        "KBinsDiscretizer",
        "MaxAbsScaler",
        "MinMaxScaler",
        "Normalizer",
        "OneHotEncoder",
        "OrdinalEncoder",
        "PolynomialFeatures",
        "PowerTransformer",
        "QuantileTransformer",
        "RobustScaler",
        "StandardScaler",
        "TargetEncoder",
    ),
    "impute": ("KNNImputer", "MissingIndicator", "SimpleImputer"),
    "decomposition": ("FactorAnalysis", "FastICA", "IncrementalPCA", "NMF", "PCA", "TruncatedSVD"),
    "feature_selection": (
        "GenericUnivariateSelect",
        "SelectFdr",
        "SelectFpr",
        "SelectFwe",
        "SelectKBest",
        "SelectPercentile",
        "VarianceThreshold",
    ),
    "linear_model": (
        "ARDRegression",
        "BayesianRidge",
        "ElasticNet",
        "ElasticNetCV",
        "GammaRegressor",
        "HuberRegressor",
        "Lars",
        "Lasso",
        "LassoCV",
        "LassoLars",
        "LinearRegression",
        "LogisticRegression",
        "OrthogonalMatchingPursuit",
        "Perceptron",
        "PoissonRegressor",
        "QuantileRegressor",
        "Ridge",
        "RidgeClassifier",
        "SGDClassifier",
        "SGDRegressor",
        "TheilSenRegressor",
        "TweedieRegressor",
    ),
    "ensemble": (
        "AdaBoostClassifier",
        "AdaBoostRegressor",
        "BaggingClassifier",
        "BaggingRegressor",
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
        "GradientBoostingClassifier",
        "GradientBoostingRegressor",
        "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor",
        "RandomForestClassifier",
        "RandomForestRegressor",
    ),
    "tree": ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"),
    "svm": ("LinearSVC", "LinearSVR", "NuSVC", "NuSVR", "SVC", "SVR"),
    "naive_bayes": ("BernoulliNB", "ComplementNB", "GaussianNB", "MultinomialNB"),
    "neighbors": ("KNeighborsClassifier", "KNeighborsRegressor", "NearestCentroid"),
    "neural_network": ("MLPClassifier", "MLPRegressor"),
    "discriminant_analysis": ("LinearDiscriminantAnalysis", "QuadraticDiscriminantAnalysis"),
    "dummy": ("DummyClassifier", "DummyRegressor"),
}

ESTIMATORS: frozenset[str] = frozenset(
    f"sklearn.{package}.{name}" for package, names in _CLASSES.items() for name in names
)
"""Public import paths, for example `sklearn.linear_model.LogisticRegression`."""

SCORE_FUNCTIONS: frozenset[str] = frozenset(
    {"chi2", "f_classif", "f_regression", "mutual_info_classif", "mutual_info_regression", "r_regression"}
)
"""Functions of `sklearn.feature_selection` that a selector's `score_func` may name."""
