"""The path that a request target names (RFC 9112, section 3.2)."""

from urllib.parse import unquote_to_bytes

import httptools


def path_of(target: bytes) -> str | None:
    """The percent-decoded path of an origin-form or absolute-form target, without its query; None if unreadable."""
    if target[:1] == b"/":
        path = target.partition(b"?")[0]
    else:
        try:
            path = httptools.parse_url(target).path or b"/"
        except httptools.HttpParserInvalidURLError:
            return None
    try:
        return (unquote_to_bytes(path) if b"%" in path else path).decode("utf-8")
    except UnicodeDecodeError:
        return None
