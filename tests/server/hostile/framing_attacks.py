"""Where does a request end? Lengths, codings and chunks that two readers might read differently (RFC 9112, 6 and 7)."""

from .attack import SMUGGLED, Attack, either, refused, taken
from .honest import ROWS, chunks, get, head

CHUNKED = b"transfer-encoding: chunked"
EMPTY = b"0\r\n\r\n"
SIZE = b"%x" % len(ROWS)
INSIDE = b"content-length: %d" % len(EMPTY + SMUGGLED)
"""A length that takes the hidden request for a part of the body."""


def _length(value: bytes, status: str = "400") -> Attack:
    return refused(f"content-length: {value!r}", head(b"content-length:" + value) + b"12345", status)


def _coding(value: bytes, status: str = "400") -> Attack:
    return refused(f"transfer-encoding: {value!r}", head(b"transfer-encoding:" + value) + EMPTY, status)


def _chunk_size(line: bytes, status: str = "400") -> Attack:
    return refused(f"chunk size {line[:40]!r}", head(CHUNKED) + line + b"\r\n12345\r\n" + EMPTY, status)


def _long_chunk(size: bytes) -> Attack:
    return refused(f"a chunk that says {size!r}", head(CHUNKED) + size + b"\r\n" + b"x" * 200_001, "400|413")


def _chunked_end(name: str, body: bytes, status: str = "400") -> Attack:
    return refused(name, head(CHUNKED) + body, status)


def _with_trailers(*lines: bytes) -> bytes:
    return head(CHUNKED) + b"%x\r\n%b\r\n0\r\n" % (len(ROWS), ROWS) + b"\r\n".join(lines) + b"\r\n\r\n"


LENGTHS = (
    refused("two lengths, equal", head(b"content-length: 5", b"content-length: 5") + b"12345"),
    refused("two lengths, different", head(b"content-length: 5", b"content-length: 6") + b"12345"),
    refused("two lengths, one of them empty", head(b"content-length: 5", b"content-length:") + b"12345"),
    refused("the length twice, one in capitals", head(b"content-length: 5", b"CONTENT-LENGTH: 0") + b"12345"),
    _length(b" 5,5"),
    _length(b" 5, 5"),
    _length(b" 5,6"),
    _length(b" +5"),
    _length(b" -5"),
    _length(b" -0"),
    _length(b" 0x5"),
    _length(b" 5 5"),
    _length(b" 5a"),
    _length(b" 5;"),
    _length(b" 5.0"),
    _length(b" 1e1"),
    _length(b" 5_0"),
    _length(b' "5"'),
    _length(b""),
    _length(b" "),
    _length(b" \x0b5"),
    _length(b" 5\x0b"),
    _length(b" 5\x00"),
    _length(b" \xd9\xa5"),
    _length(b" 200001", "413"),
    _length(b" 9223372036854775808", "400|413"),
    _length(b" 18446744073709551615", "400|413"),
    _length(b" 18446744073709551616", "400|413"),
    _length(b" 18446744073709551621", "400|413"),
    _length(b" " + b"9" * 1000, "400|413"),
    refused("space before the colon of a length", head(b"content-length : 5") + b"12345"),
    refused("tab before the colon of a length", head(b"content-length\t: 5") + b"12345"),
    refused("folded length", head(b"content-length:", b" 5") + b"12345"),
    refused("length behind a bare line feed", head(b"x: y\ncontent-length: 5") + b"12345"),
    refused("length behind a bare carriage return", head(b"x: y\rcontent-length: 5") + b"12345"),
    taken("length with leading zeros", head(b"content-length: 000%d" % len(ROWS)) + ROWS),
    taken("length with blanks and tabs around it", head(b"content-length:\t %d \t" % len(ROWS)) + ROWS),
    taken("length of a GET", get(b"content-length: %d" % len(SMUGGLED)) + SMUGGLED),
    taken("chunks of a GET", get(CHUNKED) + chunks(SMUGGLED)),
)

CODINGS = (
    refused("length, then chunks", head(INSIDE, CHUNKED) + EMPTY),
    refused("chunks, then length", head(CHUNKED, INSIDE) + EMPTY),
    refused("length 0, then chunks", head(b"content-length: 0", CHUNKED) + EMPTY),
    refused("length, then chunks with a tab", head(INSIDE, b"transfer-encoding:\tchunked") + EMPTY),
    refused("length, then chunks in capitals", head(INSIDE, b"TRANSFER-ENCODING: CHUNKED") + EMPTY),
    refused("length, then an unknown coding", head(INSIDE, b"transfer-encoding: xchunked") + EMPTY, "400|501"),
    refused("length, then identity", head(INSIDE, b"transfer-encoding: identity") + EMPTY, "400|501"),
    refused("length, then an empty coding", head(INSIDE, b"transfer-encoding:") + EMPTY, "400|501"),
    refused("chunked, then identity", head(CHUNKED, b"transfer-encoding: identity") + EMPTY, "400|501"),
    refused("identity, then chunked", head(b"transfer-encoding: identity", CHUNKED) + EMPTY, "400|501"),
    refused("chunked twice in two fields", head(CHUNKED, CHUNKED) + EMPTY, "400|501"),
    refused("chunked, then an empty coding", head(CHUNKED, b"transfer-encoding:") + EMPTY, "400|501"),
    _coding(b" chunked, chunked", "400|501"),
    _coding(b" chunked, identity", "400|501"),
    _coding(b" identity, chunked", "400|501"),
    _coding(b" gzip, chunked", "501"),
    _coding(b" chunked, gzip", "400|501"),
    _coding(b" gzip", "400|501"),
    _coding(b" identity", "400|501"),
    _coding(b" xchunked", "400|501"),
    _coding(b" chunkedx", "400|501"),
    _coding(b" chunked;q=1", "400|501"),
    _coding(b" chunked x", "400|501"),
    _coding(b" chunke", "400|501"),
    _coding(b' "chunked"', "400|501"),
    _coding(b" 'chunked'", "400|501"),
    _coding(b" \x0bchunked", "400|501"),
    _coding(b" \x0cchunked", "400|501"),
    _coding(b" chunked\x0b", "400|501"),
    _coding(b" chunked\x00", "400"),
    _coding(b" \xc2\xa0chunked", "400|501"),
    _coding(b" \xef\xbb\xbfchunked", "400|501"),
    _coding(b"", "400|501"),
    _coding(b"\r\n chunked", "400"),
    _coding(b" chun\r\n ked", "400"),
    refused("space before the colon of a coding", head(b"transfer-encoding : chunked") + EMPTY),
    refused("coding behind a bare line feed", head(b"x: y\ntransfer-encoding: chunked") + EMPTY),
    refused("coding behind a bare carriage return", head(b"x: y\rtransfer-encoding: chunked") + EMPTY),
    refused("coding in a folded line", head(b"x: y", b" transfer-encoding: chunked") + EMPTY),
    # No coding at all: the request has no body, and what follows is no request.
    refused("coding with an underscore", head(b"transfer_encoding: chunked") + EMPTY, "400 400|422 400"),
    refused("a blank before the name", head(b" transfer-encoding: chunked") + EMPTY),
    # RFC 9112, 6.1: faulty framing, whatever it says; the connection ends after it.
    refused(
        "chunks in HTTP/1.0",
        head(CHUNKED, b"connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0") + EMPTY,
        "400|422|501",
    ),
    refused(
        "chunks and a length in HTTP/1.0",
        head(CHUNKED, INSIDE, b"connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0") + EMPTY,
        "400|422|501",
    ),
    taken("chunked after a tab", head(b"transfer-encoding:\tchunked") + chunks(ROWS)),
    either("chunked before blanks", head(b"transfer-encoding: chunked \t ") + chunks(ROWS)),
    taken("chunked in capitals", head(b"TRANSFER-encoding: CHUNKed") + chunks(ROWS)),
    taken("chunked without a blank", head(b"transfer-encoding:chunked") + chunks(ROWS)),
    taken("a request inside a chunk", get(CHUNKED) + chunks(b"0\r\n\r\n" + SMUGGLED, SMUGGLED)),
)

CHUNKS = (
    *map(
        _chunk_size,
        (
            b"",
            b"-5",
            b"+5",
            b"0x5",
            b"5x",
            b" 5",
            b"5 5",
            b"g",
            b"5\x00",
            b"5\x0b",
            b"_5",
            b"5,5",
            b"\xd9\xa5",
            b";a=b",
        ),
    ),
    _chunk_size(b"5 ", "400|422"),
    _chunk_size(b"5\t", "400|422"),
    _long_chunk(b"30d41"),
    _long_chunk(b"7fffffff"),
    _long_chunk(b"80000005"),
    _long_chunk(b"100000005"),
    _long_chunk(b"7fffffffffffffff"),
    _long_chunk(b"ffffffffffffffff"),
    _long_chunk(b"10000000000000005"),
    _chunk_size(b"f" * 1000, "400|413|431"),
    _chunk_size(b"5;a\x00", "400"),
    _chunk_size(b"5;a\nb", "400"),
    _chunk_size(b"5;a\rb", "400"),
    _chunk_size(b'5;a="\n"', "400"),
    _chunk_size(b"5\n12345\r\n0\r\n\r\n", "400"),
    # RFC 9112, 7.1.1: the length of chunk extensions ought to be limited.
    *(
        _chunked_end(f"a chunk size of 1 MB: {line[:9]!r}", line + b"\r\n%b\r\n" % ROWS + EMPTY, "400|413|431")
        for line in (
            SIZE + b";" + b"a" * 1_000_000,
            SIZE + b";a=" + b"b" * 1_000_000,
            SIZE + b';a="' + b"b" * 1_000_000 + b'"',
            SIZE + b";a" * 500_000,
            b"0" * 1_000_000 + SIZE,
        )
    ),
    _chunked_end(
        "1,000 chunks with 1,000 bytes of extension each",
        b"".join(b"1;%b\r\n%c\r\n" % (b"e" * 1000, byte) for byte in ROWS.ljust(1000)) + EMPTY,
        "400|413|431",
    ),
    _chunked_end("chunk without its end", b"5\r\n123450\r\n\r\n"),
    _chunked_end("chunk longer than its size", b"5\r\n123456\r\n0\r\n\r\n"),
    _chunked_end("chunk that ends with a line feed", b"5\r\n12345\n0\r\n\r\n"),
    _chunked_end("chunk that ends with a carriage return", b"5\r\n12345\r0\r\n\r\n"),
    _chunked_end("chunk size that ends with a line feed", b"5\n12345\r\n0\r\n\r\n"),
    _chunked_end("chunk size that ends with a carriage return", b"5\r12345\r\n0\r\n\r\n"),
    _chunked_end("last chunk that ends with a line feed", b"5\r\n12345\r\n0\n\r\n"),
    _chunked_end("chunks that end with line feeds", b"5\r\n12345\r\n0\r\n\n"),
    _chunked_end("chunks that end with bare carriage returns", b"5\r\n12345\r\n0\r\n\rGET"),
    _chunked_end("empty line before a chunk", b"\r\n5\r\n12345\r\n0\r\n\r\n"),
    _chunked_end("folded trailer", b"5\r\n12345\r\n0\r\nx: y\r\n z\r\n\r\n"),
    _chunked_end("trailer without a colon", b"5\r\n12345\r\n0\r\nx\r\n\r\n"),
    _chunked_end("trailer with a null byte", b"5\r\n12345\r\n0\r\nx: \x00\r\n\r\n"),
    _chunked_end("trailer behind a bare line feed", b"5\r\n12345\r\n0\r\nx: y\nz: y\r\n\r\n"),
    _chunked_end("trailers over the bound", b"5\r\n12345\r\n0\r\n" + b"x: y\r\n" * 2000 + b"\r\n", "431"),
    _chunked_end("one trailer over the bound", b"5\r\n12345\r\n0\r\nx: " + b"y" * 9000 + b"\r\n\r\n", "431"),
    taken("chunk size with leading zeros", head(CHUNKED) + b"000%x\r\n%b\r\n000\r\n\r\n" % (len(ROWS), ROWS)),
    taken("chunk size in capitals", head(CHUNKED) + b"%X\r\n%b\r\n0\r\n\r\n" % (len(ROWS), ROWS)),
    taken("chunks of one byte", head(CHUNKED) + chunks(*(ROWS[at : at + 1] for at in range(len(ROWS))))),
    taken("chunk extensions", head(CHUNKED) + b'%x;a;b=c;d="e"\r\n%b\r\n0;f\r\n\r\n' % (len(ROWS), ROWS)),
    either("trailers that would frame", _with_trailers(b"content-length: 999", b"host: b", b"connection: close")),
    either("a trailer that would chunk", _with_trailers(CHUNKED)),
    either("a trailer with another id", _with_trailers(b"x-request-id: smuggled")),
)

FRAMING_ATTACKS: tuple[Attack, ...] = (*LENGTHS, *CODINGS, *CHUNKS)
