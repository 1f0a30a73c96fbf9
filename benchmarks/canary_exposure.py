#!/usr/bin/env python3
"""What users pay for a bad canary until it is found out: our forwarding, and a plain split by weight, side by side.

Two servers of this checkout answer for the same model: stable, and a canary that fails, hangs or is slow. Users ask at
a constant rate and wait a second at most. `ours`: all ask stable, which forwards a tenth. `split`: a tenth ask the
canary itself, as behind an HTTPRoute or a Service, but with nothing between that would cost time. The operator's own
judge looks at both every second: at stable's /live, or at what the users saw, which is all that a proxy could know.
With the verdict the weight is 0. A canary that is as good as stable is forwarded to as well, and must stay.

    .venv/bin/python benchmarks/canary_exposure.py [--quick] [--rounds N] [--json FILE] [--strict]

Needs two processors; takes about five minutes, with --quick two.
"""

import argparse
import asyncio
import json
import random
import shutil
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for source in ("", "images/contract", "images/worker", "images/server", "operator"):
    sys.path.insert(0, str(ROOT / source))

from benchmarks.exposure.pair import Pair, running
from benchmarks.exposure.users import Users
from benchmarks.exposure.ways import Forwarding, Split, Way
from benchmarks.servers.dialects import OURS as DIALECT
from benchmarks.servers.dialects import encoded
from benchmarks.servers.machine import description
from benchmarks.servers.models import fit
from benchmarks.servers.places import cache_root
from benchmarks.servers.targets import LOGISTIC

from modelwright.api.v1alpha1.rollout import Analysis, RolloutSpan
from modelwright.live_sums import Minute, version_figures
from modelwright.reconcilers.canary_verdict import fuller, judged

KINDS, GOOD = ("errors", "hang", "slow"), "honest"
OURS, SPLIT = WAYS = ("ours", "split")
WEIGHT, RATE_PER_S, PATIENCE_S = 0.1, 300.0, 1.0
LOOK_S = 1.0
SETTLING_S, AFTER_S, LIMIT_S = 4.0, 2.0, 30.0
"""Before the canary, so that stable's latency is known; after the verdict; and how long one is waited for."""
WATCHED_S = 15.0
"""How long one is that is good."""


@dataclass(frozen=True)
class Course:
    """What one canary cost by one way: all requests from its first weight until a while after the verdict.

    `verdict_s` is None where there was none in time; `canary_requests` are those that were judged last; `slow_ms` is
    stable's own p99 before, from where on a request counted as slow.
    """

    kind: str
    way: str
    round: int
    requests: int
    failures: dict[str, int]
    p99_before_ms: float
    p99_ms: float
    longest_ms: float
    verdict_s: float | None
    reason: str
    canary_requests: int
    slow_ms: float

    @property
    def failed(self) -> int:
        """Users' requests without a good answer."""
        return sum(self.failures.values())


async def course(pair: Pair, kind: str, way: str, number: int, body: bytes) -> Course:
    """Users ask; the canary gets its weight, is judged look by look, and loses it."""
    users = Users(
        pair.address(pair.stable),
        pair.address(pair.canary),
        body,
        RATE_PER_S,
        PATIENCE_S,
        random.Random(f"{kind} {number}"),
    )
    asking = asyncio.create_task(users.run())
    await asyncio.sleep(SETTLING_S)
    slow_s = await _slow_s(pair, users, way)
    before = [one.seconds for one in users.asked]
    given: Way = Forwarding(pair, slow_s, PATIENCE_S) if way == OURS else Split(users, slow_s)
    began = time.monotonic()
    given.begin(WEIGHT)
    reason, verdict_s, requests = await _judged(given, began, WATCHED_S if kind == GOOD else LIMIT_S)
    given.end()
    await asyncio.sleep(AFTER_S)
    users.ended.set()
    await asking
    seen = [one for one in users.asked if one.due_at >= began]
    seconds = [one.seconds for one in seen]
    return Course(
        kind,
        way,
        number,
        len(seen),
        dict(Counter(one.failure for one in seen if one.failure)),
        _quantile_ms(before, 0.99),
        _quantile_ms(seconds, 0.99),
        _quantile_ms(seconds, 1),
        verdict_s,
        reason,
        requests,
        round(1e3 * slow_s, 2),
    )


async def _slow_s(pair: Pair, users: Users, way: str) -> float:
    """Stable's p99 until now, as whoever counts sees it: the server, or who asks it."""
    if way == SPLIT:
        return _quantile_ms([one.seconds for one in users.asked], 0.99) / 1e3
    told = version_figures([Minute.of(await asyncio.to_thread(pair.live))]).p99_s
    assert told is not None, "stable has told no latency"
    return told


async def _judged(way: Way, began: float, limit_s: float) -> tuple[str, float | None, int]:
    """The metric that spoke against the canary, seconds until then, and the canary's requests."""
    requests = 0
    while time.monotonic() < began + limit_s:
        await asyncio.sleep(LOOK_S)
        span, stopped = await way.look()
        verdict = judged([fuller(RolloutSpan(), span)], Analysis(), broken=stopped > 0)
        requests = verdict.requests
        if verdict.rejected is not None:
            return verdict.rejected.metric, round(time.monotonic() - began, 2), requests
    return "", None, requests


def _quantile_ms(seconds: Sequence[float], share: float) -> float:
    ordered = sorted(seconds)
    return round(1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)


@dataclass(frozen=True)
class Finding:
    """One kind of canary over all rounds; `holds` whether ours failed no request, and was found no later, if it is bad.

    Verdicts are medians, in seconds.
    """

    kind: str
    failed: dict[str, int]
    verdict_s: dict[str, float | None]
    holds: bool

    def __str__(self) -> str:
        said = [f"{way}: {failed} failed, {_verdict(self.verdict_s[way])}" for way, failed in self.failed.items()]
        return f"{self.kind}: {'; '.join(said)}{'' if self.holds else '  MISSED'}"


def finding(kind: str, courses: Sequence[Course]) -> Finding:
    """From its courses. A look comes each second: what is found in the same one is found at the same time."""
    of_kind = [one for one in courses if one.kind == kind]
    failed, verdict_s = {}, {}
    for way in dict.fromkeys(one.way for one in of_kind):
        of_way = [one for one in of_kind if one.way == way]
        times = [one.verdict_s for one in of_way if one.verdict_s is not None]
        failed[way] = sum(one.failed for one in of_way)
        verdict_s[way] = statistics.median(times) if len(times) == len(of_way) else None
    ours, split = verdict_s[OURS], verdict_s.get(SPLIT)
    judged_well = ours is None if kind == GOOD else ours is not None and (split is None or ours <= split + LOOK_S / 2)
    return Finding(kind, failed, verdict_s, judged_well and not failed[OURS])


def _verdict(seconds: float | None) -> str:
    return "no verdict" if seconds is None else f"verdict after {seconds:.1f} s"


def main() -> None:
    """Measures, prints, and writes JSON where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round: two minutes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    parser.add_argument("--strict", action="store_true", help="end with 1 where ours fails a request or is found later")
    options = parser.parse_args()
    folder = cache_root() / "exposure"
    shutil.rmtree(folder, ignore_errors=True)
    (model,) = fit([LOGISTIC])
    body = encoded(DIALECT.body(model.rows[:1]))
    courses: list[Course] = []
    for number in range(1 if options.quick else options.rounds):
        both = [(kind, way) for kind in KINDS for way in (WAYS if number % 2 else WAYS[::-1])]
        for kind, way in (*both, (GOOD, OURS)):
            # Fresh servers each time: a canary that hangs has requests in it that nobody waits for any more.
            with running(model, kind, folder / f"{kind}-{way}-{number}") as pair:
                courses.append(asyncio.run(course(pair, kind, way, number, body)))
            _print(courses[-1], heading=len(courses) == 1)
    findings = [finding(kind, courses) for kind in (*KINDS, GOOD)]
    for one in findings:
        print(one)
    if options.json:
        document = {"machine": description(), "findings": [asdict(one) for one in findings]}
        options.json.write_text(json.dumps(document | {"courses": [asdict(one) for one in courses]}, indent=1) + "\n")
    if options.strict and not all(one.holds for one in findings):
        sys.exit(1)


def _print(one: Course, *, heading: bool) -> None:
    if heading:
        print(
            f"{'canary':8} {'way':6} {'requests':>8} {'failed':>7} {'p99 before':>11} {'p99':>9} {'longest':>9} "
            f"{'slow from':>9} {'verdict':>9} {'of':>6}  reason"
        )
    verdict = "none" if one.verdict_s is None else f"{one.verdict_s:.1f} s"
    print(
        f"{one.kind:8} {one.way:6} {one.requests:8} {one.failed:7} {one.p99_before_ms:8.1f} ms {one.p99_ms:6.1f} ms "
        f"{one.longest_ms:6.0f} ms {one.slow_ms:6.1f} ms {verdict:>9} {one.canary_requests:6}  {one.reason} "
        f"{one.failures or ''}",
        flush=True,
    )


if __name__ == "__main__":
    main()
