"""Kubernetes durations (`90s`, `5m`, `1h30m`) as `timedelta`."""

import re
from datetime import timedelta

_UNITS = {
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")


def parse(text: str) -> timedelta:
    """The duration that `text` names; raises ValueError with what to write instead."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'"{text}" is not a duration; write hours, minutes and seconds, for example 90s, 5m or 1h30m')
    return sum((float(number) * _UNITS[unit] for number, unit in parts), timedelta())
