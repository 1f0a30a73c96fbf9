"""Canonical JSON and digests: the same value gives the same bytes in any process on any day."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import NewType, TypeAlias

Digest = NewType("Digest", str)
"""`sha256:` and 64 hex digits."""

JsonScalar: TypeAlias = str | int | float | bool | None
Json: TypeAlias = "JsonScalar | Sequence[Json] | Mapping[str, Json]"
"""A JSON value."""


def canonical_bytes(value: Json) -> bytes:
    """Sorted keys, no spaces, UTF-8, no NaN. Raises ValueError for a number that JSON can't write."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def digest_of(content: bytes) -> Digest:
    """The sha256 digest of bytes."""
    return Digest("sha256:" + hashlib.sha256(content).hexdigest())


def hex_of(digest: str) -> str:
    """The 64 hex digits of a digest. Raises ValueError when it is no sha256 digest."""
    algorithm, _, hexdigits = digest.partition(":")
    if algorithm != "sha256" or len(hexdigits) != 64 or not set(hexdigits) <= set("0123456789abcdef"):
        raise ValueError(f'"{digest[:80]}" is no digest: write sha256: and 64 hex digits')
    return hexdigits
