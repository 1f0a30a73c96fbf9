"""Rows to predict, from JSON, JSON lines or CSV, as the body of a request."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from modelwright.cli.problems import Problem


@dataclass(frozen=True)
class Rows:
    """A request's body. CSV is passed on as it is, because only the server knows the columns' types."""

    body: bytes
    content_type: str


def read(name: str) -> Rows:
    """The rows of a file (`-`: standard input), by its ending or else its first character; raises Problem."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{name}: cannot be read: {error}") from error
    if not text.strip():
        raise Problem(f"{name}: has no rows; write a JSON list of objects, one object a line, or CSV with a header")
    if name.endswith(".csv") or (not name.endswith((".json", ".jsonl", ".ndjson")) and text.lstrip()[0] not in "[{"):
        return Rows(text.encode(), "text/csv")
    rows = _lines(name, text) if name.endswith((".jsonl", ".ndjson")) else _document(name, text)
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise Problem(f'{name}: must be rows as objects, such as [{{"carrier": "AA", "distance": 733}}]')
    return Rows(json.dumps(rows).encode(), "application/json")


def _document(name: str, text: str) -> list[object]:
    try:
        document = json.loads(text)
    except ValueError:
        return _lines(name, text)
    return document if isinstance(document, list) else [document]


def _lines(name: str, text: str) -> list[object]:
    rows: list[object] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise Problem(f"{name}: line {number} is no JSON: {error}") from error
    return rows
