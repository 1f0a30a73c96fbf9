"""One server at a constant rate for a long time: every answer there and right, memory and latency as at the start."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.servers import generator, ours
from benchmarks.servers.agreement import disagreement
from benchmarks.servers.contenders import OURS, Contender
from benchmarks.servers.dialects import OURS as DIALECT
from benchmarks.servers.dialects import request
from benchmarks.servers.figures import slope
from benchmarks.servers.machine import Cores
from benchmarks.servers.models import Model
from benchmarks.servers.race import Question, Race

CONNECTIONS = 64
LOAD = 0.7
"""The rate, as a share of what the server answers in a closed loop."""
SETTLED = 0.1
"""The share of the time at the beginning in which memory may still grow: buffers and caches get their size."""


@dataclass(frozen=True)
class Moment:
    """A span of the soak: `at_s` since its start."""

    at_s: float
    answered: int
    faults: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    pss_bytes: int


@dataclass(frozen=True)
class Soak:
    """What was seen. `growth_bytes` is the slope of memory by regression, times the time that it was taken over."""

    rate_per_s: float
    seconds: float
    answered: int
    faults: int
    wrong: int
    pss_bytes: float
    growth_bytes: float
    p99_first_ms: float
    p99_last_ms: float
    moments: tuple[Moment, ...]

    @classmethod
    def of(cls, rate_per_s: float, moments: Sequence[Moment], wrong: int) -> Self:
        """Sums up. p99 is the median of those of the first and of the last third of the spans."""
        settled = [one for one in moments if one.at_s >= SETTLED * moments[-1].at_s]
        third = max(1, len(moments) // 3)
        first, last = moments[:third], moments[-third:]
        return cls(
            rate_per_s=rate_per_s,
            seconds=moments[-1].at_s,
            answered=sum(one.answered for one in moments),
            faults=sum(one.faults for one in moments),
            wrong=wrong,
            pss_bytes=statistics.fmean(one.pss_bytes for one in settled),
            growth_bytes=slope([(one.at_s, one.pss_bytes) for one in settled]) * (settled[-1].at_s - settled[0].at_s),
            p99_first_ms=statistics.median(one.p99_ms for one in first),
            p99_last_ms=statistics.median(one.p99_ms for one in last),
            moments=tuple(moments),
        )


def soak(
    model: Model, seconds: float, span_s: float, cores: Cores, folder: Path, tell: Callable[[Moment], None]
) -> Soak:
    """Runs one server of this checkout at 70 % of its capacity. Raises SystemExit when it does not answer rightly."""
    program = generator.build()
    directory = ours.write_directory(model, folder / model.name)
    endpoint = ours.server("modelwright-soak", model.name, directory, folder).endpoint(model.name)
    server = Contender(OURS, "soak", DIALECT, {model.name: endpoint})
    race = Race(program, cores, [model], folder)
    with race.running([server]):
        problem = disagreement(server, [model])
        if problem is not None:
            raise SystemExit(f"the server does not answer like scikit-learn: {problem}")
        endpoint.launch.pin(cores.server)
        question = Question(model.name, 1, CONNECTIONS)
        capacity = statistics.median(race.measure(server, question, 1.0, number).per_second for number in range(3))
        endpoint.launch.wake()
        rate = LOAD * capacity
        parts = model.batches(1)
        requests = [request(endpoint.path, DIALECT.body(model.rows[part])) for part in parts]
        file = generator.write_requests(folder / "soak.bin", requests)
        load = generator.Load(endpoint.port, file, CONNECTIONS, seconds, rate_per_s=rate, span_s=span_s, samples=1000)
        moments: list[Moment] = []
        samples: list[tuple[int, bytes]] = []
        for report in _reports(program, load, cores):
            at_s = report.seconds + (moments[-1].at_s if moments else 0.0)
            moment = Moment(
                at_s,
                report.answered,
                sum(report.faults.values()),
                report.p50_ms,
                report.p99_ms,
                report.max_ms,
                endpoint.launch.pss_bytes(),
            )
            tell(moment)
            moments.append(moment)
            samples = report.samples
        wrong = sum(DIALECT.wrong_rows(body, model.labels[parts[at]]) for at, body in samples)
    return Soak.of(round(rate, 1), moments, wrong)


def _reports(program: Path, load: generator.Load, cores: Cores) -> Iterator[generator.Report]:
    with generator.started(program, load, cores.load) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield generator.Report.parse(line)
        if process.wait():
            raise SystemExit(f"the load generator ended with {process.returncode}: the server could not be reached")
