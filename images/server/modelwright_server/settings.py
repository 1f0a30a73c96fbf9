"""What the environment says to the server, read once at start and checked with sentences for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


class SettingError(ValueError):
    """An environment variable holds something that the server can't use; the text says what to write."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one connection: sizes in bytes, times in seconds, `pipeline` in requests."""

    body_bytes: int = 16 * MIB
    head_bytes: int = 32 * 1024
    head_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    idle_timeout_s: float = 75.0
    write_timeout_s: float = 30.0
    linger_s: float = 1.0
    pipeline: int = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """The server's configuration.

    `drain_s` is how long new requests are still taken after SIGTERM (a Service needs that time to forget the Pod);
    `grace_s` is when the process ends at the latest, and must be less than the Pod's terminationGracePeriodSeconds.
    `queue_jobs` bounds the predictions that wait for the worker thread.
    """

    host: str
    port: int
    model_dir: Path
    model_name: str | None
    model_version: str | None
    termination_log: Path
    log_level: str
    http: HttpLimits
    queue_jobs: int
    drain_s: float
    grace_s: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read `MODELWRIGHT_*`; raises SettingError that names the variable, its value and what it must be."""
        limits = HttpLimits()
        level = environment.get("MODELWRIGHT_LOG_LEVEL", "info").lower()
        if level not in ("debug", "info", "warning", "error"):
            raise SettingError(f"MODELWRIGHT_LOG_LEVEL is {level!r}, must be debug, info, warning or error")
        drain_s = _number(environment, "MODELWRIGHT_DRAIN_SECONDS", 5.0, 0.0, 3600.0)
        grace_s = _number(environment, "MODELWRIGHT_GRACE_SECONDS", 25.0, 0.0, 3600.0)
        if grace_s < drain_s:
            raise SettingError(
                f"MODELWRIGHT_GRACE_SECONDS is {grace_s:g}, must be at least MODELWRIGHT_DRAIN_SECONDS ({drain_s:g})"
            )
        return cls(
            host=environment.get("MODELWRIGHT_HOST", ""),
            port=int(_number(environment, "MODELWRIGHT_PORT", 8080, 0, 65535)),
            model_dir=Path(environment.get("MODELWRIGHT_MODEL_DIR") or "/model"),
            model_name=environment.get("MODELWRIGHT_MODEL_NAME") or None,
            model_version=environment.get("MODELWRIGHT_MODEL_VERSION") or None,
            termination_log=Path(environment.get("MODELWRIGHT_TERMINATION_LOG") or "/dev/termination-log"),
            log_level=level,
            http=HttpLimits(
                body_bytes=int(_number(environment, "MODELWRIGHT_MAX_BODY_BYTES", limits.body_bytes, 1024, 1024 * MIB)),
                head_bytes=int(_number(environment, "MODELWRIGHT_MAX_HEAD_BYTES", limits.head_bytes, 1024, MIB)),
                head_timeout_s=_number(
                    environment, "MODELWRIGHT_HEAD_TIMEOUT_SECONDS", limits.head_timeout_s, 0.1, 3600
                ),
                body_timeout_s=_number(
                    environment, "MODELWRIGHT_BODY_TIMEOUT_SECONDS", limits.body_timeout_s, 0.1, 3600
                ),
                idle_timeout_s=_number(
                    environment, "MODELWRIGHT_IDLE_TIMEOUT_SECONDS", limits.idle_timeout_s, 0.1, 86400
                ),
            ),
            queue_jobs=int(_number(environment, "MODELWRIGHT_QUEUE_SIZE", 64, 1, 100_000)),
            drain_s=drain_s,
            grace_s=grace_s,
        )


def _number(environment: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = environment.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high or (isinstance(default, int) and value != int(value)):
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise SettingError(f"{name} is {text!r}, must be {kind} from {low:g} to {high:g}")
    return value
