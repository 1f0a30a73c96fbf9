"""The Huffman code of HPACK (RFC 7541, section 5.2 and appendix B).

The code is canonical: codes of one length are consecutive in the order of their symbols, so their lengths say all.
"""

from __future__ import annotations

from collections.abc import Iterator

_LENGTHS = """
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28 6 10 10 12 13 6 8 11
10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10 13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13
14 6 15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28 20 22 20 20 22 22 22 23 22 23 23 23 23 23
24 23 24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24 22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23 21 21 22 21 23
22 23 23 20 22 22 22 23 22 22 23 26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24 21 21 26 26
28 27 27 27 20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23 26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26 30
"""
"""Bits of the code of each octet 0 to 255, and of the end of the string."""

_END = 256
_LONGEST = 30


def _codes() -> Iterator[tuple[int, int, int]]:
    """(symbol, length, code) by length and then by symbol."""
    code = previous = 0
    for length, symbol in sorted((int(length), symbol) for symbol, length in enumerate(_LENGTHS.split())):
        code <<= length - previous
        yield symbol, length, code
        code += 1
        previous = length


_SYMBOLS = {(length, code): symbol for symbol, length, code in _codes()}
_SHORT: list[tuple[int, int] | None] = [None] * 256
"""The symbol that begins eight bits and the length of its code, where that is at most eight."""
for _symbol, _length, _code in _codes():
    if _length <= 8:
        _first = _code << (8 - _length)
        _SHORT[_first : _first + (1 << (8 - _length))] = [(_symbol, _length)] * (1 << (8 - _length))


def huffman_decoded(data: bytes) -> bytes:
    """The octets that `data` stands for. Raises ValueError when it isn't the code of any."""
    out = bytearray()
    bits = have = 0
    for octet in data:
        bits = (bits & ((1 << have) - 1)) << 8 | octet
        have += 8
        while have >= 8:
            short = _SHORT[bits >> (have - 8) & 0xFF]
            symbol, length = short if short is not None else _long(bits, have)
            if not length:
                break
            out.append(symbol)
            have -= length
    while have < 8:
        # What is left is padded with ones, as the encoder did: a code that is longer than what is left is no symbol.
        padded = (bits << (8 - have) | (0xFF >> have)) & 0xFF
        short = _SHORT[padded]
        if short is None or short[1] > have:
            if padded == 0xFF:
                return bytes(out)
            break
        out.append(short[0])
        have -= short[1]
    raise ValueError("the Huffman code ends within a symbol")


def _long(bits: int, have: int) -> tuple[int, int]:
    """The symbol at the start of the last `have` bits, if its code of more than eight is whole; else length 0."""
    for length in range(9, min(have, _LONGEST) + 1):
        symbol = _SYMBOLS.get((length, bits >> (have - length) & ((1 << length) - 1)))
        if symbol is not None:
            if symbol == _END:
                raise ValueError("the Huffman code has an end before the end")
            return symbol, length
    return 0, 0
