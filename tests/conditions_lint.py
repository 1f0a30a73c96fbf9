"""The invariants of a status, for any object of ours: what kstatus, Flux, Helm and Argo CD rely on.

`lint` takes an object as the API server has it and gives one sentence for each broken rule. Messages of conditions do
not end in a full stop, so that they can be joined and quoted.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from modelwright.reasons import REASONS

MESSAGE_LENGTH = 1024
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
_REASON = re.compile(r"^[A-Z][A-Za-z0-9]*$")

Json = Mapping[str, object]


def lint(resource: Json) -> list[str]:
    """What is wrong with the object's status; an empty list where nothing is."""
    status = cast(Json, resource.get("status") or {})
    observed = cast(int, status.get("observedGeneration", -1))
    generation = cast(int, cast(Json, resource["metadata"]).get("generation", 0))
    conditions = cast(list[Json], status.get("conditions") or [])
    if observed < 0:
        return ["conditions are there before the object was seen"] if conditions else []
    found = [f"observedGeneration {observed} is after generation {generation}"] if observed > generation else []
    types = [str(condition.get("type")) for condition in conditions]
    if len(set(types)) != len(types):
        found.append(f"a condition is there twice: {types}")
    for condition in conditions:
        found += _lint_one(condition, generation)
    return found + _lint_together({str(c.get("type")): str(c.get("status")) for c in conditions}, conditions)


def _lint_one(condition: Json, generation: int) -> list[str]:
    type_, reason, message = condition.get("type"), str(condition.get("reason")), str(condition.get("message") or "")
    rules = {
        "its status is not True, False or Unknown": condition.get("status") in ("True", "False", "Unknown"),
        "its reason is not CamelCase": _REASON.match(reason) is not None,
        f"its reason {reason} is not in the table": reason in REASONS,
        "its message is empty": bool(message.strip()),
        "its message is too long": len(message) <= MESSAGE_LENGTH,
        "its message ends in a full stop": not message.endswith("."),
        "its time is not RFC 3339 in UTC": _is_time(condition.get("lastTransitionTime")),
        "it was decided for a later generation": cast(int, condition.get("observedGeneration", -1)) <= generation,
        "it does not say for which generation": "observedGeneration" in condition,
    }
    return [f"{type_}: {broken}" for broken, holds in rules.items() if not holds]


def _lint_together(states: Mapping[str, str], conditions: list[Json]) -> list[str]:
    if "Ready" not in states:
        return ["Ready is not there"]
    moving, stuck = "Reconciling" in states, "Stalled" in states
    ready = next(condition for condition in conditions if condition.get("type") == "Ready")
    paused = ready.get("reason") in ("Suspended", "Paused")
    rules = {
        "Reconciling and Stalled are there together": not (moving and stuck),
        "Reconciling is there but not True": states.get("Reconciling", "True") == "True",
        "Stalled is there but not True": states.get("Stalled", "True") == "True",
        "Ready is True beside Reconciling or Stalled": states["Ready"] != "True" or not (moving or stuck),
        "Ready is not True, and nothing says whether to wait or to act": (
            states["Ready"] == "True" or moving or stuck or paused
        ),
        "Reconciling or Stalled has another reason than Ready": all(
            condition.get("reason") == ready.get("reason")
            for condition in conditions
            if condition.get("type") in ("Reconciling", "Stalled")
        ),
    }
    return [broken for broken, holds in rules.items() if not holds]


def _is_time(text: object) -> bool:
    if not isinstance(text, str) or not _TIME.match(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
