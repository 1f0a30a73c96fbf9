"""An object, watched until something holds of it: what it says of itself on the way, line by line."""

import json
import time
from collections.abc import Callable
from typing import Any

from .kubectl import kubectl
from .table import Failed

Object = dict[str, Any]
LIMIT_S = 600


class Watching:
    """`seconds` are counted from its making."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._began = time.monotonic()

    def until(
        self, kind: str, name: str, told: Callable[[Object], str], holds: Callable[[Object], bool], look: str = ""
    ) -> Object:
        """The object, once it holds; prints what it tells each time that this changes, and first where to look.

        Raises Failed when time is up.
        """
        print(f"\n$ kubectl get {kind} {name}{look}", flush=True)
        before, end = "", time.monotonic() + LIMIT_S
        while True:
            obj: Object = json.loads(kubectl("get", kind, name, "-n", self._namespace, "-ojson"))
            words, done = told(obj), holds(obj)
            if words != before or done:
                mark = "✓" if done else "…"
                print(f"  {time.monotonic() - self._began:6.1f} s  {mark} {words}", flush=True)
            if done:
                return obj
            if time.monotonic() > end:
                raise Failed(f"{kind} {name} has said for too long: {words}")
            before = words
            time.sleep(0.5)


def condition(obj: Object, type_: str) -> Object:
    """The object's condition of this type, or one that says nothing."""
    nothing = {"type": type_, "status": "Unknown", "reason": "", "message": ""}
    return next((one for one in obj.get("status", {}).get("conditions", []) if one["type"] == type_), nothing)


def says(type_: str) -> Callable[[Object], str]:
    """The condition as a line."""

    def told(obj: Object) -> str:
        said = condition(obj, type_)
        return f"{type_}={said['status']} {said['reason']}: {said['message']}"

    return told


def is_so(type_: str, status: str, reason: str = "") -> Callable[[Object], bool]:
    """Whether the condition has this status, and this reason where one is given."""

    def holds(obj: Object) -> bool:
        said = condition(obj, type_)
        return said["status"] == status and reason in ("", said["reason"])

    return holds


def jsonpath(type_: str) -> str:
    """What to add to `kubectl get` to read that condition's message."""
    return f""" -o jsonpath='{{.status.conditions[?(@.type=="{type_}")].message}}'"""
