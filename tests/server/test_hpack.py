"""Header compression: RFC 7541's own examples, and what is not the code of anything."""

import random

import pytest

from modelwright_server.hpack import HeaderBlockError, HeaderDecoder, literal
from modelwright_server.hpack_huffman import huffman_decoded

FIRST = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")]
SECOND = [*FIRST, (b"cache-control", b"no-cache")]
THIRD = [
    *((b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/index.html"), (b":authority", b"www.example.com")),
    (b"custom-key", b"custom-value"),
]


@pytest.mark.parametrize(
    "blocks",
    [
        pytest.param(
            (
                "828684410f7777772e6578616d706c652e636f6d",
                "828684be58086e6f2d6361636865",
                "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
            ),
            id="C.3, without Huffman code",
        ),
        pytest.param(
            (
                "828684418cf1e3c2e5f23a6ba0ab90f4ff",
                "828684be5886a8eb10649cbf",
                "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
            ),
            id="C.4, with Huffman code",
        ),
    ],
)
def test_requests_of_one_connection(blocks: tuple[str, str, str]) -> None:
    decoder = HeaderDecoder(1000)
    assert [decoder.fields(bytes.fromhex(block)) for block in blocks] == [FIRST, SECOND, THIRD]
    assert decoder.changes == 3


def test_the_table_forgets_the_oldest() -> None:
    decoder = HeaderDecoder(100_000)
    long = b"v" * 2000
    for name in (b"a", b"b", b"c"):
        assert decoder.fields(b"\x40" + literal(name, long)[1:]) == [(name, long)]
    assert decoder.fields(b"\xbe\xbf") == [(b"c", long), (b"b", long)]
    with pytest.raises(HeaderBlockError):
        decoder.fields(b"\xc0")
    assert decoder.fields(b"\x20\x82") == [(b":method", b"GET")]
    with pytest.raises(HeaderBlockError):
        decoder.fields(b"\xbe")


def test_a_field_that_is_larger_than_the_table_empties_it() -> None:
    decoder = HeaderDecoder(100_000)
    decoder.fields(b"\x40" + literal(b"a", b"1")[1:])
    decoder.fields(b"\x40" + literal(b"b", b"v" * 5000)[1:])
    with pytest.raises(HeaderBlockError):
        decoder.fields(b"\xbe")


@pytest.mark.parametrize("length", [0, 1, 126, 127, 128, 254, 255, 300, 20_000])
def test_literals_are_read_as_they_were_written(length: int) -> None:
    value = bytes(number % 256 for number in range(length))
    assert HeaderDecoder(30_000).fields(literal(b"name", value)) == [(b"name", value)]


@pytest.mark.parametrize(
    "block",
    [
        pytest.param("80", id="index 0"),
        pytest.param("be", id="an index beyond the table"),
        pytest.param("ffffffffffffffffffff7f", id="an endless integer"),
        pytest.param("ff", id="an integer without its end"),
        pytest.param("400a6375", id="a name without its end"),
        pytest.param("0001", id="a name that is lacking"),
        pytest.param("00016104", id="a value that is lacking"),
        pytest.param("823fe11f", id="a table size after a field"),
        pytest.param("3fe21f", id="a table size above the limit"),
        pytest.param("00016184ffffffff", id="Huffman code with the end of the string"),
        pytest.param("0001618100", id="Huffman code padded with zeros"),
        pytest.param("00016182ffff", id="Huffman code padded with more than seven bits"),
    ],
)
def test_malformed_blocks(block: str) -> None:
    with pytest.raises(HeaderBlockError):
        HeaderDecoder(1000).fields(bytes.fromhex(block))


def test_the_list_is_bounded_as_it_unfolds() -> None:
    decoder = HeaderDecoder(10_000)
    decoder.fields(b"\x40" + literal(b"a", b"v" * 3000)[1:])
    assert len(decoder.fields(b"\xbe" * 3)) == 3
    with pytest.raises(HeaderBlockError, match="over the limit of 10000 bytes"):
        decoder.fields(b"\xbe" * 4)


def test_any_bytes_are_read_or_refused() -> None:
    generator = random.Random(7)
    decoder = HeaderDecoder(10_000)
    read = 0
    for _ in range(20_000):
        block = generator.randbytes(generator.randrange(24))
        try:
            read += bool(decoder.fields(block))
        except HeaderBlockError:
            decoder = HeaderDecoder(10_000)
        try:
            huffman_decoded(block)
        except ValueError:
            read += 1
    assert read > 1000
