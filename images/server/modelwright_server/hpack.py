"""Reading header blocks of HTTP/2 (HPACK, RFC 7541). What the server sends needs no table and is written by hand."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from modelwright_server.hpack_huffman import huffman_decoded

Field: TypeAlias = tuple[bytes, bytes]

TABLE_BYTES = 4096
"""Size of the dynamic table: HTTP/2's initial value, which we leave as it is."""

_OVERHEAD = 32
"""What a field counts beyond its name and value (sections 4.1, and 6.5.2 of RFC 9113)."""

_LARGEST = 1 << 24
_STATIC: tuple[Field, ...] = (
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    *((b":status", status) for status in b"200 204 206 304 400 404 500".split()),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    *(
        (name, b"")
        for name in b"""
            accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control
            content-disposition content-encoding content-language content-length content-location content-range
            content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range
            if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range
            referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary
            via www-authenticate
        """.split()
    ),
)
"""Appendix A, counted from 1 on the wire."""


class HeaderBlockError(Exception):
    """A header block that can't be read; the connection's table is lost with it."""


class HeaderDecoder:
    """The reading half of one connection: its dynamic table."""

    def __init__(self, list_bytes: int) -> None:
        """`list_bytes` bounds the fields of one block, each counted with 32 bytes more than its name and value."""
        self._list_bytes = list_bytes
        self._table: deque[Field] = deque()
        self._table_bytes = 0
        self._allowed_bytes = TABLE_BYTES
        self.changes = 0
        """How often the table changed: while it doesn't, the same bytes mean the same fields."""

    def fields(self, block: bytes) -> list[Field]:
        """The fields of one whole block, in order. Raises HeaderBlockError."""
        try:
            return self._fields(block)
        except (IndexError, ValueError) as problem:
            raise HeaderBlockError(f"malformed header block: {problem}") from problem

    def _fields(self, block: bytes) -> list[Field]:
        fields: list[Field] = []
        at = size_bytes = 0
        while at < len(block):
            octet = block[at]
            if octet & 0x80:
                index, at = _integer(block, at, 0x7F)
                field = self._indexed(index)
            elif octet & 0x60 == 0x20:
                if fields:
                    raise ValueError("a table size after a field")
                at = self._resize(block, at)
                continue
            else:
                keep = bool(octet & 0x40)
                index, at = _integer(block, at, 0x3F if keep else 0x0F)
                name, at = (self._indexed(index)[0], at) if index else _string(block, at)
                value, at = _string(block, at)
                field = name, value
                if keep:
                    self._keep(field)
            size_bytes += len(field[0]) + len(field[1]) + _OVERHEAD
            if size_bytes > self._list_bytes:
                raise ValueError(f"its fields are over the limit of {self._list_bytes} bytes")
            fields.append(field)
        return fields

    def _indexed(self, index: int) -> Field:
        if index == 0:
            raise ValueError("index 0")
        return _STATIC[index - 1] if index <= len(_STATIC) else self._table[index - len(_STATIC) - 1]

    def _keep(self, field: Field) -> None:
        self.changes += 1
        self._table.appendleft(field)
        self._table_bytes += len(field[0]) + len(field[1]) + _OVERHEAD
        self._evict()

    def _resize(self, block: bytes, at: int) -> int:
        size_bytes, at = _integer(block, at, 0x1F)
        if size_bytes > TABLE_BYTES:
            raise ValueError(f"a table of {size_bytes} bytes")
        self.changes += 1
        self._allowed_bytes = size_bytes
        self._evict()
        return at

    def _evict(self) -> None:
        while self._table_bytes > self._allowed_bytes:
            name, value = self._table.pop()
            self._table_bytes -= len(name) + len(value) + _OVERHEAD


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """An integer whose first octet has the bits of `mask` for it (section 5.1), and where it ends."""
    value = block[at] & mask
    at += 1
    if value < mask:
        return value, at
    shift = 0
    while True:
        octet = block[at]
        at += 1
        value += (octet & 0x7F) << shift
        if value > _LARGEST or shift > 28:
            raise ValueError("an integer is too large")
        if octet < 0x80:
            return value, at
        shift += 7


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    """A string literal (section 5.2), and where it ends."""
    is_huffman = bool(block[at] & 0x80)
    length, at = _integer(block, at, 0x7F)
    end = at + length
    if end > len(block):
        raise ValueError("a text ends beyond the block")
    text = block[at:end]
    return (huffman_decoded(text) if is_huffman else text), end


def literal(name: bytes, value: bytes) -> bytes:
    """A field that is not indexed, for both sides of a connection to forget (section 6.2.2)."""
    return b"\x00" + _length(name) + name + _length(value) + value


def _length(text: bytes) -> bytes:
    length = len(text)
    if length < 0x7F:
        return bytes((length,))
    octets = bytearray((0x7F,))
    length -= 0x7F
    while length >= 0x80:
        octets.append(length & 0x7F | 0x80)
        length >>= 7
    octets.append(length)
    return bytes(octets)
