"""The answer of a server's GET /live, as far as it is believed: bounded, finite, never negative, in order.

docs/serving.md says what the fields mean. Fields that nobody reads may be anything.
"""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from modelwright_contract.profile import MAX_BINS

Count = Annotated[int, Field(ge=0, le=10**15)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Buckets = Annotated[tuple[tuple[Annotated[int, Field(ge=0, le=1024)], Count], ...], Field(max_length=1025)]
"""(bucket, requests) for each bucket that has some."""


def _rising(bounds: tuple[float, ...]) -> tuple[float, ...]:
    if any(low >= high for low, high in pairwise(bounds)):
        raise ValueError("bounds must rise")
    return bounds


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Window(_Part):
    """Prediction requests of one closed window."""

    id: Count
    seconds: Seconds
    requests: Count = 0
    errors: Count = 0
    latency: Buckets = ()


class Forwarded(_Part):
    """What one side did under a routing generation."""

    requests: Count = 0
    errors: Count = 0
    slow: Count = 0


class Routing(_Part):
    """The routing that a server applies, and what came of it; one that knows no routing applies generation 0.

    `generation` is the lowest that its processes apply, `newest` the highest, which all counts are of.
    """

    generation: Count = 0
    newest: Count = 0
    breaker_opened: Count = 0
    unreachable: Count = 0
    canary: Forwarded = Forwarded()
    stable: Forwarded = Forwarded()
    compared: Count = 0
    agreed: Count = 0


def _few(columns: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    if sum(map(len, columns.values())) > MAX_BINS:
        raise ValueError(f"more than {MAX_BINS} bins")
    return columns


Columns = Annotated[
    dict[Annotated[str, Field(max_length=256)], tuple[Count, ...]], Field(max_length=4096), AfterValidator(_few)
]
"""By the name of a feature or an output, rows in each bin."""


class Totals(_Part):
    """What was counted since the container began; nothing for a model without a training profile."""

    profiled_rows: Count = 0
    features: Columns = {}
    outputs: Columns = {}


class LiveDocument(_Part):
    """What one server said."""

    model_version: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    open_window: Count
    latency_bounds_seconds: Annotated[
        tuple[Seconds, ...], Field(min_length=1, max_length=1024), AfterValidator(_rising)
    ]
    windows: Annotated[tuple[Window, ...], Field(max_length=64)]
    routing: Routing = Routing()
    profile: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] = ""
    totals: Totals = Totals()

    @model_validator(mode="after")
    def _buckets_exist(self) -> Self:
        most = len(self.latency_bounds_seconds)
        if any(bucket > most for window in self.windows for bucket, _ in window.latency):
            raise ValueError(f"a bucket lies beyond the {most + 1} that there are")
        return self
