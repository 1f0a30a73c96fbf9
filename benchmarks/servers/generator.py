"""The load generator `load/`: built once with Go, run on its own core, its report read."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypedDict, cast

from benchmarks.servers.places import PARTS, cache_root

SOURCE = PARTS / "load"


class _Sample(TypedDict):
    request: int
    body: str


class _Raw(TypedDict):
    seconds: float
    answered: int
    per_second: float
    statuses: dict[str, int]
    broken: dict[str, int]
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu: float
    samples: list[_Sample] | None


@dataclass(frozen=True)
class Report:
    """What the generator measured in a span of time.

    `broken` counts requests without an answer, by reason; `cpu` is the share of a core that the generator took;
    `samples` are answers by the number of their request.
    """

    seconds: float
    answered: int
    per_second: float
    statuses: dict[str, int]
    broken: dict[str, int]
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu: float
    samples: list[tuple[int, bytes]]

    @property
    def faults(self) -> dict[str, int]:
        """Requests that did not get a 200, by what they got."""
        return {status: count for status, count in self.statuses.items() if status != "200"} | self.broken

    @classmethod
    def parse(cls, line: str) -> Self:
        """From a line of the generator's output."""
        raw = cast(_Raw, json.loads(line))
        return cls(
            seconds=raw["seconds"],
            answered=raw["answered"],
            per_second=raw["per_second"],
            statuses=raw["statuses"],
            broken=raw["broken"],
            p50_ms=raw["p50_ms"],
            p99_ms=raw["p99_ms"],
            max_ms=raw["max_ms"],
            cpu=raw["cpu"],
            samples=[(one["request"], one["body"].encode()) for one in raw["samples"] or []],
        )


@dataclass(frozen=True)
class Load:
    """What is asked. `rate_per_s` is None for a closed loop; `span_s` splits the report."""

    port: int
    requests: Path
    connections: int
    seconds: float
    warm_up_s: float = 0.3
    rate_per_s: float | None = None
    span_s: float | None = None
    samples: int = 32


def build() -> Path:
    """The generator's program. Raises SystemExit where there is no Go."""
    sources = sorted([*SOURCE.glob("*.go"), SOURCE / "go.mod"])
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    program = cache_root() / "load" / key[:12]
    if program.exists():
        return program
    if shutil.which("go") is None:
        raise SystemExit("go is missing, which the load generator is written in: install Go 1.26 or newer")
    made = program.with_suffix(f".{os.getpid()}")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=mod"}
    subprocess.run(["go", "build", "-o", str(made), "."], cwd=SOURCE, check=True, env=environment)
    made.rename(program)
    return program


def write_requests(path: Path, requests: Sequence[bytes]) -> Path:
    """The file that the generator reads."""
    path.write_bytes(b"".join(struct.pack("<I", len(one)) + one for one in requests))
    return path


@contextmanager
def started(program: Path, load: Load, core: int) -> Iterator["subprocess.Popen[str]"]:
    """The generator at work; it is ended where it still runs."""
    command = [str(program), f"-port={load.port}", f"-requests={load.requests}", f"-connections={load.connections}"]
    command += [f"-time={load.seconds}s", f"-warm-up={load.warm_up_s}s", f"-samples={load.samples}"]
    command += [f"-rate={load.rate_per_s}"] if load.rate_per_s else []
    command += [f"-span={load.span_s}s"] if load.span_s else []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {core})
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def run(program: Path, load: Load, core: int) -> Report:
    """One report over the whole time. Raises SystemExit when the server can't be reached."""
    with started(program, load, core) as process:
        output, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"the load generator ended with {process.returncode}: {load}")
    return Report.parse(output)
