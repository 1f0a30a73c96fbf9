"""The arithmetic of a canary's steps: which weight comes when, and how many servers it takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from typing import Final

from modelwright import durations
from modelwright.api.v1alpha1.rollout import RolloutStep


@dataclass(frozen=True, slots=True)
class Stage:
    """One weight, in percent of the requests, and how long it is kept at least."""

    weight: int
    pause: timedelta = timedelta()


DEFAULT: Final = (Stage(10, timedelta(minutes=5)), Stage(50, timedelta(minutes=5)))
"""What `spec.rollout.steps` is where it is left out."""


def stages(steps: Sequence[RolloutStep]) -> tuple[Stage, ...]:
    """The weights of a spec, each with the pauses behind it; raises ValueError with what to write instead."""
    found: list[Stage] = []
    for index, step in enumerate(steps):
        if step.set_weight is not None:
            if found and step.set_weight <= found[-1].weight:
                raise ValueError(
                    f"spec.rollout.steps[{index}].setWeight is {step.set_weight} after {found[-1].weight}; weights "
                    "must rise from step to step"
                )
            found.append(Stage(step.set_weight))
        elif not found:
            raise ValueError(f"spec.rollout.steps[{index}] is a pause before any weight; write a setWeight first")
        elif step.pause is not None:
            found[-1] = replace(found[-1], pause=found[-1].pause + durations.parse(step.pause))
    return tuple(found) or DEFAULT


def place(stages_: Sequence[Stage], index: int, weight: int) -> int:
    """Where a canary stands that was at stage `index` and has `weight`, once the stages may be others.

    It has the weight of its stage, or of the one before while servers for it start. Where it has neither, it stands
    where its weight is; or else at the greatest weight below, and where all are above, at the first.
    """
    before = stages_[index - 1].weight if 0 < index <= len(stages_) else 0
    if index < len(stages_) and weight in (before, stages_[index].weight):
        return index
    below = [number for number, stage in enumerate(stages_) if stage.weight <= weight]
    return below[-1] if below else 0


def share(servers: int, weight: int) -> int:
    """How many servers answer `weight` percent of the requests as well as `servers` answer all; at least one."""
    return max(1, ceil(servers * weight / 100))
