"""The server's certificate out of a folder, such as a mounted Secret of type kubernetes.io/tls."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Literal

from modelwright_server.files import Signature, signature_of
from modelwright_server.logs import fields

LOGGER = logging.getLogger(__name__)

CERTIFICATE, KEY = "tls.crt", "tls.key"

Protocol = Literal["http/1.1", "h2"]
"""What is spoken inside, and offered by ALPN; a client that asks for something else gets no ALPN answer."""

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
_PROTOCOLS: tuple[Protocol, ...] = ("http/1.1", "h2")


class CertificateUnusable(Exception):
    """There is no certificate with its key in the folder; the text is one plain sentence."""


class Certificate:
    """A certificate chain and its key, for TLS 1.2 and above.

    Connections that begin after `refresh` found another pair get that one; those that exist keep theirs.
    """

    def __init__(self, directory: Path) -> None:
        """Raises CertificateUnusable."""
        self._directory = directory
        self._read: Signature | None = None
        self._newest: dict[Protocol, ssl.SSLContext] = {}
        self._leaves: tuple[str, ...] = ()
        self._trusting = _trust(())
        self.refresh()
        self._listening = {protocol: self._listening_context(protocol) for protocol in _PROTOCOLS}

    def context(self, protocol: Protocol) -> ssl.SSLContext:
        """What a server of `protocol` listens with."""
        return self._listening[protocol]

    def refresh(self) -> bool:
        """Read the pair again if it changed; True when it did.

        Raises CertificateUnusable, and keeps what it had, when the new pair can't be used.
        """
        try:
            signature = tuple(entry for entry in signature_of(self._directory) if entry[0] in (CERTIFICATE, KEY))
        except OSError as problem:
            raise CertificateUnusable(f"{self._directory} can't be read: {problem.strerror}") from problem
        if signature == self._read:
            return False
        self._read = signature
        self._newest = {protocol: _load(self._directory, protocol) for protocol in _PROTOCOLS}
        self._leaves = (_leaf(self._directory), *self._leaves[:1])
        self._trusting = _trust(self._leaves)
        LOGGER.info("certificate read", extra=fields(folder=str(self._directory)))
        return True

    def client_context(self) -> ssl.SSLContext:
        """What to trust of servers that have the same certificate: nothing but it, and the one that it came after.

        The name in it is that of the Service which clients ask, so it is not looked at.
        """
        return self._trusting

    def _listening_context(self, protocol: Protocol) -> ssl.SSLContext:
        def hand_over(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: object) -> None:
            connection.context = self._newest[protocol]

        context = _load(self._directory, protocol)
        # Asked in each handshake, also when the client names no server: the newest pair is handed over here, because
        # changing a context in use could leave it with a certificate and another one's key.
        context.sni_callback = hand_over
        return context


def _load(directory: Path, protocol: Protocol) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols([protocol])
    paths = (directory / CERTIFICATE, directory / KEY)
    for path in paths:
        try:
            path.read_bytes()
        except OSError as problem:
            raise CertificateUnusable(f"{path} can't be read: {problem.strerror}") from problem
    try:
        context.load_cert_chain(*paths, password=_no_password)
    except (ssl.SSLError, OSError) as problem:
        reason = getattr(problem, "reason", None) or problem
        raise CertificateUnusable(f"{CERTIFICATE} and {KEY} in {directory} don't fit together: {reason}") from problem
    return context


def _leaf(directory: Path) -> str:
    """The server's own certificate, which stands first in its chain."""
    text = (directory / CERTIFICATE).read_text("ascii", "replace")
    begin, end = text.find(_BEGIN), text.find(_END)
    return text[begin : end + len(_END)] + "\n"


def _trust(leaves: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    # So that a certificate which is trusted by itself needs no issuer that is.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if leaves:
        context.load_verify_locations(cadata="".join(leaves))
    return context


def _no_password() -> str:
    # Without this a locked key would ask for its password at a terminal.
    return ""
