"""Kubernetes quantities (`500m`, `2Gi`) as exact numbers."""

import re
from decimal import Decimal

_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9, "T": Decimal(10) ** 12, "P": Decimal(10) ** 15,
    "Ki": Decimal(2) ** 10, "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30, "Ti": Decimal(2) ** 40, "Pi": Decimal(2) ** 50,
}  # fmt: skip
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?(?:e\d+)?)([numkMGTP]|[KMGTP]i)?")


def parse(text: str) -> Decimal:
    """The number that a quantity stands for, in its base unit (cores, bytes); raises ValueError."""
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a quantity; write for example 500m, 2 or 1Gi')
    return Decimal(match[1]) * _SUFFIXES[match[2] or ""]
