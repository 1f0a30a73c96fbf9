"""What one model takes and gives, as the documents about it tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelwright_contract.manifests import TensorSpec
from modelwright_contract.vectors import ValueType
from modelwright_server.prediction import Class


@dataclass(frozen=True, slots=True)
class Signature:
    """One model under its name.

    `columns` are the raw columns that it reads and `nullable` those of them that may be missing; `features` are the
    columns of its own matrix, which may hold missing values where `takes_missing` says so. `max_rows` bounds a request.
    """

    name: str
    version: str
    columns: Mapping[str, ValueType]
    nullable: frozenset[str]
    features: Sequence[str]
    takes_missing: bool
    inputs: Sequence[TensorSpec]
    outputs: Sequence[TensorSpec]
    classes: Sequence[Class]
    max_rows: int
