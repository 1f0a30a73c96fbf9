"""Request lines, targets and header fields that are malformed or too large, and other protocols' first words."""

from .attack import SMUGGLED, Attack, either, refused, taken
from .honest import LAST, LIVE, PREDICT, ROWS, chunks, get, head, post

LENGTH = b"content-length: %d" % len(ROWS)
CHUNKED = b"transfer-encoding: chunked"


def _line(line: bytes, answers: str = "400") -> Attack:
    return refused(f"request line {line[:60]!r}", line + b"\r\nhost: a\r\n\r\n", answers)


def _target(target: bytes, answers: str) -> Attack:
    """A target that is read and answered with an error, and the request behind it is answered."""
    return taken(f"target {target[:60]!r}", get(target=target), answers)


def _unreadable(target: bytes, answers: str = "400") -> Attack:
    return refused(f"target {target[:60]!r}", get(target=target), answers)


def _field(line: bytes, answers: str = "400") -> Attack:
    return refused(f"header line {line[:60]!r}", get(line), answers)


def _kept(line: bytes, answers: str = "200") -> Attack:
    return taken(f"header line {line[:60]!r}", get(line), answers)


def _host(line: bytes) -> Attack:
    return refused(f"{line!r}", b"GET /v2/health/live HTTP/1.1\r\n" + line + b"\r\n\r\n")


def _foreign(name: str, sent: bytes, answers: str = "400|505") -> Attack:
    return refused(name, sent, answers)


REQUEST_LINES = (
    *map(
        _line,
        (
            b"GET",
            b"GET ",
            b"GET\t/v2/health/live\tHTTP/1.1",
            b" GET /v2/health/live HTTP/1.1",
            b"\tGET /v2/health/live HTTP/1.1",
            b"GET /v2/health/live HTTP/1.1 ",
            b"GET /v2/health/live HTTP/1.1\x00",
            b"GET /v2/health/live HTTP/1.1 HTTP/1.1",
            b"GET /v2/health/live http/1.1",
            b"GET /v2/health/live HTTP/1,1",
            b"GET /v2/health/live HTTP/1.",
            b"GET /v2/health/live HTTP/.1",
            b"GET /v2/health/live HTTP/",
            b"GET /v2/health/live HTTP",
            b"GET /v2/health/live HTTP/01.1",
            b"GET /v2/health/live HTTP/1.01",
            b"GET /v2/health/live HTTP/11.1",
            b"GET /v2/health/live HTTP/1.10",
            b"GET /v2/health/live HTTP/-1.1",
            b"GET /v2/health/live HTTP/ 1.1",
            b"GET /v2/health/live HTTP /1.1",
            b"GET /v2/health/live HTTPS/1.1",
            b"GET /v2/health/live\x0bHTTP/1.1",
            b"GET /v2/health/live\rHTTP/1.1",
            b"G\x00T /v2/health/live HTTP/1.1",
            b"G\xc3\x89T /v2/health/live HTTP/1.1",
            b"GET /v2/health/live HTTP/1.1\r",
            b": / HTTP/1.1",
            b"{} / HTTP/1.1",
        ),
    ),
    _line(b"GET /v2/health/live", "400|505"),
    either("two blanks before the target", LIVE.replace(b"GET ", b"GET  ")),
    either("two blanks behind the target", LIVE.replace(b"live ", b"live  ")),
    _line(b"GET /v2/health/live HTTP/1.2", "400|505"),
    _line(b"GET /v2/health/live HTTP/1.9", "400|505"),
    _line(b"GET /v2/health/live HTTP/0.9", "400|505"),
    _line(b"GET /v2/health/live HTTP/2.0", "400|505"),
    _line(b"GET /v2/health/live HTTP/3.0", "400|505"),
    _line(b"GET /v2/health/live HTTP/9.9", "400|505"),
    _line(b"get /v2/health/live HTTP/1.1", "400|405|501"),
    _line(b"FOO /v2/health/live HTTP/1.1", "400|405|501"),
    _line(b"X" * 3000 + b" /v2/health/live HTTP/1.1", "400|405|501"),
    _line(b"X" * 9000 + b" /v2/health/live HTTP/1.1", "400|431|501"),
    _line(b"PRI / HTTP/1.1", "400|405|501"),
    _line(b"CONNECT a:80 HTTP/1.1", r"4\d\d|501"),
    _line(b"CONNECT / HTTP/1.1", r"4\d\d|501"),
    taken("an empty line first", b"\r\n" + LIVE),
    either("many empty lines first", b"\r\n" * 500_000 + LIVE),
    either("bare line feeds first", b"\n" * 10 + LIVE),
    either("bare carriage returns first", b"\r" * 10 + LIVE),
    *(
        taken(f"{method.decode()} is not taken", LIVE.replace(b"GET", method), "405")
        for method in (b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE")
    ),
)

TARGETS = (
    _target(b"http://a/v2/health/live", "200"),
    _target(b"http://elsewhere:99/v2/health/live?a=b", "200"),
    _target(b"HTTP://A/v2/health/live", "200|404"),
    _target(b"/v2/health/live?" + b"q" * 3000, "200"),
    _target(b"/v2/health/%6Cive", "200"),
    _target(b"*", "400|404|405"),
    _target(b"/v2/../v2/health/live", "400|404"),
    _target(b"/v2/%2e%2e/v2/health/live", "400|404"),
    _target(b"//v2/health/live", "400|404"),
    _target(b"/v2//health/live", "400|404"),
    _target(b"/v2/health/live/", "400|404"),
    _target(b"/v2/health/live;a", "400|404"),
    _target(b"/v2/health\\live", "400|404"),
    _target(b"/v2/health%2flive", "200|400|404"),
    _target(b"/v2/health/live%00", "400|404"),
    _target(b"/%00", "400|404"),
    _target(b"/%0d%0ax-injected:%20y", "400|404"),
    _target(b"/%", "400|404"),
    _target(b"/%zz", "400|404"),
    _target(b"/%u0041", "400|404"),
    _target(b"/" + b"%41" * 1000, "404"),
    _target(b"/v2/models/" + b"m" * 3000 + b"/infer", "404"),
    either("target with raw UTF-8", get(target="/Ü".encode()), "404"),
    _unreadable(b"/%c0%af"),
    _unreadable(b"/%ed%a0%80"),
    _unreadable(b"/%ff"),
    _unreadable(b"/\xff"),
    _unreadable(b"/\x00"),
    _unreadable(b"/\x01"),
    _unreadable(b"/\x7f"),
    _unreadable(b"/a\tb"),
    _unreadable(b""),
    _unreadable(b"a:80"),
    _unreadable(b"v2/health/live"),
    _unreadable(b"?a"),
    _unreadable(b"http:"),
    _unreadable(b"http://"),
    _unreadable(b"http:///v2/health/live"),
    _unreadable(b"http://a:b:c/v2/health/live"),
    _unreadable(b"http://a:99999999/v2/health/live"),
    _unreadable(b"://a/v2/health/live"),
    _unreadable(b"/" + b"t" * 65536, "414|431"),
    _unreadable(b"http://" + b"t" * 65536 + b"/", "414|431"),
    _unreadable(b"/?" + b"q" * 1_000_000, "414|431"),
)

FIELDS = (
    *map(
        _field,
        (
            b": y",
            b"x",
            b" x: y",
            b"\tx: y",
            b"x : y",
            b"x\t: y",
            b"x y: z",
            b"x\x00: y",
            b"x\x01: y",
            b"x\x7f: y",
            b"x\xff: y",
            b"(x): y",
            b"x[]: y",
            b'"x": y',
            b"\xef\xbb\xbfx: y",
            b"x: \x00",
            b"x: y\x00",
            b"x: \x01",
            b"x: \x7f",
            b"x: y\rz",
            b"x: y\r\r\nz: y",
            b"x: y\nz: y",
            b"x: y\n",
            b"x\r\n: y",
            b"x: y\r\n z",
            b"x: y\r\n\tz",
            b"x: y\r\n ",
        ),
    ),
    _kept(b"x:"),
    _kept(b"x: \t \t"),
    _kept(b"x: \xff\xfe"),
    _kept(b"x: \t y\tz \t"),
    _kept(b"x_y!#$%&'*+-.^`|~1: z"),
    _kept(b"origin: http://elsewhere"),
    _kept(b"cookie: " + b"c" * 3000),
    _kept(b"connection: x-request-id, host"),
    _kept(b"connection: content-length"),
    _kept(b"connection: keep-alive, x"),
    _kept(b"x-request-id: \xff"),
    _kept(b"x-request-id: a b"),
    _kept(b"x-request-id: " + b"i" * 3000),
    _kept(b"x-request-id: a\r\nx-request-id: b"),
    _kept(b"accept-encoding: gzip, br"),
    _kept(b"range: bytes=0-99999999999999999999"),
    _kept(b"if-modified-since: never"),
    _kept(b"x-forwarded-host: b\r\nforwarded: host=b"),
    _kept(b"\r\n".join([b"x: y"] * 100)),
    _kept(b"\r\n".join(b"x%d: y" % number for number in range(100))),
    refused("connection: close", get(b"connection: close"), "200"),
    refused("connection: keep-alive, close", get(b"connection: keep-alive, close"), "200"),
    refused("two connection fields", get(b"connection: keep-alive\r\nconnection: CLOSE"), "200"),
    refused(
        "HTTP/1.0 with close and keep-alive",
        get(b"connection: close", b"connection: keep-alive", version=b"HTTP/1.0"),
        "200",
    ),
    refused("HTTP/1.0 without keep-alive", LIVE.replace(b"HTTP/1.1", b"HTTP/1.0"), "200"),
    _field(b"x: " + b"y" * 5000, "431"),
    _field(b"x" * 5000 + b": y", "431"),
    _field(b"x: " + b"y" * 1_000_000, "431"),
    _field(b"x" * 1_000_000 + b": y", "431"),
    _field(b"x: " + b" " * 1_000_000 + b"y", "431"),
    _field(b"\r\n".join([b"x: y"] * 5000), "431"),
    _field(b"\r\n".join([b"x:"] * 50_000), "431"),
    _field(b"\r\n".join(b"x%d: y" % number for number in range(5000)), "431"),
    _host(b"x: y"),
    _host(b"host: a\r\nhost: a"),
    _host(b"host: a\r\nHOST: b"),
    _host(b"host: a b"),
    _host(b"host: a/b"),
    _host(b"host: a@b"),
    _host(b"host: a\\b"),
    _host(b"host: a\xff"),
    _host(b"host : a"),
    _host(b" host: a"),
    refused("absolute target without Host", b"GET http://a/v2/health/live HTTP/1.1\r\n\r\n"),
)

EXPECTATIONS = (
    taken("expects to go on", head(LENGTH, b"expect: 100-continue") + ROWS),
    taken("expects to go on, in capitals", head(LENGTH, b"EXPECT: 100-Continue") + ROWS),
    taken("expects to go on in HTTP/1.0", get(b"connection: keep-alive", b"expect: 100-continue", version=b"HTTP/1.0")),
    taken("expects to go on without a body", get(b"expect: 100-continue")),
    refused("expects something else", head(LENGTH, b"expect: 200-ok") + ROWS, "417"),
    refused("expects nothing", head(LENGTH, b"expect:") + ROWS, "200|417"),
    refused("expects twice", head(LENGTH, b"expect: 100-continue, 100-continue") + ROWS, "417"),
    refused("expects to go on with too much", head(b"content-length: 200001", b"expect: 100-continue") + ROWS, "413"),
    refused("expects in two fields", head(LENGTH, b"expect: 100-continue", b"expect: x") + ROWS, "417"),
)

HTTP2_SETTINGS = b"http2-settings: AAMAAABkAARAAAAAAAIAAAAA"
FOREIGN = (
    _foreign("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"),
    _foreign("HTTP/0.9", b"GET /v2/health/live\r\n"),
    _foreign("an answer", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    _foreign("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2),
    _foreign("SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
    _foreign("SMTP", b"EHLO a\r\nMAIL FROM:<a@b>\r\n"),
    _foreign("FTP", b"USER anonymous\r\n"),
    _foreign("Redis", b"*1\r\n$4\r\nPING\r\n"),
    _foreign("memcached", b"stats\r\n"),
    _foreign("SOCKS", b"\x05\x01\x00"),
    _foreign("proxy protocol", b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"),
    _foreign("proxy protocol 2", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + b"\x7f\x00\x00\x01" * 3),
    _foreign("RTSP", b"DESCRIBE rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n", r"4\d\d|50[15]"),
    _foreign("RTSP in HTTP's words", b"SETUP /v2/health/live RTSP/1.0\r\nhost: a\r\n\r\n", r"4\d\d|50[15]"),
    _foreign("Icecast", b"SOURCE /v2/health/live ICE/1.0\r\nhost: a\r\n\r\n", r"4\d\d|50[15]"),
    either("SSDP", b"M-SEARCH * HTTP/1.1\r\nhost: 239.255.255.250:1900\r\n\r\n", r"4\d\d|501"),
    _foreign("null bytes", b"\x00" * 1000),
    _foreign("all bytes", bytes(range(256))),
    _foreign("byte order mark", b"\xef\xbb\xbf" + LIVE),
    # Offers that aren't taken up: each is answered in HTTP/1.1, with its body.
    taken("WebSocket", get(b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-version: 13")),
    taken("h2c", get(b"connection: upgrade, http2-settings", b"upgrade: h2c", HTTP2_SETTINGS)),
    taken("h2c with a body", head(LENGTH, b"connection: upgrade", b"upgrade: h2c") + ROWS),
    taken("h2c with chunks", head(CHUNKED, b"connection: upgrade", b"upgrade: h2c") + chunks(ROWS)),
    taken("an upgrade that the connection doesn't name", get(b"upgrade: h2c")),
)


def _padded_head(size_bytes: int) -> bytes:
    """A head of exactly this size, from its first byte to the empty line's last."""
    return get(b"x: " + b"y" * (size_bytes - len(get(b"x: "))))


BOUNDS = (
    taken("a head as long as the bound", _padded_head(4096)),
    refused("a head over the bound", _padded_head(4200), "431"),
    taken("a body as long as the bound", post(PREDICT, ROWS + b" " * (200_000 - len(ROWS)))),
    refused("a body over the bound", post(PREDICT, ROWS + b" " * (200_001 - len(ROWS))), "413"),
    taken("chunks as long as the bound", head(CHUNKED) + chunks(ROWS, *([b" " * (200_000 - len(ROWS) >> 1)] * 2))),
    refused("chunks over the bound", head(CHUNKED) + chunks(ROWS, *([b" " * 100_000] * 2)), "413"),
    taken("a body in 100,000 chunks", head(CHUNKED) + chunks(ROWS[:-1], *([b" "] * 100_000), ROWS[-1:])),
)

PIPELINES = (
    refused("a bad request between good ones", LIVE * 20 + b"bad\r\n\r\n" + LIVE * 20, "(200 ){20}400"),
    refused("the last of a pipeline", LIVE * 20 + LAST, "(200 ){20}200"),
    refused("a hidden request behind the last", LIVE + LAST + SMUGGLED, "200 200"),
)

HEAD_ATTACKS: tuple[Attack, ...] = (
    *REQUEST_LINES,
    *TARGETS,
    *FIELDS,
    *EXPECTATIONS,
    *FOREIGN,
    *BOUNDS,
    *PIPELINES,
)
