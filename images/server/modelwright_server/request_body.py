"""The body of a request, if it comes in a form that is read here."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from modelwright_server.problems import Problem

JSON_TYPES = frozenset({b"application/json", b"application/x-www-form-urlencoded"})
"""`curl -d` without a header says form; what it sends is the JSON that its user wrote."""

CSV_TYPES = frozenset({b"text/csv"})
TENSOR_TYPES = JSON_TYPES | {b"application/octet-stream"}


def media_type_of(headers: Mapping[bytes, bytes], taken: frozenset[bytes]) -> bytes:
    """The media type of a body that isn't compressed; JSON where none is named. Raises Problem 415 for others."""
    if b"content-encoding" in headers:
        coding = headers[b"content-encoding"].strip().lower()
        if coding != b"identity":
            raise Problem(f"Content-Encoding is {_said(coding)}; send the body uncompressed", 415)
    given = headers.get(b"content-type", b"application/json")
    if given in taken:
        return given
    media_type = given.partition(b";")[0].strip().lower()
    if media_type in taken:
        return media_type
    named = " or ".join(sorted(kind.decode("ascii") for kind in taken if kind != b"application/x-www-form-urlencoded"))
    raise Problem(f"Content-Type is {_said(media_type)}, must be {named}", 415)


def parse_json(body: bytes | memoryview) -> object:
    """A JSON document; Problem 400 for anything else (also NaN, invalid UTF-8, and more than 1024 levels)."""
    try:
        document: object = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise Problem(f"the body is no JSON: {problem}", 400) from None
    return document


def _said(value: bytes) -> str:
    return value.decode("latin-1")[:64]
