"""The chain as a table that is drawn anew in a terminal, and told line by line elsewhere."""

import shutil
import sys
import time

from .kubectl import Shown, objects


class Failed(Exception):
    """The chain needs a person; the message is the object's own."""


def follow(namespace: str, last: str, limit_s: float) -> list[Shown]:
    """Shows the chain until the Deployment `last` is Ready; raises Failed when something stalls or time is up."""
    began = time.monotonic()
    table = Table(began)
    while True:
        shown = objects(namespace)
        table.draw(shown)
        if any(one.kind == "Deployment" and one.name == last and one.ready == "True" for one in shown):
            return shown
        for one in shown:
            if one.stalled:
                raise Failed(f"{one.kind} {one.name}: {one.message}")
        if time.monotonic() - began > limit_s:
            raise Failed(f"not Ready after {limit_s:.0f} s; `kubectl get modelwright -A` shows where it stands")
        time.sleep(0.3)


class Table:
    """Remembers what it has drawn."""

    def __init__(self, began: float) -> None:
        self._began = began
        self._height = 0
        self._told: dict[tuple[str, str], tuple[str, str]] = {}

    def draw(self, shown: list[Shown]) -> None:
        """Draws over the last picture in a terminal; elsewhere prints what has changed."""
        if sys.stdout.isatty():
            width = shutil.get_terminal_size().columns
            lines = [_line(self._seconds(), one)[:width] for one in shown]
            print(f"\x1b[{self._height}A" if self._height else "", end="")
            print("".join(f"\x1b[2K{line}\n" for line in lines), end="", flush=True)
            self._height = len(lines)
            return
        for one in shown:
            state = (one.ready, one.reason)
            if self._told.get((one.kind, one.name)) != state:
                self._told[(one.kind, one.name)] = state
                print(_line(self._seconds(), one), flush=True)

    def _seconds(self) -> float:
        return time.monotonic() - self._began


def _line(seconds: float, one: Shown) -> str:
    mark = {"True": "✓", "False": "…"}.get(one.ready, " ")
    return f"  {seconds:6.1f} s  {mark} {one.kind:<13}{one.name:<26}{one.reason:<20}{one.message}"
