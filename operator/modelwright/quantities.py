"""Kubernetes quantities (`500m`, `2Gi`) as exact numbers."""

import re
from decimal import Decimal

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(1000), "M": Decimal(1000) ** 2, "G": Decimal(1000) ** 3, "T": Decimal(1000) ** 4,
    "P": Decimal(1000) ** 5, "Ki": Decimal(1024), "Mi": Decimal(1024) ** 2, "Gi": Decimal(1024) ** 3,
    "Ti": Decimal(1024) ** 4, "Pi": Decimal(1024) ** 5,
}  # fmt: skip
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?(?:e\d+)?)([numkMGTP]|[KMGTP]i)?")


def parse(text: str) -> Decimal:
    """The number that a quantity stands for, in its base unit (cores, bytes); raises ValueError."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a quantity; write for example 500m, 2 or 1Gi')
    return Decimal(match[1]) * _SUFFIXES[match[2] or ""]
