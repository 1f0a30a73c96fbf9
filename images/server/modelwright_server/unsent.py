"""Whether what was written to a client is on its way."""

from __future__ import annotations

import asyncio
import fcntl
import struct
import termios

_INT = struct.Struct("i")


def unsent_bytes(transport: asyncio.Transport) -> int:
    """Bytes that wait to be sent to a client, and over TLS also those that it has not confirmed.

    A TLS transport doesn't tell what the one below it holds; that is nothing when the kernel has nothing left.
    """
    waiting = transport.get_write_buffer_size()
    if waiting or transport.can_write_eof():
        return waiting
    unconfirmed: int
    (unconfirmed,) = _INT.unpack(
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(_INT.size))
    )
    return unconfirmed
