"""Which columns a dataset version holds and what its feature contract is: the user's columns applied to a source's."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from modelwright_contract.canonical import Json
from modelwright_contract.expressions import ExpressionError, columns_of, compile_expression
from modelwright_contract.features import FeatureContract, Input, Step, Target, check_expression_type
from modelwright_contract.manifests import StoredColumn
from modelwright_contract.tasks import Column
from modelwright_contract.vectors import ValueType
from modelwright_worker.failures import Told

Types = Mapping[str, ValueType]


@dataclass(frozen=True, slots=True)
class Layout:
    """What is stored, and the contract before categories are fitted. `key` is the column that decides a row's split."""

    stored: tuple[StoredColumn, ...]
    contract: FeatureContract


def lay_out(
    declared: Sequence[Column],
    available: Sequence[str],
    key: str | None,
    told_types: Callable[[frozenset[str]], Types],
) -> Layout:
    """Decide roles, parse expressions, and build the contract.

    `available` are the source's columns in order; `told_types` gives the types of those that are needed, leaving out
    those that can't be used. Raises Told: ColumnNotFound, TargetNotFound, ExpressionInvalid, ColumnTypeMismatch.
    """
    _require_known(declared, available, key)
    trees = {column.name: _parsed(column, available) for column in declared if column.expression is not None}
    target = _target_column(declared)
    names = _feature_names(declared, available, target, trees)
    reads = {name: columns_of(tree) for name, tree in trees.items()}
    wanted = {name for name in names if name not in trees}
    wanted |= {column.name for column in declared if column.role in ("id", "target") and column.name not in trees}
    wanted |= {name for names in reads.values() for name in names} | ({key} if key else set())
    types = told_types(frozenset(wanted))
    for column in declared:
        if column.role in ("feature", "id") and column.expression is None and column.name not in types:
            message = (
                f'column "{column.name}" holds neither text, numbers, booleans nor timestamps: give it role: ignore'
            )
            raise Told("ColumnTypeMismatch", message, retry=True)
    features = tuple(name for name in names if name in trees or name in types)
    if not features:
        raise Told("ColumnNotFound", "no column is left as a feature: declare one with role: feature", retry=True)
    steps = tuple(
        _step(column, trees[column.name], types)
        for column in sorted(declared, key=lambda column: column.name)
        if column.name in trees and column.role == "feature"
    )
    inputs = {name for name in features if name not in trees}.union(*(reads[step.name] for step in steps))
    contract = FeatureContract(
        inputs=_inputs(inputs, available, types),
        steps=steps,
        features=features,
        target=_target(target, trees, available, types),
    )
    return Layout(_stored(declared, available, types, set(features) - set(trees), wanted), contract)


def _require_known(declared: Sequence[Column], available: Sequence[str], key: str | None) -> None:
    for column in declared:
        if column.expression is None and column.name not in available:
            found = _suggestion(column.name, available)
            if column.role == "target":
                raise Told("TargetNotFound", f'the target "{column.name}" is not in the source: {found}', retry=True)
            raise Told("ColumnNotFound", f'the column "{column.name}" is not in the source: {found}', retry=True)
        if column.expression is not None and column.role == "id":
            message = f'column "{column.name}": an id is a column of the source: leave out the expression'
            raise Told("ExpressionInvalid", message, retry=False)
    if key is not None and key not in available:
        found = _suggestion(key, available)
        raise Told("ColumnNotFound", f'spec.split.key: the column "{key}" is not in the source: {found}', retry=True)


def _suggestion(name: str, available: Sequence[str]) -> str:
    by_case = [other for other in available if other.lower() == name.lower()]
    close = by_case or difflib.get_close_matches(name, available, n=3)
    if close:
        return f"did you mean {', '.join(close)}?"
    listed = ", ".join(available[:12])
    return f"it has {listed}{', …' if len(available) > 12 else ''}"


def _parsed(column: Column, available: Sequence[str]) -> Json:
    from modelwright_contract.parse import parse_expression

    assert column.expression is not None
    try:
        tree = parse_expression(column.expression)
    except ExpressionError as error:
        raise Told("ExpressionInvalid", f'column "{column.name}": {error}', retry=False) from error
    for name in sorted(columns_of(tree)):
        if name not in available:
            quoting = " (text is written in single quotes)" if f'"{name}"' in column.expression else ""
            found = _suggestion(name, available)
            message = f'the expression of "{column.name}" reads "{name}", which is not in the source: {found}{quoting}'
            raise Told("ColumnNotFound", message, retry=True)
    return tree


def _target_column(declared: Sequence[Column]) -> Column | None:
    targets = [column for column in declared if column.role == "target"]
    if len(targets) > 1:
        names = ", ".join(column.name for column in targets)
        raise Told("TargetNotFound", f"{names} are all declared role: target: only one column can be", retry=False)
    return targets[0] if targets else None


def _feature_names(
    declared: Sequence[Column], available: Sequence[str], target: Column | None, trees: Mapping[str, Json]
) -> tuple[str, ...]:
    """In the order of the source, computed ones after it by name: that of `declared` decides nothing."""
    explicit = {column.name for column in declared if column.role == "feature"}
    if explicit:
        return (*(name for name in available if name in explicit - trees.keys()), *sorted(explicit & trees.keys()))
    read = columns_of(trees[target.name]) if target is not None and target.name in trees else frozenset()
    others = {column.name for column in declared}
    return tuple(name for name in available if name not in others and name not in read)


def _step(column: Column, tree: Json, types: Types) -> Step:
    try:
        expression = compile_expression(tree, types)
        kind = column.type or expression.type
        check_expression_type(column.name, expression, kind)
    except ExpressionError as error:
        raise Told("ExpressionInvalid", f'column "{column.name}": {error}', retry=False) from error
    return Step(column.name, kind, tree)


def _inputs(names: Iterable[str], available: Sequence[str], types: Types) -> tuple[Input, ...]:
    wanted = set(names)
    return tuple(Input(name, types[name]) for name in available if name in wanted)


def _target(column: Column | None, trees: Mapping[str, Json], available: Sequence[str], types: Types) -> Target | None:
    if column is None:
        return None
    tree = trees.get(column.name)
    if tree is None:
        kind = types.get(column.name)
        if kind is None:
            message = f'the target "{column.name}" holds neither text, numbers, booleans nor timestamps'
            raise Told("ColumnTypeMismatch", message, retry=True)
        return Target(column.name, kind, (Input(column.name, kind),))
    step = _step(column, tree, types)
    return Target(column.name, step.type, _inputs(columns_of(tree), available, types), tree)


def _stored(
    declared: Sequence[Column], available: Sequence[str], types: Types, features: set[str], wanted: set[str]
) -> tuple[StoredColumn, ...]:
    roles = {column.name: column.role for column in declared if column.expression is None}

    def role(name: str) -> str:
        given = roles.get(name)
        if given in ("target", "id"):
            return given
        return "feature" if name in features else "input"

    return tuple(StoredColumn(name, types[name], role(name)) for name in available if name in wanted and name in types)
