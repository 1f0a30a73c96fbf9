"""Predictions as a table for people."""

from collections.abc import Mapping, Sequence

_WIDTH = 40


def render(rows: Sequence[Mapping[str, object]]) -> str:
    """The rows under a header of all their keys, in the order in which they come; numbers of a mapping one a column."""
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    lines = [["row", *names], *([str(index), *(row.get(name, "") for name in names)] for index, row in enumerate(flat))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names) + 1)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _flat(row: Mapping[str, object]) -> dict[str, str]:
    result: dict[str, str] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            result |= {f"{name}[{key}]": _text(part) for key, part in value.items()}
        else:
            result[name] = _text(value)
    return result


def _text(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
