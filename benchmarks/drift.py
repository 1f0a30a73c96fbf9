#!/usr/bin/env python3
"""How often drift is found where there is none, and where there is: a simulation with the operator's own code.

A run is a training profile of twenty features and the windows that follow, twenty where nothing drifts and three where
something does. The bins are chosen as the worker does, rows are counted as the server does, and judged as the operator
does. Beside ours stand, on the same rows: PSI above 0.1, Kolmogorov-Smirnov with p < 0.05, and Evidently's default test
of each column.

    .venv/bin/python benchmarks/drift.py [--quick] [--seed N] [--json FILE] [--without-evidently]

The first run installs Evidently into a virtual environment in the cache. Then it takes about half an hour of one
processor; with --quick, which does not count the installation either, about a minute. `--lock` resolves
peers/evidently.in anew.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from math import sqrt
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
for source in ("", "operator", "images/contract", "images/worker"):
    sys.path.insert(0, str(ROOT / source))

from benchmarks.drifting.rules import Profile, kolmogorov_smirnov, ours, population_stability
from benchmarks.drifting.streams import DRIFTING, NAMES, World, random_of, train, window
from benchmarks.servers import install

from modelwright.analysis.drift import lasting

PEER = "evidently"
OURS, PSI, KS = "ours", "PSI > 0.1", "K-S p < 0.05"
EVIDENTLY, EVIDENTLY_DATASET = "Evidently, any column", "Evidently, half the columns"
RULES = (OURS, PSI, KS, EVIDENTLY, EVIDENTLY_DATASET)
MAX_FALSE, MIN_SEEN = 0.01, 0.95
SIZES = (100, 500, 2_000, 10_000)

Want = Literal["", "silent", "seen"]


@dataclass(frozen=True)
class Question:
    """A world, which column drifts in it (none: whatever is told is a false alarm), and what is wanted of ours.

    `runs` are for ours and PSI; the slow rules have `few`.
    """

    world: World
    column: str
    want: Want
    runs: int
    few: int


@dataclass
class Tally:
    """Of `runs`, those in which a rule spoke: in any window, and of one column in two of three windows."""

    runs: int = 0
    once: int = 0
    twice: int = 0

    def add(self, windows: Sequence[Iterable[str]], column: str) -> None:
        """One more run, by the columns that the rule told in each window."""
        told = [{name for name in names if column in ("", name)} for names in windows]
        self.runs += 1
        self.once += any(told)
        self.twice += any(lasting(told[: number + 1]) for number in range(len(told)))


@dataclass
class Answer:
    """What each rule said to a question."""

    question: Question
    tallies: dict[str, Tally] = field(default_factory=lambda: {rule: Tally() for rule in RULES})
    seconds: float = 0.0

    @property
    def share(self) -> float:
        """Of our runs, those with a verdict; the verdict of ours is by two of three windows."""
        tally = self.tallies[OURS]
        return tally.twice / tally.runs

    @property
    def holds(self) -> bool:
        """Whether ours does what is wanted."""
        match self.question.want:
            case "silent":
                return self.share <= MAX_FALSE
            case "seen":
                return self.share >= MIN_SEEN
            case _:
                return True


def questions(quick: bool) -> list[Question]:
    """All of them."""
    null, null_few, seen, seen_few = (60, 1, 100, 5) if quick else (1_000, 12, 2_000, 60)
    largest = 20 if quick else null
    found = [
        Question(World("nothing drifts", rows, 20), "", "silent", largest if rows > 5_000 else null, null_few)
        for rows in SIZES
    ]
    small = World("nothing drifts, 1,000 training rows", 10_000, 20, train_rows=1_000)
    trifle = World("a trifle: 0.05 sigma", 10_000, shift=0.05)
    return [
        *found,
        Question(small, "", "silent", largest, null_few),
        Question(World("0.3 sigma in one feature", 500, shift=0.3), DRIFTING, "seen", seen, seen_few),
        Question(World("0.3 sigma in one feature", 100, shift=0.3), DRIFTING, "", seen, seen_few),
        Question(World("0.6 sigma in one feature", 100, shift=0.6), DRIFTING, "", seen, seen_few),
        Question(World("one Pod of four: 1 sigma", 500, shift=1.0, pods=4), DRIFTING, "", seen, seen_few),
        Question(World("a category never seen, 3 %", 500, new=0.03), "carrier", "seen", seen, seen_few),
        Question(World("missing for the first time, 3 %", 500, missing=0.03), DRIFTING, "seen", seen, seen_few),
        Question(trifle, DRIFTING, "silent", seen // 10, seen_few // 5),
        Question(World("nothing drifts, 10 like rows a request", 500, 20, alike=10), "", "", null // 4, null_few),
    ]


def ask(question: Question, seed: int, evidently: Evidently | None) -> Answer:
    """All rules on the same rows."""
    answer, began = Answer(question), time.monotonic()
    if evidently is not None:
        evidently.ask(question.world, question.few, seed)
    for run in range(question.runs):
        rng = random_of(seed, question.world, run)
        rows = train(question.world, rng)
        profile = Profile(rows)
        windows = [window(question.world, rng) for _ in range(question.world.windows)]
        counts = [profile.count(each) for each in windows]
        for name, rule in ((OURS, ours), (PSI, population_stability)):
            answer.tallies[name].add([rule(profile.counts, each) for each in counts], question.column)
        if run < question.few:
            differs = kolmogorov_smirnov(rows)
            answer.tallies[KS].add([differs(each) for each in windows], question.column)
    if evidently is not None:
        for told in evidently.told(question.few):
            answer.tallies[EVIDENTLY].add(told, question.column)
            # A dataset has drifted when half of its columns have; then it says so of all of them.
            whole = [names if 2 * len(names) >= len(NAMES) else [] for names in told]
            answer.tallies[EVIDENTLY_DATASET].add(whole, question.column)
    answer.seconds = time.monotonic() - began
    return answer


class Evidently:
    """Evidently in a process of its own, at work while we are."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, world: World, runs: int, seed: int) -> None:
        """Gives it these runs to judge."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"seed": seed, "runs": runs, "world": asdict(world)}) + "\n")
        self._process.stdin.flush()

    def told(self, runs: int) -> Iterator[list[list[str]]]:
        """The drifted columns of each window, for each of the runs. Raises RuntimeError where it ended."""
        assert self._process.stdout is not None
        for _ in range(runs):
            line = self._process.stdout.readline()
            if not line:
                raise RuntimeError(f"Evidently ended with {self._process.wait()}")
            yield json.loads(line)


@contextmanager
def running() -> Iterator[Evidently]:
    """Evidently, until the block ends."""
    python = install.environment_of(PEER) / "bin" / "python"
    script = ROOT / "benchmarks" / "drifting" / "evidently_verdicts.py"
    pipe = subprocess.PIPE
    with subprocess.Popen([str(python), str(script)], stdin=pipe, stdout=pipe, text=True) as process:
        yield Evidently(process)
        assert process.stdin is not None
        process.stdin.close()


def show(answer: Answer) -> None:
    """One line of the table for each rule."""
    question = answer.question
    wanted = {"silent": f"<= {MAX_FALSE}", "seen": f">= {MIN_SEEN}", "": ""}[question.want]
    print(f"\n{question.world.name}: {question.world.rows} rows a window, {question.world.windows} windows a run")
    for rule, tally in answer.tallies.items():
        if tally.runs:
            low, high = wilson(tally.twice / tally.runs, tally.runs)
            missed = "" if rule != OURS or answer.holds else "  MISSED"
            print(
                f"  {rule:28} {tally.runs:5} runs   any window {tally.once / tally.runs:6.4f}"
                f"   two of three {tally.twice / tally.runs:6.4f} ({low:.4f}-{high:.4f})"
                f"  {wanted if rule == OURS else ''}{missed}",
                flush=True,
            )


def wilson(share: float, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return max(0.0, middle - half), middle + half


def main() -> int:
    """Prints a table; 1 when a figure that must hold does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few runs: about a minute")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file")
    parser.add_argument("--without-evidently", action="store_true", help="install and ask no peer")
    parser.add_argument("--lock", action="store_true", help="resolve peers/evidently.in anew, and end")
    options = parser.parse_args()
    if options.lock:
        install.lock(PEER, Path(__file__).name)
        return 0
    asked = questions(options.quick)
    if options.without_evidently:
        answers = [_asked(question, options.seed, None) for question in asked]
    else:
        install.install(PEER)
        with running() as evidently:
            answers = [_asked(question, options.seed, evidently) for question in asked]
    print(f"\nmeasured in {sum(answer.seconds for answer in answers):.0f} s")
    if options.json:
        found = [asdict(answer) | {"holds": answer.holds} for answer in answers]
        document = {"seed": options.seed, PEER: install.versions_of(PEER)[PEER], "answers": found}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0 if all(answer.holds for answer in answers) else 1


def _asked(question: Question, seed: int, evidently: Evidently | None) -> Answer:
    answer = ask(question, seed, evidently)
    show(answer)
    return answer


if __name__ == "__main__":
    sys.exit(main())
