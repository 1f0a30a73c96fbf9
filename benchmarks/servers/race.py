"""All contenders on one core: started together, and asked in turns."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import generator
from benchmarks.servers.asking import NotAnswered, answers
from benchmarks.servers.contenders import Contender, Endpoint
from benchmarks.servers.dialects import request
from benchmarks.servers.launch import Launch
from benchmarks.servers.machine import Cores
from benchmarks.servers.models import Model

START_S = 120.0
PAUSE_S = 0.05
SETTLING = 3
"""Askings that a server which slept may leave unanswered."""


@dataclass(frozen=True)
class Question:
    """What is sent: so many rows a request over so many connections, as fast as answered or at a rate."""

    model: str
    rows: int
    connections: int
    rate_per_s: float | None = None


@dataclass(frozen=True)
class Measurement:
    """One contender under one load for a few seconds.

    `faults` are requests that did not get a 200, by what they got; `wrong` are the rows with a wrong label among the
    answers that were kept.
    `load_cpu` is the generator's share of its core: near 1 the generator was the bound, not the server. `others_cpu` is
    what other programs took of the two cores, as a share of one.
    """

    server: str
    configuration: str
    form: str
    question: Question
    round: int
    per_second: float
    p50_ms: float
    p99_ms: float
    faults: dict[str, int]
    wrong: int
    load_cpu: float
    others_cpu: float

    @property
    def sound(self) -> bool:
        """Whether there were answers, and every request got the right one."""
        return self.per_second > 0 and not self.faults and not self.wrong


class Race:
    """Servers that run beside each other, of which one at a time is asked."""

    def __init__(self, program: Path, cores: Cores, models: Sequence[Model], folder: Path) -> None:
        self._program = program
        self._cores = cores
        self._models = {model.name: model for model in models}
        self._folder = folder
        self._files: dict[tuple[str, str, int], Path] = {}

    @contextmanager
    def running(self, contenders: Sequence[Contender]) -> Iterator[None]:
        """All servers started and ready, on whatever core. Raises SystemExit."""
        launches = launches_of(contenders)
        try:
            for launch in launches:
                launch.start()
            for contender in contenders:
                for model, endpoint in contender.endpoints.items():
                    self._wait_ready(contender, model, endpoint)
            yield
        finally:
            for launch in launches:
                launch.stop()

    @contextmanager
    def ready(self, contenders: Sequence[Contender]) -> Iterator[None]:
        """All on their one core, and asleep: nobody takes processor time but who is measured."""
        for launch in launches_of(contenders):
            launch.pin(self._cores.server)
            launch.sleep()
        try:
            yield
        finally:
            for launch in launches_of(contenders):
                launch.wake()

    def answer(self, contender: Contender, model: str) -> bytes:
        """What a contender answers to the first test row."""
        endpoint, rows = contender.endpoints[model], self._models[model].rows[:1]
        (found,) = answers(endpoint.port, endpoint.path, [contender.dialect.body(rows)])
        return found

    def _settle(self, contender: Contender, model: str) -> None:
        """Ask until there is an answer: then what an earlier measurement left in the server's queue is done.

        A server that was asleep may first end connections that grew old meanwhile. Raises NotAnswered.
        """
        for _ in range(SETTLING):
            with suppress(NotAnswered):
                self.answer(contender, model)
                return
        try:
            self.answer(contender, model)
        except NotAnswered as problem:
            raise NotAnswered(f"{contender.server}, {contender.configuration}, {model}: {problem}") from problem

    def measure(self, contender: Contender, question: Question, seconds: float, number: int) -> Measurement:
        """One measurement, for which the contender's server is woken."""
        endpoint, model = contender.endpoints[question.model], self._models[question.model]
        file = self._requests(contender, model, question.rows)
        load = generator.Load(endpoint.port, file, question.connections, seconds, rate_per_s=question.rate_per_s)
        endpoint.launch.wake()
        self._settle(contender, question.model)
        work_s, served_s, began = self._cores.work_s(), endpoint.launch.cpu_s(), time.monotonic()
        report = generator.run(self._program, load, self._cores.load)
        took_s = time.monotonic() - began
        work_s, served_s = self._cores.work_s() - work_s, endpoint.launch.cpu_s() - served_s
        endpoint.launch.sleep()
        return Measurement(
            server=contender.server,
            configuration=contender.configuration,
            form=contender.form,
            question=question,
            round=number,
            per_second=round(report.per_second, 1),
            p50_ms=round(report.p50_ms, 4),
            p99_ms=round(report.p99_ms, 4),
            faults=report.faults,
            wrong=0 if contender.echoes else _wrong_rows(contender, model, question.rows, report),
            load_cpu=round(report.cpu, 3),
            others_cpu=round(max(0.0, work_s - served_s - report.cpu * took_s) / took_s, 3),
        )

    def _requests(self, contender: Contender, model: Model, rows: int) -> Path:
        key = (contender.name, model.name, rows)
        if key not in self._files:
            path = contender.endpoints[model.name].path
            whole = [request(path, contender.dialect.body(model.rows[part])) for part in model.batches(rows)]
            file = self._folder / f"requests-{len(self._files)}.bin"
            self._files[key] = generator.write_requests(file, whole)
        return self._files[key]

    def _wait_ready(self, contender: Contender, model: str, endpoint: Endpoint) -> None:
        document = contender.dialect.body(self._models[model].rows[:1])
        deadline = time.monotonic() + START_S
        while True:
            try:
                answers(endpoint.port, endpoint.path, [document], timeout_s=10)
            except NotAnswered as problem:
                if endpoint.launch.ended() or time.monotonic() > deadline:
                    said = endpoint.launch.log.read_text(errors="replace")[-3000:]
                    sentence = f"{contender.name} does not answer for {model} ({problem}); it wrote:\n{said}"
                    raise SystemExit(sentence) from problem
                time.sleep(PAUSE_S)
            else:
                return


def launches_of(contenders: Sequence[Contender]) -> list[Launch]:
    """Their servers, each once."""
    found: dict[str, Launch] = {}
    for contender in contenders:
        found |= {endpoint.launch.name: endpoint.launch for endpoint in contender.endpoints.values()}
    return list(found.values())


def _wrong_rows(contender: Contender, model: Model, rows: int, report: generator.Report) -> int:
    parts = model.batches(rows)
    return sum(contender.dialect.wrong_rows(body, model.labels[parts[at]]) for at, body in report.samples)
