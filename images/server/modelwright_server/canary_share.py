"""Which requests are the canary's: decided by a hash, alike in all processes and Pods."""

from __future__ import annotations

from hashlib import blake2b

_SCALE = 2**64


class Share:
    """A part of all keys. What is in the share of one weight is in that of any greater one of the same version.

    Another version draws anew: it isn't always the same users who try what is new.
    """

    def __init__(self, version: str, weight: float) -> None:
        """`weight` is from 0 (nobody) to 1 (all)."""
        self._salt = version.encode("utf-8") + b"\0"
        self._below = round(weight * _SCALE)

    def draw(self, key: bytes) -> int | None:
        """None where `key` is not in the share; else a number from 0 to before 2**64 that is its own and random."""
        digest = blake2b(self._salt + key, digest_size=16).digest()
        if int.from_bytes(digest[:8], "big") >= self._below:
            return None
        return int.from_bytes(digest[8:], "big")


def is_below(draw: int, share: float) -> bool:
    """Whether a number that was drawn belongs to this share of all numbers."""
    return draw < share * _SCALE
