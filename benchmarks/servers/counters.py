"""What the windowed counters cost: two servers that differ in nothing else, asked in turns, pair after pair."""

import json
import statistics
import urllib.request
from pathlib import Path

from benchmarks.servers import ours
from benchmarks.servers.contenders import OURS, Contender
from benchmarks.servers.dialects import OURS as DIALECT
from benchmarks.servers.figures import Verdict, interval_of_median
from benchmarks.servers.race import Measurement, Question, Race
from benchmarks.servers.targets import COUNTERS_COST, LOGISTIC, MANY

ON, OFF = "counters", "no counters"


def one_pair(race: Race, directory: Path, folder: Path, seconds: float, number: int) -> list[Measurement]:
    """Fresh processes for each pair: where a process' memory happens to lie is worth some per cent of its speed.

    Raises SystemExit when a server counts that was told not to, or the other way round.
    """
    with_counters = ours.server("modelwright-counters", LOGISTIC, directory, folder, **ours.ASLEEP)
    without = ours.server("modelwright-no-counters", LOGISTIC, directory, folder, counters="off", **ours.ASLEEP)
    pair = [
        Contender(OURS, said, DIALECT, {LOGISTIC: server.endpoint(LOGISTIC)})
        for said, server in ((ON, with_counters), (OFF, without))
    ]
    question = Question(LOGISTIC, MANY.rows, MANY.connections)
    with race.running(pair):
        with race.ready(pair):
            measured = [race.measure(one, question, seconds, number) for one in (pair if number % 2 else pair[::-1])]
        counted = _counted(with_counters), _counted(without)
    if not counted[0] or counted[1]:
        raise SystemExit(f"the servers with and without counters counted {counted[0]} and {counted[1]} requests")
    return measured


def verdict(measurements: list[Measurement]) -> Verdict:
    """The median cost over the pairs, with its confidence interval."""
    on, off = ([one for one in measurements if one.configuration == said] for said in (ON, OFF))
    costs = [1 - one.per_second / other.per_second for one, other in zip(on, off, strict=True)]
    low, high = interval_of_median(costs)
    sound = all(one.sound for one in measurements)
    versus = f"without them, {len(costs)} pairs"
    return Verdict(
        "cost of the counters", LOGISTIC, statistics.median(costs), low, high, COUNTERS_COST, "at most", versus, sound
    )


def _counted(server: ours.Server) -> int:
    """The requests that a server's live figures tell of."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.management_port}/live", timeout=10) as answer:
        return int(json.load(answer)["totals"]["requests"])
