"""A version that is tried beside the one that serves: begun, given its weights one by one, judged, promoted or ended.

Each pass takes at most one step. It reads `status.rollout`, the servers that are there and what they say, and returns
what status should say next; what is made follows from status alone (canary_routing.py).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, Literal

from modelwright import durations
from modelwright.analysis.verdict import Verdict
from modelwright.api.v1alpha1 import Deployment
from modelwright.api.v1alpha1.rollout import CanaryVersion, Quarantined, RolloutProgress, RolloutSpan
from modelwright.conditions import MESSAGE_LENGTH, moment, timestamp
from modelwright.live import Live
from modelwright.observe import Blocked
from modelwright.plan import Event
from modelwright.reconcilers import canary_verdict, canary_words
from modelwright.reconcilers.canary_routing import (
    heard,
    is_tried,
    left,
    promoting,
    runs,
    servers_wanted,
    unheard_for,
    weight,
)
from modelwright.reconcilers.canary_servers import CanaryServers, Fault
from modelwright.reconcilers.canary_steps import Stage, place, stages
from modelwright.reconcilers.choosing import Choice
from modelwright.reconcilers.quarantine import digest_of, remembered, taken_back
from modelwright.reconcilers.rollout import Rollout
from modelwright.view import View

SPANS: Final = 40
"""So many weights are remembered; the oldest is forgotten."""
STALE: Final = timedelta(minutes=2)
"""What servers said so long ago says nothing of now."""

_SECOND: Final = timedelta(seconds=1)
_TIMES: Final = ("started_at", "step_started_at", "judged_at", "ended_at")


@dataclass(frozen=True, slots=True)
class Trial:
    """What a pass decides: what status should say, and what people should hear.

    `told` is what goes on, as a sentence, and empty where nothing does; `blocked` what a person should mend for it.
    """

    progress: RolloutProgress | None
    canary: CanaryVersion | None = None
    quarantined: tuple[Quarantined, ...] = ()
    events: tuple[Event, ...] = ()
    told: str = ""
    blocked: Blocked | None = None
    again: timedelta | None = None

    @property
    def under_way(self) -> bool:
        """Whether something is tried, and there is no verdict yet."""
        return self.progress is not None and not self.progress.verdict


def trial(resource: Deployment, view: View, choice: Choice, servers: Rollout, now: datetime) -> Trial:
    """The next step of trying `choice` beside what serves, of whose `servers` so many are there."""
    return _Pass(resource, view, choice, servers, now).trial()


def called_off(resource: Deployment, view: View, why: str, now: datetime) -> Trial:
    """What is tried gets no more requests, because the spec can't be followed."""
    return _Pass(resource, view, Choice(), Rollout(0, 0), now).called_off(why)


@dataclass(frozen=True)
class _Pass:
    """One look at one rollout; `servers` are those of what serves, or takes over."""

    resource: Deployment
    view: View
    choice: Choice
    servers: Rollout
    now: datetime

    def trial(self) -> Trial:
        """The next step."""
        last = self._last
        if isinstance(self._stages, ValueError):
            words = str(self._stages)
            blocked = Blocked("StepsInvalid", words, self.resource.metadata.creation_timestamp)
            return replace(self.called_off(words), blocked=blocked)
        if last is None or last.verdict:
            return self._before(last, self._stages)
        if self.resource.spec.rollout.abort == digest_of(last.image):
            return self._reject(last, Fault("Aborted", "spec.rollout.abort names its image"))
        if self.choice.image != last.image:
            return self._end(last, "Superseded", "NewChoice", f"{self.choice.version} is to be served instead")
        if self.resource.spec.server.image is not None:
            return self._end(last, "Superseded", "OtherServer", "spec.server.image names one that forwards nothing")
        if promoting(last) or not is_tried(self.resource, self.choice):
            return self._promote(last)
        return self._judge(last, self._stages)

    def called_off(self, why: str) -> Trial:
        """The end of what is under way, if anything is."""
        last = self._last
        if last is None or last.verdict:
            return self._rest(last)
        return self._end(last, "Superseded", "SpecInvalid", why)

    # What it may be

    def _before(self, last: RolloutProgress | None, stages_: tuple[Stage, ...]) -> Trial:
        """Nothing is under way. It begins once the way is free, and what serves is at its full strength."""
        if not is_tried(self.resource, self.choice):
            return self._rest(last)
        version = self.choice.version
        if left(self.view):
            return self._rest(last, f"{version} waits until the canary before it has gone")
        if not self.servers.done:
            return self._rest(last, f"{version} waits until all servers of {self._stable} are ready")
        begun = RolloutProgress(
            version=version,
            image=self.choice.image,
            steps=len(stages_),
            generation=last.generation if last is not None else 0,
            started_at=timestamp(self.now),
        )
        words = f"{version} is tried beside {self._stable}, with up to {stages_[-1].weight} % of the requests"
        return self._say(begun, words, events=(Event("Normal", "CanaryStarted", words),))

    def _rest(self, last: RolloutProgress | None, told: str = "") -> Trial:
        return self._say(last, told, again=unheard_for(last, self.view, self.now) or None)

    def _promote(self, last: RolloutProgress) -> Trial:
        """Its servers take over by the ordinary rolling update, and it goes on answering its share meanwhile."""
        if not promoting(last):
            last = last.model_copy(
                update={"step": last.steps, "reason": "ByHand", "message": "by the spec's word, without further steps"}
            )
        if not self.servers.done:
            return self._say(last, f"{last.version} takes over from {self._stable}")
        words = f"{last.version} has taken over from {self._stable}: {last.message}"
        return self._end(last, "Promoted", last.reason, last.message, events=(Event("Normal", "Promoted", words),))

    def _judge(self, last: RolloutProgress, stages_: tuple[Stage, ...]) -> Trial:
        """It is rejected at any time, but goes on by its steps only."""
        counted, analysis = self._counted(last), self.resource.spec.rollout.analysis
        if found := self._fault(counted):
            return self._reject(counted, found)
        broken = self._live is not None and self._live.breaker_opened > 0
        verdict = canary_verdict.judged(counted.spans, analysis, broken=broken)
        counted = _with_figures(counted, verdict)
        if (against := verdict.rejected) is not None:
            words = canary_verdict.against(against, counted.spans, self._stable, analysis)
            return self._reject(counted, self._tried.because(Fault(canary_verdict.REASONS[against.metric], words)))
        if self.resource.spec.paused:
            return self._look(last, counted, "; spec.paused keeps it there")
        index = place(stages_, last.step, weight(last))
        at = {"step": index, "steps": len(stages_)}
        return self._step(last.model_copy(update=at), counted.model_copy(update=at), stages_)

    # One step

    def _step(self, last: RolloutProgress, counted: RolloutProgress, stages_: tuple[Stage, ...]) -> Trial:
        """The weight of its stage, as soon as its servers can bear it; and the next stage after the pause."""
        stage, given = stages_[last.step], weight(last)
        if given > stage.weight:
            return self._weigh(counted, stage)
        if given < stage.weight:
            lacking = self._lacking(counted, stage)
            return self._weigh(counted, stage) if not lacking else self._look(last, counted, f"; {lacking}")
        if last.step_started_at is None:
            if not self._is_heard(last):
                return self._look(last, counted, "; not all servers know of it yet")
            return self._say(counted.model_copy(update={"step_started_at": timestamp(self.now)}))
        elapsed, few = self.now - moment(last.step_started_at), counted.requests < self._min_samples
        if elapsed < stage.pause:
            return self._look(last, counted, again=stage.pause - elapsed)
        if few and elapsed < self._deadline:
            words = f"; it waits for {self._min_samples} requests to be judged by"
            return self._look(last, counted, words, again=self._deadline - elapsed)
        if not self._is_heard(last):
            return self._look(last, counted)
        if lacking := self._lacking(counted, stage):
            return self._look(last, counted, f"; {lacking}")
        return self._advance(counted, few=few)

    def _weigh(self, counted: RolloutProgress, stage: Stage) -> Trial:
        """A new generation of what servers are told. How fast stable is, is known from before it."""
        figures = self._live.versions.get(self._stable) if self._live is not None else None
        bound_us = canary_verdict.latency_bound_us(
            self.resource.spec.rollout.analysis, figures.p99_s if figures is not None else None
        )
        span = RolloutSpan(generation=counted.generation + 1, weight=stage.weight, slow_microseconds=bound_us)
        progress = counted.model_copy(
            update={
                "generation": span.generation,
                "step_started_at": None,
                "judged_at": timestamp(self.now),
                "spans": (*counted.spans, span)[-SPANS:],
            }
        )
        return self._say(progress, events=(Event("Normal", "CanaryStep", canary_words.answers(progress)),))

    def _advance(self, counted: RolloutProgress, *, few: bool) -> Trial:
        progress = counted.model_copy(update={"step": counted.step + 1, "step_started_at": None})
        if not promoting(progress):
            return self._say(progress)
        reason, words = canary_words.why_passed(progress, self._stable, few=few)
        return self._say(progress.model_copy(update={"reason": reason, "message": words}))

    def _reject(self, last: RolloutProgress, found: Fault) -> Trial:
        message = found.message[:MESSAGE_LENGTH]
        words = f"{last.version} was taken back, {found.reason}: {message}"
        ended = self._end(last, "Rejected", found.reason, message, (Event("Warning", "RolloutRejected", words),))
        record = taken_back(self.resource, last.image, last.version, found.reason, message, self.now)
        return replace(ended, quarantined=record)

    def _end(
        self,
        last: RolloutProgress,
        verdict: Literal["Promoted", "Rejected", "Superseded"],
        reason: str,
        message: str,
        events: tuple[Event, ...] = (),
    ) -> Trial:
        """No more requests for it, from now on: a new generation, if it had any."""
        ended = last.model_copy(
            update={
                "verdict": verdict,
                "reason": reason,
                "message": message,
                "ended_at": timestamp(self.now),
                "generation": last.generation + bool(weight(last)),
            }
        )
        return self._say(ended, events=events)

    def _look(
        self, last: RolloutProgress, counted: RolloutProgress, more: str = "", again: timedelta | None = None
    ) -> Trial:
        """No step: status gets the figures when it is time, and not before all servers have told theirs."""
        whole, since = self._is_heard(last), moment(last.judged_at or last.started_at or timestamp(self.now))
        blocked = self._tried.hindrance
        if not whole and self.now >= since + self._deadline:
            blocked = Blocked("FiguresUnreachable", canary_words.unheard(self._live, self._stable), timestamp(since))
        elif whole and weight(last) and self.now >= since + self._window:
            last = counted.model_copy(update={"judged_at": timestamp(self.now)})
        told = f"{canary_words.where_it_stands(last, self._stable)}{more}"
        return self._say(last, told, blocked=blocked, again=min(self._window, again or self._window))

    def _say(
        self,
        progress: RolloutProgress | None,
        told: str = "",
        *,
        events: tuple[Event, ...] = (),
        blocked: Blocked | None = None,
        again: timedelta | None = None,
    ) -> Trial:
        going = progress is not None and not progress.verdict
        if going and progress is not None:
            told = told or canary_words.where_it_stands(progress, self._stable)
            again = max(_SECOND, again or self._window)
        return Trial(
            progress,
            self._canary(progress),
            remembered(self.resource),
            events,
            told,
            blocked,
            again,
        )

    # What there is

    @cached_property
    def _last(self) -> RolloutProgress | None:
        """The last rollout, with no time in it that is yet to come: the clock may have been set back."""
        last = self.resource.status.rollout
        if last is None:
            return None
        told = {name: getattr(last, name) for name in _TIMES}
        ahead = {name: timestamp(self.now) for name, text in told.items() if text and moment(text) > self.now}
        return last.model_copy(update=ahead) if ahead else last

    @cached_property
    def _stages(self) -> tuple[Stage, ...] | ValueError:
        rollout = self.resource.spec.rollout
        try:
            return stages(rollout.steps if rollout.strategy == "canary" else ())
        except ValueError as error:
            return error

    @cached_property
    def _tried(self) -> CanaryServers:
        return CanaryServers.of(self.resource, self.view)

    @cached_property
    def _live(self) -> Live | None:
        """What servers said, unless that is long ago."""
        live = self.view.live
        return live if live is None or live.at is None or self.now - live.at <= STALE else None

    @property
    def _stable(self) -> str:
        """The name of the version that serves."""
        stable = self.resource.status.stable
        return stable.version if stable is not None else ""

    @property
    def _window(self) -> timedelta:
        return durations.parse(self.resource.spec.rollout.analysis.window)

    @property
    def _deadline(self) -> timedelta:
        return durations.parse(self.resource.spec.rollout.progress_deadline)

    @property
    def _min_samples(self) -> int:
        return self.resource.spec.rollout.analysis.min_samples

    def _is_heard(self, progress: RolloutProgress) -> bool:
        """Whether all servers are known to apply what they were told, so that figures are whole, too."""
        return heard(self._live, progress)

    def _counted(self, last: RolloutProgress) -> RolloutProgress:
        """With what servers have counted since."""
        live = self.view.live
        if live is None or not last.spans or live.told != last.spans[-1].generation:
            return last
        newest = canary_verdict.fuller(last.spans[-1], live.span)
        return last.model_copy(update={"spans": (*last.spans[:-1], newest)})

    def _fault(self, progress: RolloutProgress) -> Fault | None:
        began = moment(progress.started_at) if progress.started_at else self.now
        return self._tried.fault(tried=bool(progress.spans), began=began, deadline=self._deadline, now=self.now)

    def _lacking(self, progress: RolloutProgress, stage: Stage) -> str:
        """What keeps the canary from being given this stage's weight, or from leaving it; empty where nothing does."""
        if not self.servers.done:
            return f"all servers of {self._stable} must be ready first"
        if self._live is None or not self._live.reached:
            return f"servers of {self._stable} must tell first how fast they are"
        least = servers_wanted(progress, stage.weight, self.servers.wanted)
        there = self._tried.rollout(self.resource, progress.image, least)
        if there.done:
            return ""
        hindrance = self._tried.hindrance
        return f"{there.ready} of its {least} servers are ready" + (f": {hindrance.message}" if hindrance else "")

    # How it is told

    def _canary(self, progress: RolloutProgress | None) -> CanaryVersion | None:
        if progress is None or (progress.verdict and not runs(self.resource, self.view, self.now)):
            return None
        stages_ = self._stages if not isinstance(self._stages, ValueError) else ()
        coming = stages_[progress.step].weight if progress.step < len(stages_) else 0
        before, wanted = self.resource.status.canary, servers_wanted(progress, coming, self.servers.wanted)
        return CanaryVersion(
            version=progress.version,
            image=progress.image,
            replicas=before.replicas if progress.verdict and before is not None else wanted,
            ready_replicas=self._tried.ready,
            weight=weight(progress),
        )


def _with_figures(progress: RolloutProgress, verdict: Verdict) -> RolloutProgress:
    return progress.model_copy(update={"requests": verdict.requests, "metrics": canary_verdict.metrics(verdict)})
