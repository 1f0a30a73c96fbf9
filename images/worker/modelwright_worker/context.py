"""What a step is given, and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelwright_contract.canonical import Json
from modelwright_contract.results import Summary
from modelwright_worker.places import Places
from modelwright_worker.stages import Stages
from modelwright_worker.store import Store


@dataclass(frozen=True, slots=True)
class Context:
    """The world around a step."""

    store: Store
    places: Places
    stages: Stages
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A step's summary, and what else belongs into the full result."""

    summary: Summary
    details: Mapping[str, Json] = field(default_factory=dict)
