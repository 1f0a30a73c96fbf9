"""What the environment says to the server, read once at start and checked with sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
DEFAULT_NAME = "model"


class SettingError(ValueError):
    """An environment variable holds something that the server can't use; the text says what to write."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one connection: sizes in bytes, times in seconds, `pipeline` in requests.

    `buffer_bytes` bounds the bodies of all connections of a process together.
    """

    body_bytes: int = 16 * MIB
    head_bytes: int = 32 * 1024
    buffer_bytes: int = 256 * MIB
    head_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    idle_timeout_s: float = 75.0
    write_timeout_s: float = 30.0
    linger_s: float = 1.0
    pipeline: int = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """The server's configuration.

    Ports may be 0 (any free one); `grpc_port` is None where gRPC is switched off. `processes` is None for one a usable
    processor, `max_memory_bytes` None for each process's share of the container's limit. `max_rows` bounds one request,
    `batch_rows` one call of the model, `queue_requests` and `queue_s` what waits for it in one process.

    `hang_s` is how long an event loop or a call of the model may stand still before its process is replaced. `drain_s`
    is how long new requests are still taken after SIGTERM (a Service needs that time to forget the Pod); `grace_s` is
    when all processes end at the latest, and must be less than the Pod's terminationGracePeriodSeconds. `counters` is
    False where the benchmark asks what the windowed counters cost, and nowhere else.
    """

    host: str
    port: int
    grpc_port: int | None
    management_port: int
    processes: int | None
    model_dir: Path
    model_name: str
    model_version: str | None
    termination_log: Path
    log_level: str
    access_log_sample: float
    tls_dir: Path | None
    tokens_dir: Path | None
    routing_dir: Path | None
    http: HttpLimits
    max_rows: int
    batch_rows: int
    batch_delay_s: float
    queue_requests: int
    queue_s: float
    hang_s: float
    max_memory_bytes: int | None
    window_s: float
    counters: bool
    drain_s: float
    grace_s: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read `MODELWRIGHT_*`; raises SettingError that names the variable, its value and what it must be."""
        read = _Reader(environment)
        port = read.whole("PORT", 8080, 0, 65535)
        grpc_port = None if read.text("GRPC_PORT", "8081") in ("", "off") else read.whole("GRPC_PORT", 8081, 0, 65535)
        management_port = read.whole("MANAGEMENT_PORT", 8082, 0, 65535)
        taken = [number for number in (port, grpc_port, management_port) if number]
        if len(set(taken)) < len(taken):
            raise SettingError(
                f"MODELWRIGHT_PORT is {port}, MODELWRIGHT_GRPC_PORT {grpc_port} and MODELWRIGHT_MANAGEMENT_PORT "
                f"{management_port}, must be different"
            )
        level = read.text("LOG_LEVEL", "info").lower()
        if level not in ("debug", "info", "warning", "error"):
            raise SettingError(f"MODELWRIGHT_LOG_LEVEL is {level!r}, must be debug, info, warning or error")
        drain_s = read.number("DRAIN_SECONDS", 5.0, 0.0, 3600.0)
        grace_s = read.number("GRACE_SECONDS", 25.0, 0.0, 3600.0)
        if grace_s < drain_s:
            raise SettingError(
                f"MODELWRIGHT_GRACE_SECONDS is {grace_s:g}, must be at least MODELWRIGHT_DRAIN_SECONDS ({drain_s:g})"
            )
        return cls(
            host=read.text("HOST", ""),
            port=port,
            grpc_port=grpc_port,
            management_port=management_port,
            processes=read.whole("PROCESSES", 0, 1, 256) or None,
            model_dir=Path(read.text("MODEL_DIR") or "/model"),
            model_name=read.text("MODEL_NAME") or DEFAULT_NAME,
            model_version=read.text("MODEL_VERSION") or None,
            termination_log=Path(read.text("TERMINATION_LOG") or "/dev/termination-log"),
            log_level=level,
            access_log_sample=read.number("ACCESS_LOG_SAMPLE", 0.001, 0.0, 1.0),
            tls_dir=read.folder("TLS_DIR"),
            tokens_dir=read.folder("TOKENS_DIR"),
            routing_dir=read.folder("ROUTING_DIR"),
            http=_http_limits(read),
            max_rows=read.whole("MAX_ROWS", 10_000, 1, 10_000_000),
            batch_rows=read.whole("BATCH_SIZE", 1024, 1, 1_000_000),
            batch_delay_s=read.number("BATCH_DELAY_SECONDS", 0.0, 0.0, 10.0),
            queue_requests=read.whole("QUEUE_SIZE", 1024, 1, 1_000_000),
            queue_s=read.number("QUEUE_SECONDS", 10.0, 0.01, 3600.0),
            hang_s=read.number("HANG_SECONDS", 30.0, 1.0, 3600.0),
            max_memory_bytes=read.whole("MAX_MEMORY_BYTES", 0, MIB, 2**50) or None,
            window_s=read.number("WINDOW_SECONDS", 5.0, 0.1, 300.0),
            counters=read.text("COUNTERS", "on") != "off",
            drain_s=drain_s,
            grace_s=grace_s,
        )


def _http_limits(read: _Reader) -> HttpLimits:
    default = HttpLimits()
    return HttpLimits(
        body_bytes=read.whole("MAX_BODY_BYTES", default.body_bytes, 1024, 1024 * MIB),
        head_bytes=read.whole("MAX_HEAD_BYTES", default.head_bytes, 1024, MIB),
        buffer_bytes=read.whole("MAX_BUFFER_BYTES", default.buffer_bytes, 1024, 2**50),
        head_timeout_s=read.number("HEAD_TIMEOUT_SECONDS", default.head_timeout_s, 0.1, 3600.0),
        body_timeout_s=read.number("BODY_TIMEOUT_SECONDS", default.body_timeout_s, 0.1, 3600.0),
        idle_timeout_s=read.number("IDLE_TIMEOUT_SECONDS", default.idle_timeout_s, 0.1, 86400.0),
    )


class _Reader:
    """`MODELWRIGHT_<NAME>` out of an environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def text(self, name: str, default: str = "") -> str:
        return self._environment.get(f"MODELWRIGHT_{name}", default)

    def folder(self, name: str) -> Path | None:
        text = self.text(name)
        return Path(text) if text else None

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        text = self.text(name)
        if not text:
            return default
        value = self._float(text)
        if not low <= value <= high or value != int(value):
            raise SettingError(f"MODELWRIGHT_{name} is {text!r}, must be a whole number from {low} to {high}")
        return int(value)

    def number(self, name: str, default: float, low: float, high: float) -> float:
        text = self.text(name)
        if not text:
            return default
        value = self._float(text)
        if not low <= value <= high:
            raise SettingError(f"MODELWRIGHT_{name} is {text!r}, must be a number from {low:g} to {high:g}")
        return value

    @staticmethod
    def _float(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            return float("nan")
