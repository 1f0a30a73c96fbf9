"""Other protocols, frames and header blocks that break HTTP/2 (RFC 9113) and HPACK (RFC 7541)."""

from .grpc_attack import HEAD, LAST_WORD, RIGHT, GrpcAttack, breaks, goes_on
from .http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    LARGEST_FRAME,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    field,
    fields,
    frame,
    headers,
    message,
    number,
    settings,
)


def _block(name: str, block: bytes) -> GrpcAttack:
    """A header block that can't be read."""
    return breaks(f"header block: {name}", headers(block))


def _reset_call(stream: int) -> bytes:
    """A call that is taken back at once."""
    return headers(fields(), stream) + frame(RST_STREAM, 0, stream, b"\0\0\0\x08")


OTHER_PROTOCOLS = (
    GrpcAttack("HTTP/1.1", b"GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n"),
    GrpcAttack("HTTP/1.1 with an upgrade", b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"),
    GrpcAttack("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2),
    GrpcAttack("null bytes", b"\x00" * 1000),
    GrpcAttack("all bytes", bytes(range(256)) * 100),
    GrpcAttack("a wrong preface", PREFACE[:-1] + b"x" + settings()),
    GrpcAttack("no preface", settings()),
    GrpcAttack("the preface twice", PREFACE + PREFACE + settings()),
    GrpcAttack("no settings", PREFACE + HEAD + LAST_WORD),
    GrpcAttack("an acknowledgement instead of settings", PREFACE + frame(SETTINGS, ACK) + HEAD + LAST_WORD),
    GrpcAttack("a ping before settings", PREFACE + frame(PING, payload=b"12345678")),
)

FRAMES = (
    breaks("a frame of 2^24 - 1 bytes", frame(DATA, 0, 1, length=2**24 - 1)),
    breaks("a frame of 16,385 bytes", HEAD, frame(DATA, 0, 1, b"x" * (LARGEST_FRAME + 1))),
    breaks("settings on a stream", frame(SETTINGS, 0, 1)),
    breaks("settings of 5 bytes", frame(SETTINGS, payload=b"12345")),
    breaks("an acknowledgement with settings", frame(SETTINGS, ACK, 0, b"123456")),
    breaks("a window of 2^31", settings((4, 2**31))),
    breaks("frames of 100 bytes", settings((5, 100))),
    breaks("frames of 2^24", settings((5, 2**24))),
    breaks("a push setting of 2", settings((2, 2))),
    breaks("a ping of 7 bytes", frame(PING, payload=b"1234567")),
    breaks("a ping on a stream", frame(PING, 0, 1, b"12345678")),
    breaks("a window that grows by 0", frame(WINDOW_UPDATE, payload=b"\0\0\0\0")),
    breaks("a window update of 3 bytes", frame(WINDOW_UPDATE, payload=b"\0\0\1")),
    breaks("a window beyond 2^31 - 1", frame(WINDOW_UPDATE, payload=b"\x7f\xff\xff\xff")),
    breaks("a window of an idle stream", frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\1")),
    breaks("a reset of stream 0", frame(RST_STREAM, 0, 0, b"\0\0\0\1")),
    breaks("a reset of an idle stream", frame(RST_STREAM, 0, 1, b"\0\0\0\1")),
    breaks("a reset of 3 bytes", HEAD, frame(RST_STREAM, 0, 1, b"\0\0\1")),
    breaks("a priority of stream 0", frame(PRIORITY, payload=b"\0\0\0\0\0")),
    breaks("a promise", HEAD, frame(PUSH_PROMISE, END_HEADERS, 1, b"\0\0\0\2" + fields())),
    breaks("a GOAWAY on a stream", frame(GOAWAY, 0, 1, b"\0" * 8)),
    breaks("a continuation of nothing", frame(CONTINUATION, END_HEADERS, 1, b"")),
    breaks("a continuation of a whole head", HEAD, frame(CONTINUATION, END_HEADERS, 1, b"")),
    breaks("a head that is interrupted", headers(fields(), flags=0), frame(PING, payload=b"12345678")),
    breaks("a head that goes on elsewhere", headers(fields(), flags=0), frame(CONTINUATION, END_HEADERS, 3)),
    breaks("an endless head", headers(b"", flags=0), frame(CONTINUATION, 0, 1, b"x" * 16000) * 1000),
    breaks("an endless empty head", headers(b"", flags=0), frame(CONTINUATION, 0, 1) * 100_000),
    breaks("a head on stream 0", headers(fields(), 0)),
    breaks("a head on an even stream", headers(fields(), 2)),
    breaks("streams that count down", headers(fields(), 5), headers(fields(), 3)),
    breaks("data on stream 0", frame(DATA, 0, 0, b"x")),
    breaks("data on an idle stream", frame(DATA, 0, 1, b"x")),
    breaks("padding longer than data", HEAD, frame(DATA, PADDED, 1, b"\x05abcd")),
    breaks("padding of nothing", HEAD, frame(DATA, PADDED, 1)),
    breaks("padding longer than a head", frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + fields())),
    breaks("a priority longer than its head", frame(HEADERS, END_HEADERS | WITH_PRIORITY, 1, b"\0\0\0")),
    breaks("100,000 settings", settings() * 100_000),
    breaks("100,000 pings", frame(PING, payload=b"12345678") * 100_000),
    breaks("100,000 priorities", frame(PRIORITY, 0, 1, b"\0\0\0\0\0") * 100_000),
    breaks("100,000 empty pieces of data", HEAD, frame(DATA, 0, 1) * 100_000),
    breaks("100,000 unknown frames", frame(0xFA, payload=b"x") * 100_000),
    breaks("100,000 windows that grow by 1", frame(WINDOW_UPDATE, payload=b"\0\0\0\1") * 100_000),
    goes_on("an unknown frame", frame(0xFA, 0xFF, 7, b"anything")),
    goes_on("unknown settings", settings((0xFAFA, 7), (1, 0), (3, 0), (6, 0))),
    goes_on("a GOAWAY", frame(GOAWAY, payload=b"\0" * 8)),
    goes_on("a ping that was never sent is acknowledged", frame(PING, ACK, 0, b"12345678")),
    goes_on("a priority of itself", frame(PRIORITY, 0, 1, b"\0\0\0\1\0")),
    goes_on("a priority of 4 bytes", frame(PRIORITY, 0, 1, b"\0\0\0\0"), outcome="reset 6"),
    goes_on("the reserved bit", frame(DATA | 0xF0, 0, 2**31)),
    goes_on("padding", HEAD, frame(DATA, PADDED | END_STREAM, 1, b"\x03" + message(RIGHT) + b"\0\0\0"), outcome="0"),
    goes_on(
        "a head byte by byte",
        headers(fields()[:1], flags=0),
        *(frame(CONTINUATION, 0, 1, bytes((octet,))) for octet in fields()[1:]),
        frame(CONTINUATION, END_HEADERS, 1),
        LAST_WORD,
        outcome="0",
    ),
    goes_on(
        "data byte by byte",
        HEAD,
        *(frame(DATA, 0, 1, bytes((octet,))) for octet in message(RIGHT)),
        frame(DATA, END_STREAM, 1),
        outcome="0",
    ),
    goes_on("a window of a stream that grows by 0", HEAD, frame(WINDOW_UPDATE, 0, 1, b"\0\0\0\0"), outcome="reset 1"),
    goes_on(
        "a window of a stream beyond 2^31 - 1", HEAD, frame(WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff"), outcome="reset 3"
    ),
    goes_on("a second head", HEAD, HEAD, outcome="reset 1"),
    goes_on("1,000 resets", *map(_reset_call, range(1, 2000, 2))),
    breaks("50,000 resets", *map(_reset_call, range(1, 100_000, 2))),
)

BLOCKS = (
    _block("field 0", b"\x80"),
    _block("a field beyond the table", number(100, 7, 0x80)),
    _block("a name beyond the table", number(100, 4) + b"\x01x"),
    _block("an endless number", b"\xff" + b"\xff" * 20),
    _block("a number of 2^40", number(2**40, 7, 0x80)),
    _block("a text beyond the end", b"\x00\x7e" + b"x" * 10),
    _block("a text of 2^27", b"\x00" + number(2**27, 7) + b"x"),
    _block("half a field", b"\x00\x01x"),
    _block("a Huffman code that ends within a symbol", b"\x00\x81\xfe\x01x"),
    _block("a Huffman code with an end in it", b"\x00\x84\xff\xff\xff\xff\x01x"),
    _block("a Huffman code with zeros behind it", b"\x00\x82\x18\x00\x01x"),
    _block("a table of 4,097 bytes", number(4097, 5, 0x20) + fields()),
    _block("a table size behind a field", fields() + number(0, 5, 0x20)),
    _block("a field that was evicted", b"\x40\x01a\x01b" + number(0, 5, 0x20)),
    _block("10,000 fields", fields() + field(b"x", b"y") * 4000),
    _block("one long field named again and again", b"\x40\x01x" + number(3000, 7) + b"y" * 3000 + b"\xbe" * 10_000),
    breaks(
        "header block: a bomb over many calls",
        headers(fields() + b"\x40\x01x" + number(3000, 7) + b"y" * 3000, 1),
        *(headers(fields() + b"\xbe" * 10_000, 2 * n + 3) for n in range(50)),
    ),
)

HTTP2_ATTACKS: tuple[GrpcAttack, ...] = (*OTHER_PROTOCOLS, *FRAMES, *BLOCKS)
