"""Which types a model archive may hold, and how each is found without importing anything that the archive names."""

from __future__ import annotations

import importlib

from modelwright_contract.estimators import ESTIMATORS, SCORE_FUNCTIONS

_INTERNALS: frozenset[str] = frozenset(
    {
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._label.LabelBinarizer",
        "sklearn.preprocessing._label.LabelEncoder",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn._loss.link.HalfLogitLink",
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogLink",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.AbsoluteError",
        "sklearn._loss.loss.ExponentialLoss",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfGammaLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn._loss.loss.HalfPoissonLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn._loss.loss.HuberLoss",
        "sklearn._loss.loss.PinballLoss",
    }
)
"""What the listed estimators hold inside, by the module that defines it."""

_LOSSES: frozenset[str] = frozenset(
    f"sklearn._loss._loss.Cy{name}"
    for name in (
        "AbsoluteError",
        "ExponentialLoss",
        "HalfBinomialLoss",
        "HalfGammaLoss",
        "HalfMultinomialLoss",
        "HalfPoissonLoss",
        "HalfSquaredError",
        "HalfTweedieLoss",
        "HalfTweedieLossIdentity",
        "HuberLoss",
        "PinballLoss",
    )
) | frozenset(
    f"sklearn.linear_model._sgd_fast.{name}"
    for name in ("EpsilonInsensitive", "Hinge", "ModifiedHuber", "SquaredEpsilonInsensitive", "SquaredHinge")
)

_PLAIN_TYPES: dict[str, type] = {
    **{f"builtins.{kind.__name__}": kind for kind in (bool, dict, float, int, list, str, tuple)},
}
_NUMPY_TYPES: frozenset[str] = frozenset(
    f"numpy.{name}"
    for name in (
        "bool",
        "bool_",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "intp",
        "object_",
        "str_",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
    )
)


class TypeNotAllowed(ValueError):
    """An archive names a type or function that no model of ours holds."""


def object_type(module: str, name: str) -> type:
    """The class of an object that is restored from its attributes. Raises TypeNotAllowed."""
    full = f"{module}.{name}"
    if full in _INTERNALS:
        return _found(module, name, module)
    parts = module.split(".")
    if len(parts) >= 2 and f"{parts[0]}.{parts[1]}.{name}" in ESTIMATORS:
        return _found(f"{parts[0]}.{parts[1]}", name, module)
    raise TypeNotAllowed(f"the archive holds a {full[:120]}, which is not allowed")


def loss_type(module: str, name: str) -> type:
    """The class of a compiled loss. Raises TypeNotAllowed."""
    if f"{module}.{name}" in _LOSSES:
        return _found(module, name, None)
    # Cython names these classes by a bare module `_loss` in some builds.
    if module == "_loss" and f"sklearn._loss._loss.{name}" in _LOSSES:
        return _found("sklearn._loss._loss", name, None)
    raise TypeNotAllowed(f"the archive holds a loss {module[:80]}.{name[:40]}, which is not allowed")


def plain_type(module: str, name: str) -> type:
    """A Python or NumPy scalar type. Raises TypeNotAllowed."""
    full = f"{module}.{name}"
    if full in _PLAIN_TYPES:
        return _PLAIN_TYPES[full]
    if full in _NUMPY_TYPES:
        return _found("numpy", name, None)
    raise TypeNotAllowed(f"the archive names the type {full[:120]}, which is not allowed")


def score_function(module: str, name: str) -> object:
    """A selector's score function. Raises TypeNotAllowed."""
    if module.startswith("sklearn.feature_selection.") and name in SCORE_FUNCTIONS:
        return getattr(importlib.import_module("sklearn.feature_selection"), name)
    raise TypeNotAllowed(f"the archive names the function {module[:80]}.{name[:40]}, which is not allowed")


def _found(package: str, name: str, defined_in: str | None) -> type:
    kind = getattr(importlib.import_module(package), name, None)
    if not isinstance(kind, type) or (defined_in is not None and kind.__module__ != defined_in):
        raise TypeNotAllowed(f"{package}.{name} is not in this version of scikit-learn")
    return kind
