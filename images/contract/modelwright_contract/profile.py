"""The training profile: how a model's features and answers were spread when it was trained, as counts in bins.

It travels with the model. The server counts what it is asked in the same bins (`binning`), so that the two can be held
against each other. Standard library only: the operator and the server's management process read it too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias, TypeVar, get_args

from modelwright_contract.canonical import Json, canonical_bytes

PROFILE_MEDIA_TYPE = "application/vnd.modelwright.profile.v1+json"
PROFILE_FILE = "profile.json"
"""Its name in a model directory."""

MAX_PROFILE_BYTES = 256 << 10
MAX_BINS = 16_384
"""Bins of all columns together, those for what is missing included."""

MAX_EDGES = 64
MAX_VALUES = 64
MAX_CODE = 4095

Kind = Literal["string", "integer", "number", "boolean", "timestamp"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The types of columns: `vectors.VALUE_TYPES`, which would bring NumPy."""

OUTPUTS = ("label", "probability", "prediction")
"""What may be profiled of the answers: the class, the probability of the likeliest class, the value of a regression."""

ANSWERED_SPLITS = ("validation", "test", "train")
"""Where the answers may come from, the best first: a model knows the rows that it was fitted on too well."""

Label: TypeAlias = "str | int | bool"
_T = TypeVar("_T")


class ProfileError(ValueError):
    """A profile that can't be read, or that doesn't fit its model."""


@dataclass(frozen=True, slots=True)
class Ranges:
    """Bins between rising edges: an edge and what is greater, up to the next edge, is one bin, and so are both ends."""

    edges: tuple[float, ...]

    @property
    def number(self) -> int:
        """Bins, without the one for what is missing."""
        return len(self.edges) + 1

    def to_json(self) -> dict[str, Json]:
        """As it stands in a profile."""
        return {"edges": list(self.edges)}


@dataclass(frozen=True, slots=True)
class Values:
    """A bin for each of these values, and one for all others.

    In a matrix a value stands as its code: a category's or a class's position, 0 and 1 for false and true. The values
    themselves are for people, and long texts are cut.
    """

    codes: tuple[int, ...]
    values: tuple[Label, ...]

    @property
    def number(self) -> int:
        """Bins, without the one for what is missing."""
        return len(self.codes) + 1

    def to_json(self) -> dict[str, Json]:
        """As it stands in a profile."""
        return {"codes": list(self.codes), "values": list(self.values)}


@dataclass(frozen=True, slots=True)
class Column:
    """A feature or an output: its bins, and the rows in each; the last count is of rows where it is missing."""

    name: str
    kind: Kind
    bins: Ranges | Values
    counts: tuple[int, ...]

    def to_json(self) -> dict[str, Json]:
        """As it stands in a profile."""
        return {"name": self.name, "kind": self.kind, "counts": list(self.counts), **self.bins.to_json()}


@dataclass(frozen=True, slots=True)
class Profile:
    """Features on the train split and outputs on `split`; `omitted` features did not fit into the document."""

    features: tuple[Column, ...]
    outputs: tuple[Column, ...]
    split: str
    omitted: int = 0

    def to_bytes(self) -> bytes:
        """The canonical document."""
        return canonical_bytes(
            {
                "mediaType": PROFILE_MEDIA_TYPE,
                "features": [column.to_json() for column in self.features],
                "outputs": [column.to_json() for column in self.outputs],
                "split": self.split,
                "omitted": self.omitted,
            }
        )

    @staticmethod
    def parse(content: bytes) -> Profile:
        """From a document. Raises ProfileError."""
        if len(content) > MAX_PROFILE_BYTES:
            raise ProfileError(f"the profile has {len(content)} bytes, at most {MAX_PROFILE_BYTES} are allowed")
        try:
            document: Json = json.loads(content)
        except (ValueError, RecursionError):
            raise ProfileError("the profile is no JSON") from None
        match document:
            case {
                "mediaType": media_type,
                "features": list(features),
                "outputs": list(outputs),
                "split": str(split),
                "omitted": int(omitted),
            } if media_type == PROFILE_MEDIA_TYPE and split in ANSWERED_SPLITS and omitted >= 0:
                profile = Profile(_columns(features), _columns(outputs), split, omitted)
            case _:
                raise ProfileError(f"not a profile of type {PROFILE_MEDIA_TYPE}")
        if not {column.name for column in profile.outputs} <= set(OUTPUTS):
            raise ProfileError(f"the profile's outputs are not among {', '.join(OUTPUTS)}")
        if sum(len(column.counts) for column in (*profile.features, *profile.outputs)) > MAX_BINS:
            raise ProfileError(f"the profile has more than {MAX_BINS} bins")
        return profile


def by_name(columns: Sequence[Column], counts: Sequence[_T]) -> Iterator[tuple[str, Sequence[_T]]]:
    """Counts of all columns' bins in one row, as `binning` gives them → each column's own."""
    begin = 0
    for column in columns:
        end = begin + len(column.counts)
        yield column.name, counts[begin:end]
        begin = end


def _columns(documents: Sequence[Json]) -> tuple[Column, ...]:
    columns = tuple(_column(document) for document in documents)
    if len({column.name for column in columns}) < len(columns):
        raise ProfileError("two columns of the profile have one name")
    return columns


def _column(document: Json) -> Column:
    match document:
        case {"name": str(name), "kind": str(kind), "counts": list(counts)} if kind in KINDS:
            bins = _bins(name, document)
        case _:
            raise ProfileError("a column of the profile must have name, kind and counts")
    if len(counts) != bins.number + 1:
        raise ProfileError(f'the profile\'s column "{name[:80]}" has {len(counts)} counts, not {bins.number + 1}')
    return Column(name, _KINDS[kind], bins, _all(counts, _count, name))


def _bins(name: str, document: Json) -> Ranges | Values:
    match document:
        case {"edges": list(edges)} if len(edges) <= MAX_EDGES:
            found = _all(edges, _edge, name)
            if all(low < high for low, high in pairwise(found)):
                return Ranges(found)
        case {"codes": list(codes), "values": list(values)} if len(codes) == len(values) <= MAX_VALUES:
            if len(set(_all(codes, _code, name))) == len(codes):
                return Values(_all(codes, _code, name), _all(values, _label, name))
    raise ProfileError(
        f'the profile\'s column "{name[:80]}" has no bins, or too many: write edges, or codes and values'
    )


def _all(items: Sequence[Json], read: Callable[[Json], _T | None], name: str) -> tuple[_T, ...]:
    found = [value for item in items if (value := read(item)) is not None]
    if len(found) < len(items):
        raise ProfileError(f'the profile\'s column "{name[:80]}" has edges, codes, values or counts that are none')
    return tuple(found)


def _edge(value: Json) -> float | None:
    if type(value) is float and math.isfinite(value):
        return value
    # Another writer may leave out the fraction.
    return float(value) if type(value) is int and abs(value) <= 2**53 else None


def _count(value: Json) -> int | None:
    return value if type(value) is int and 0 <= value <= 2**53 else None


def _code(value: Json) -> int | None:
    return value if type(value) is int and 0 <= value <= MAX_CODE else None


def _label(value: Json) -> Label | None:
    return value if isinstance(value, str | int) else None


_KINDS: dict[str, Kind] = {kind: kind for kind in KINDS}
