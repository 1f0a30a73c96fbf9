"""Failures that a person can act on: each has a reason, a sentence, and whether trying again may help."""

from __future__ import annotations

from collections.abc import Sequence

from modelwright_contract.results import MAX_VIOLATIONS, Failure, Reason, Violations

MESSAGE_CHARS = 1000
VIOLATION_CHARS = 240


class Told(Exception):
    """A failure with a reason. `retry`: it may heal without a change of the spec."""

    def __init__(self, reason: Reason, message: str, *, retry: bool, violations: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.message = message
        self.retry = retry
        self.violations = tuple(violations)

    def to_failure(self) -> Failure:
        """What goes into the termination message, cut to its bounds."""
        return Failure(
            reason=self.reason,
            message=shortened(self.message, MESSAGE_CHARS),
            retry=self.retry,
            violations=bounded_violations(self.violations) if self.violations else None,
        )


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, with an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def bounded_violations(sentences: Sequence[str]) -> Violations:
    """All counted, the first few quoted."""
    return Violations(
        total=len(sentences), first=tuple(shortened(text, VIOLATION_CHARS) for text in sentences[:MAX_VIOLATIONS])
    )
