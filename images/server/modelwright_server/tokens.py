"""Bearer tokens out of a folder, such as a mounted Secret: each file holds one."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from pathlib import Path

from modelwright_server.files import Signature, signature_of
from modelwright_server.logs import fields

LOGGER = logging.getLogger(__name__)

_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_SCHEME = b"bearer "


class TokensUnusable(Exception):
    """There is no folder of tokens, or none in it, or one that can't be sent; the text is one plain sentence."""


class Tokens:
    """Says who may ask. Only digests are kept, and all of them are compared, whatever was sent (RFC 6750)."""

    def __init__(self, directory: Path) -> None:
        """Raises TokensUnusable."""
        self._directory = directory
        self._read: Signature | None = None
        self._digests: tuple[bytes, ...] = ()
        self.refresh()
        if not self._digests:
            raise TokensUnusable(f"{directory} has no token; each file in it must hold one bearer token")

    def admits(self, authorization: bytes | None) -> bool:
        """Whether a request with this Authorization field may be answered."""
        if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
            return False
        digest = hashlib.sha256(authorization[len(_SCHEME) :].strip()).digest()
        admitted = False
        for known in self._digests:
            admitted |= hmac.compare_digest(known, digest)
        return admitted

    def refresh(self) -> bool:
        """Read the folder again if it changed; True when it did. An emptied folder admits nobody.

        Raises TokensUnusable, and keeps what it had, when the folder or a token can't be read.
        """
        try:
            signature = signature_of(self._directory)
        except OSError as problem:
            raise TokensUnusable(f"{self._directory} can't be read: {problem.strerror}") from problem
        if signature == self._read:
            return False
        self._read = signature
        self._digests = tuple(_digest_of(self._directory / name) for name, *_ in signature)
        LOGGER.info("tokens read", extra=fields(tokens=len(self._digests)))
        return True


def _digest_of(path: Path) -> bytes:
    try:
        token = path.read_bytes().strip()
    except OSError as problem:
        raise TokensUnusable(f"{path} can't be read: {problem.strerror}") from problem
    if not _TOKEN.fullmatch(token):
        raise TokensUnusable(f"{path} holds no bearer token: it must be letters, digits and -._~+/ and may end in =")
    return hashlib.sha256(token).digest()
