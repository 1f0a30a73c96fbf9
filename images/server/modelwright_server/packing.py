"""Python numbers into arrays. `struct` does that in a third of the time of NumPy and of `array`, and checks as much."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from modelwright_contract.vectors import Array

NotPackable = struct.error


@lru_cache(maxsize=1024)
def packer(code: str, count: int) -> struct.Struct:
    """Packs `count` numbers of a native type, such as "d". What is no such number raises NotPackable.

    "e" raises OverflowError for what is too large, "f" makes it infinite, and true and false pass as 1 and 0.
    """
    return struct.Struct(f"{count}{code}")


def packed(code: str, values: Sequence[float]) -> Array:
    """The values as a flat array of a type that `struct` and NumPy name alike. Raises as `packer` says."""
    out = np.empty(len(values), dtype=code)
    packer(code, len(values)).pack_into(out.data, 0, *values)
    return out
