"""Bodies that are no JSON, JSON that is too deep, too large or of the wrong form; and the same as CSV."""

import json

from .attack import Attack, taken
from .honest import INFER, MIB, PREDICT, ROW, ROWS, V1, post

HEADER = b"carrier,distance,seats,holiday,sched_dep\n"
LINE = b"AA,733.5,100,false,2026-01-01T10:00:00Z\n"
MANY = 100_000


def _row(column: str, value: bytes) -> bytes:
    """ROW with another value, which need not be JSON."""
    right = json.dumps(json.loads(ROW)[column]).encode()
    return ROW.replace(b'"%b":%b' % (column.encode(), right), b'"%b":%b' % (column.encode(), value))


def _everywhere(name: str, content: bytes, answers: str, says: str = "") -> tuple[Attack, ...]:
    return tuple(
        taken(f"{name}, {path.rpartition('/')[2]}", post(path, content), answers, says) for path in (PREDICT, INFER, V1)
    )


def _rows(name: str, content: bytes, answers: str, says: str = "") -> Attack:
    return taken(name, post(PREDICT, content), answers, says)


def _v1(name: str, content: bytes, answers: str, says: str = "") -> Attack:
    return taken(name, post(V1, content), answers, says)


def _value(column: str, value: bytes, answers: str, says: str = "") -> Attack:
    return _rows(f"{column}: {value[:40]!r}", b"[" + _row(column, value) + b"]", answers, says)


def _csv(name: str, content: bytes, answers: str, says: str = "") -> Attack:
    return taken(f"CSV: {name}", post(PREDICT, content, b"content-type: text/csv"), answers, says)


NO_JSON = tuple(
    attack
    for name, content in (
        ("nothing", b""),
        ("blanks", b" \t\r\n" * 1000),
        ("8 MiB of blanks", b" " * (8 * MIB - 1)),
        ("a null byte", b"\x00"),
        ("null bytes", b"\x00" * MIB),
        ("all bytes", bytes(range(256))),
        ("10^6 lists", b"[" * 1_000_000),
        ("10^6 lists, closed", b"[" * 1_000_000 + b"]" * 1_000_000),
        ("10^6 objects", b'{"a":' * 1_000_000),
        ("10^6 objects, closed", b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000),
        ("1,025 lists", b"[" * 1025 + b"]" * 1025),
        ("10^6 closing brackets", b"]" * 1_000_000),
        ("10^6 commas", b"[" + b"," * 1_000_000 + b"]"),
        ("10^6 quotes", b'"' * 1_000_000),
        ("10^6 backslashes", b'"' + b"\\" * 1_000_001 + b'"'),
        ("an endless text", b'"' + b"a" * 1_000_000),
        ("an open list", b"[1"),
        ("an open object", b'{"a"'),
        ("a comma too much", b"[1,]"),
        ("two documents", ROWS + ROWS),
        ("garbage behind it", ROWS + b"x"),
        ("a null byte behind it", ROWS + b"\x00"),
        ("a comment", b"/**/" + ROWS),
        ("single quotes", b"[{'a':1}]"),
        ("no quotes", b"[{a:1}]"),
        ("NaN", b"[NaN]"),
        ("Infinity", b"[Infinity]"),
        ("-Infinity", b"[-Infinity]"),
        ("nan", b"[nan]"),
        ("a leading zero", b"[01]"),
        ("a leading plus", b"[+1]"),
        ("a leading point", b"[.5]"),
        ("a point without digits", b"[1.]"),
        ("an exponent without digits", b"[1e]"),
        ("a hexadecimal number", b"[0x10]"),
        ("an underscore", b"[1_000]"),
        ("a lone minus", b"[-]"),
        ("1e400", b"[1e400]"),
        ("-1e400", b"[-1e400]"),
        ("invalid UTF-8", b'["\xff"]'),
        ("overlong UTF-8", b'["\xc0\xaf"]'),
        ("surrogates as UTF-8", b'["\xed\xa0\x80"]'),
        ("UTF-8 that ends early", b'["\xc3"]'),
        ("beyond Unicode", b'["\xf4\x90\x80\x80"]'),
        ("a lone surrogate", b'["\\ud800"]'),
        ("a lone low surrogate", b'["\\udc00"]'),
        ("surrogates the wrong way round", b'["\\udc00\\ud800"]'),
        ("half an escape", b'["\\u00"]'),
        ("an unknown escape", b'["\\x41"]'),
        ("a line feed in a text", b'["a\nb"]'),
        ("a null byte in a text", b'["a\x00b"]'),
        ("a byte order mark", b"\xef\xbb\xbf" + ROWS),
        ("UTF-16", ROWS.decode().encode("utf-16")),
        ("UTF-32", ROWS.decode().encode("utf-32")),
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x8b\x8e\x05\x00"),
        ("XML", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
        ("a form", b"rows=1&rows=2"),
        ("pickle", b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94K\x01a."),
    )
    for attack in _everywhere(name, content, "400", "the body is no JSON")
)

WRONG_FORM = tuple(
    attack
    for name, content in (
        ("null", b"null"),
        ("true", b"true"),
        ("a number", b"1"),
        ("a huge number", b"1" * 300),
        ("a text", b'"' + b"a" * MIB + b'"'),
        ("an empty list", b"[]"),
        ("an empty object", b"{}"),
        ("a list of null", b"[null]"),
        ("a list of numbers", b"[1,2,3]"),
        ("a list of lists", b"[[1,2]]"),
        ("an object with an empty name", b'{"":[]}'),
        ("rows that are null", b'{"rows":null,"inputs":null,"instances":null}'),
        ("rows that are an object", b'{"rows":{},"inputs":{},"instances":{}}'),
        ("rows that are a text", b'{"rows":"a","inputs":"a","instances":"a"}'),
        ("no rows", b'{"rows":[],"inputs":[],"instances":[]}'),
        ("rows of null", b'{"rows":[null],"inputs":[null],"instances":[null]}'),
        ("rows of numbers", b'{"rows":[1],"inputs":[1],"instances":[1]}'),
        ("rows of empty objects", b'{"rows":[{}],"inputs":[{}],"instances":[{}]}'),
        ("rows of empty lists", b'{"rows":[[]],"inputs":[[]],"instances":[[]]}'),
        ("1,000 levels", b'{"rows":%b,"inputs":%b,"instances":%b}' % ((b"[" * 1000 + b"]" * 1000,) * 3)),
        (
            "1,000 levels of objects",
            b'{"rows":[%b],"inputs":[%b],"instances":[%b]}' % ((b'{"a":' * 900 + b"1" + b"}" * 900,) * 3),
        ),
    )
    for attack in _everywhere(name, content, "422")
)

VALUES = (
    _value("distance", b"-0", "200"),
    _value("distance", b"-0.0", "200"),
    _value("distance", b"1e-400", "200"),
    _value("distance", b"1e308", "200"),
    _value("distance", b"-1e308", "200"),
    _value("distance", b"9007199254740993", "200"),
    _value("distance", b"18446744073709551616", "200"),
    _value("distance", b"0." + b"1" * 100_000, "200"),
    _value("distance", b"1" * 100_000, "400|422"),
    _value("distance", b"1" * 300, "200"),
    _value("distance", b"1e400", "400"),
    _value("distance", b"NaN", "400"),
    _value("distance", b"true", "422", 'row 1, column "distance"'),
    _value("distance", b'"1"', "422", 'row 1, column "distance"'),
    _value("distance", b'"NaN"', "422", 'row 1, column "distance"'),
    _value("distance", b"[1]", "422", 'row 1, column "distance"'),
    _value("distance", b"[" * 900 + b"]" * 900, "422", 'row 1, column "distance"'),
    _value("distance", b'{"a":1}', "422", 'row 1, column "distance"'),
    _value("distance", b'"' + b"a" * MIB + b'"', "422", 'row 1, column "distance"'),
    _value("seats", b"9223372036854775807", "200"),
    _value("seats", b"9223372036854775808", "422", 'row 1, column "seats"'),
    _value("seats", b"-9223372036854775808", "200"),
    _value("seats", b"-9223372036854775809", "422", 'row 1, column "seats"'),
    _value("seats", b"-9223372036854777856", "422", 'row 1, column "seats"'),
    _value("seats", b"1.5", "422", 'row 1, column "seats"'),
    _value("seats", b"1e300", "422", 'row 1, column "seats"'),
    _value("seats", b"true", "422", 'row 1, column "seats"'),
    _value("seats", b"3.0", "200"),
    _value("holiday", b"1", "422", 'row 1, column "holiday"'),
    _value("holiday", b'"true"', "422", 'row 1, column "holiday"'),
    _value("carrier", b"1", "422", 'row 1, column "carrier"'),
    _value("carrier", b"true", "422", 'row 1, column "carrier"'),
    _value("carrier", b'""', "200"),
    _value("carrier", b'"\\u0000"', "200"),
    _value("carrier", b'"' + b"a" * MIB + b'"', "200"),
    _value("carrier", b'"\\ud83d\\ude00' + "é".encode() * 1000 + b'"', "200"),
    _value("sched_dep", b'""', "422", 'row 1, column "sched_dep"'),
    _value("sched_dep", b'"2026-02-30"', "422", 'row 1, column "sched_dep"'),
    _value("sched_dep", b'"' + b"9" * 100_000 + b'"', "422", 'row 1, column "sched_dep"'),
    _value("sched_dep", b'"0001-01-01T00:00:00+14:00"', "200|422"),
    _value("sched_dep", b'"9999-12-31T23:59:59.999999-14:00"', "200|422"),
    _value("sched_dep", b"1767261600", "422", 'row 1, column "sched_dep"'),
    _rows("the same key twice", b"[" + ROW[:-1] + b',"distance":"x"}]', "422", 'column "distance"'),
    _rows("an unknown key 100,000 times", b"[{" + b'"x":1,' * MANY + ROW[1:] + b"]", "200"),
    _rows("100,000 unknown keys", b"[{" + b"".join(b'"k%d":1,' % key for key in range(MANY)) + ROW[1:] + b"]", "200"),
    _rows("a name of 1 MiB", b'[{"' + b"n" * MIB + b'":1}]', "422", "is missing"),
    _rows("a missing column", b'[{"carrier":"AA"}]', "422", "row 1"),
    _rows("a row that is no object", b"[" + ROW + b",[1]]", "422", "row 2"),
    _rows("8 MiB of blanks within", b"[" + b" " * (8 * MIB - 500) + ROW + b"]", "200"),
    _rows("10,001 rows", b"[" + b",".join([ROW] * 10_001) + b"]", "413", "10000"),
    _rows("500,000 empty rows", b"[" + b",".join([b"{}"] * 500_000) + b"]", "413", "10000"),
    _v1("10,001 instances", b'{"instances":[' + b",".join([b"[1,2,3,4,5]"] * 10_001) + b"]}", "413", "10000"),
    _v1("instances of two kinds", b'{"instances":[[1,2,3,4,5],' + ROW + b"]}", "422", "row 2"),
    _v1("instances of two kinds, turned", b'{"instances":[' + ROW + b",[1,2,3,4,5]]}", "422", "row 2"),
    _v1("instances of another width", b'{"instances":[[1,2,3,4,5],[1,2,3,4]]}', "422", "row 2"),
    _v1("instances with true", b'{"instances":[[1,2,3,4,true]]}', "422", "row 1"),
    _v1("instances with a text", b'{"instances":[[1,2,3,4,"5"]]}', "422", "row 1"),
    _v1("instances with a list", b'{"instances":[[1,2,3,4,[5]]]}', "422", "row 1"),
    _v1("instances with 1e400", b'{"instances":[[1,2,3,4,1e400]]}', "400"),
)

CSVS = (
    _csv("nothing", b"", "4(00|22)"),
    _csv("a header only", HEADER, "422"),
    _csv("1,000,000 empty lines", HEADER + b"\n" * 1_000_000 + LINE, "200"),
    _csv("an open quote", HEADER + b'"AA,1,1,true,2026-01-01\n', "400"),
    _csv("a quote within", HEADER + b'A"A"x,1,1,true,2026-01-01\n', "400|200"),
    _csv("a null byte", HEADER + b"\x00" + LINE, "400|422|200"),
    _csv("null bytes", b"\x00" * MIB, r"4\d\d"),
    _csv("a bare carriage return", HEADER.replace(b"\n", b"\r") + LINE, "200|400"),
    _csv("a cell too few", HEADER + b"AA,1,1,true\n", "4(00|22)", "row 1"),
    _csv("a cell too many", HEADER + LINE + b"AA,1,1,true,2026-01-01,x\n", "4(00|22)", "row 2"),
    _csv("a cell of 1 MiB", HEADER + LINE.replace(b"AA", b"a" * MIB), "200|400"),
    _csv("1,000,000 cells", HEADER + b"," * 1_000_000, r"4\d\d"),
    _csv("1,000,000 columns", b"," * 1_000_000 + b"\n" + b"," * 1_000_000, r"4\d\d"),
    _csv("a column twice", b"distance," + HEADER + b"1," + LINE, "422", "distance"),
    _csv("a missing column", b"a,b\n1,2\n", "422", "is missing"),
    _csv("Latin-1", HEADER + LINE.replace(b"AA", b"\xdc"), "400", "UTF-8"),
    _csv("UTF-16", (HEADER + LINE).decode().encode("utf-16"), "400", "UTF-8"),
    _csv("a byte order mark", b"\xef\xbb\xbf" + HEADER + LINE, "200"),
    _csv("10,001 rows", HEADER + LINE * 10_001, "413", "10000"),
    _csv("1e400", HEADER + LINE.replace(b"733.5", b"1e400"), "200|422"),
    _csv("an underscore", HEADER + LINE.replace(b"733.5", b"1_0"), "422", 'row 1, column "distance"'),
    _csv("a text for a number", HEADER + LINE.replace(b"733.5", b"x"), "422", 'row 1, column "distance"'),
    _csv("a number of 100,000 digits", HEADER + LINE.replace(b",100,", b"," + b"1" * 100_000 + b","), "422", "seats"),
)

JSON_ATTACKS: tuple[Attack, ...] = (*NO_JSON, *WRONG_FORM, *VALUES, *CSVS)
