"""The best peer and we at a constant rate at which it is not overloaded: latency from when a request was due."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.servers.contenders import OURS, Contender
from benchmarks.servers.figures import Verdict, best_peer, series, under
from benchmarks.servers.race import Measurement, Question, Race
from benchmarks.servers.targets import COLUMNS, MANY, OPEN_LOOP_LOAD, OPEN_LOOP_P99


@dataclass(frozen=True)
class Contest:
    """The rate for a model, the peer that sets it, and the contenders that are held against each other."""

    question: Question
    peer: str
    contenders: tuple[Contender, ...]


def contests(measurements: Sequence[Measurement], contenders: Sequence[Contender]) -> list[Contest]:
    """For each model 70 % of the best peer's capacity, all that peer's configurations, and all forms of ours."""
    found = []
    for model in dict.fromkeys(column.model for column in COLUMNS):
        peer = best_peer(under(measurements, model, MANY))
        if peer is not None:
            rate = OPEN_LOOP_LOAD * peer.per_second
            question = Question(model, MANY.rows, MANY.connections, round(rate, 1))
            asked = [one for one in contenders if model in one.endpoints and (one.is_ours or one.server == peer.server)]
            found.append(Contest(question, peer.server, tuple(asked)))
    return found


def one_round(race: Race, contests_: Sequence[Contest], seconds: float, number: int) -> list[Measurement]:
    """Every contender of every contest once, in another order each round."""
    measured = []
    for contest in contests_:
        at = number % len(contest.contenders)
        for contender in contest.contenders[at:] + contest.contenders[:at]:
            measured.append(race.measure(contender, contest.question, seconds, number))
    return measured


def verdicts(measurements: Sequence[Measurement]) -> list[Verdict]:
    """Our p99 over the peer's, by that of its configurations which has the least at this rate."""
    found = []
    for column in COLUMNS:
        of_model = series(one for one in measurements if one.question.model == column.model)
        ours = next((one for one in of_model if one.server == OURS and one.form == column.form), None)
        peers = [one for one in of_model if one.server != OURS and one.sound]
        peer = min(peers, key=lambda one: one.p99_ms, default=None)
        if ours is None or peer is None:
            continue
        by_round = [one.p99_ms / other.p99_ms for one, other in zip(ours.measurements, peer.measurements, strict=True)]
        rate = ours.measurements[0].question.rate_per_s
        found.append(
            Verdict(
                "p99 at a constant rate",
                column.title,
                ours.p99_ms / peer.p99_ms,
                min(by_round),
                max(by_round),
                OPEN_LOOP_P99,
                "at most",
                f"{peer.name}: {peer.p99_ms:.2f} ms, ours {ours.p99_ms:.2f} ms, at {rate:.0f}/s",
                ours.sound,
            )
        )
    return found
