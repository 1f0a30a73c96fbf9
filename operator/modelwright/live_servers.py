"""Whom to ask, what their answers amount to, and when that is worth a pass of the reconciler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, NamedTuple

from modelwright.children.role import CANARY
from modelwright.live import VERSIONS, FeatureWindow, Live, VersionFigures
from modelwright.live_document import LiveDocument, Routing
from modelwright.live_sums import Minute, Sums, version_figures
from modelwright.live_windows import Tally
from modelwright.names import STEP_LABEL
from modelwright.objects import Pod
from modelwright_contract.profile import Profile

CALM_S = 60.0
"""Outside of rollouts figures alone wake nobody more often."""

SideName = Literal["stable", "canary"]


class Server(NamedTuple):
    """One Pod that answers requests. Of a `leaving` one everything counts but whether it can be reached."""

    uid: str
    name: str
    address: str
    side: SideName
    leaving: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept of one server's document."""

    version: str
    minute: Minute
    routing: Routing
    tally: Tally | None

    @classmethod
    def of(cls, document: LiveDocument) -> Answer:
        """What matters of it."""
        return cls(document.model_version, Minute.of(document), document.routing, Tally.of(document))


def servers(pods: Iterable[Pod]) -> tuple[Server, ...]:
    """Those of the Pods that are Ready."""
    return tuple(
        Server(
            pod["metadata"]["uid"],
            pod["metadata"]["name"],
            pod.get("status", {}).get("podIP", ""),
            "canary" if pod["metadata"].get("labels", {}).get(STEP_LABEL) == CANARY.step else "stable",
            "deletionTimestamp" in pod["metadata"],
        )
        for pod in pods
        if any(
            one["type"] == "Ready" and one["status"] == "True" for one in pod.get("status", {}).get("conditions", [])
        )
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of asking all servers of a Deployment once: `answers`, and `failures` as sentences, by Pod UID."""

    at: datetime
    asked: tuple[Server, ...]
    answers: Mapping[str, Answer]
    failures: Mapping[str, str]

    def live(
        self, sums: Sums, windows: tuple[FeatureWindow, ...] = (), profiles: Mapping[str, Profile] | None = None
    ) -> Live:
        """As reconcilers see it; `profiles` are those that could be read, by digest."""
        stable = [server for server in self.asked if server.side == "stable" and not server.leaving]
        reached = [self.answers[server.uid] for server in stable if server.uid in self.answers]
        failed = next((server for server in stable if server.uid in self.failures), None)
        counts = sums.counts()
        return Live(
            at=self.at,
            asked=len(stable),
            reached=len(reached),
            failure=f"Pod {failed.name}: {self.failures[failed.uid]}" if failed is not None else "",
            generation=min((answer.routing.generation for answer in reached), default=None),
            told=sums.generation,
            span=counts.span(),
            unreachable=counts.unreachable,
            breaker_opened=counts.breaker_opened,
            versions={name: version_figures(found) for name, found in _by_version(self.answers.values()).items()},
            windows=windows,
            profiled={one.version: one.tally.profile if one.tally else "" for one in self.answers.values()},
            profiles=profiles or {},
        )

    def tallies(self) -> Mapping[str, Tally]:
        """What was counted of features and answers, by Pod UID."""
        return {uid: answer.tally for uid, answer in self.answers.items() if answer.tally is not None}

    def uids(self) -> frozenset[str]:
        """Of the Pods that were asked."""
        return frozenset(server.uid for server in self.asked)

    def profiled(self) -> Mapping[str, Server]:
        """By the digest of a training profile, one of the servers that count by it; of a few of them."""
        found: dict[str, Server] = {}
        for server in self.asked:
            answer = self.answers.get(server.uid)
            if answer is not None and answer.tally is not None and len(found) < VERSIONS:
                found.setdefault(answer.tally.profile, server)
        return found

    def by_side(self) -> Mapping[tuple[str, SideName], VersionFigures]:
        """The last minute by version and side; in a promotion both sides are of one version."""
        sides: dict[SideName, list[Answer]] = {}
        for server in self.asked:
            if server.uid in self.answers:
                sides.setdefault(server.side, []).append(self.answers[server.uid])
        return {
            (version, side): version_figures(minutes)
            for side, answers in sides.items()
            for version, minutes in _by_version(answers).items()
        }


def is_news(live: Live, told: Live | None, *, hurried: bool, since_s: float) -> bool:
    """Whether a reconciler could act on it that was last `told` another one, `since_s` seconds ago.

    While a rollout is under way (`hurried`) that is anything; else what servers apply, a closed window in which there
    were rows, and once a minute what they do.
    """
    if told is None:
        return True
    if (live.generation, live.breaker_opened) != (told.generation, told.breaker_opened):
        return True
    if _judgeable(live) - _judgeable(told):
        return True
    if hurried:
        return replace(live, at=told.at) != told
    return since_s >= CALM_S and _rough(live) != _rough(told)


def _by_version(answers: Iterable[Answer]) -> Mapping[str, list[Minute]]:
    """By version; of too many, those that most servers are of."""
    found: dict[str, list[Minute]] = {}
    for answer in answers:
        found.setdefault(answer.version, []).append(answer.minute)
    kept = sorted(found, key=lambda version: (-len(found[version]), version))[:VERSIONS]
    return {version: found[version] for version in kept}


def _judgeable(live: Live) -> set[tuple[str, datetime]]:
    windows = (window for window in live.windows if window.rows and window.profile in live.profiles)
    return {(window.version, window.start) for window in windows}


def _rough(live: Live) -> object:
    """To two digits: noise is no news."""
    figures = {
        name: tuple(None if one is None else f"{one:.2g}" for one in (f.requests_per_s, f.error_rate, f.p50_s, f.p99_s))
        for name, f in live.versions.items()
    }
    return live.asked, live.reached, live.profiled, figures
