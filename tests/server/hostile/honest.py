"""The model that is attacked, and honest requests to it."""

NAME = "band"
PREDICT = f"/v2/models/{NAME}/predict"
INFER = f"/v2/models/{NAME}/infer"
V1 = f"/v1/models/{NAME}:predict"
MIB = 1024 * 1024

ROW = b'{"carrier":"AA","distance":733.5,"seats":100,"holiday":false,"sched_dep":"2026-01-01T10:00:00Z"}'
ROWS = b"[" + ROW + b"]"

LIVE = b"GET /v2/health/live HTTP/1.1\r\nhost: a\r\n\r\n"
LAST = b"GET /v2/health/live HTTP/1.1\r\nhost: a\r\nx-request-id: last\r\nconnection: close\r\n\r\n"
"""Ends its connection."""


def post(path: str, body: bytes, *fields: bytes, length: int | None = None) -> bytes:
    """A POST; `length` lies about the body's length."""
    size = len(body) if length is None else length
    return head(b"content-length: %d" % size, *fields, target=path) + body


def head(*fields: bytes, target: str = PREDICT) -> bytes:
    """The head of a POST with these header lines beside Host."""
    return b"\r\n".join((f"POST {target} HTTP/1.1".encode(), b"host: a", *fields)) + b"\r\n\r\n"


def get(*fields: bytes, target: bytes = b"/v2/health/live", version: bytes = b"HTTP/1.1") -> bytes:
    """A GET with these header lines beside Host."""
    return b"\r\n".join((b"GET " + target + b" " + version, b"host: a", *fields)) + b"\r\n\r\n"


def chunks(*parts: bytes) -> bytes:
    """A chunked body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
