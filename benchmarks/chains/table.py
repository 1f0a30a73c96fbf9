"""The figures as a table for people."""

import statistics
from collections.abc import Callable, Sequence

from benchmarks.chains.course import Course, Stage

COLUMNS: dict[str, Callable[[Stage], float]] = {
    "reconcile": lambda stage: stage.reconcile_s,
    "Pod start": lambda stage: stage.pod_s,
    "imports": lambda stage: stage.imports_s,
    "work": lambda stage: stage.work_s,
    "told": lambda stage: stage.told_s,
    "all": lambda stage: stage.total_s,
}


def render(courses: Sequence[Course]) -> str:
    """Medians over all rounds, in seconds."""
    totals = sorted(course.total_s for course in courses)
    spread = f"median of {len(totals)}; from {totals[0]:.2f} to {totals[-1]:.2f}"
    lines = [
        f"\nfirst correct prediction after {statistics.median(totals):.2f} s ({spread}); medians of each part:\n",
        f"{'step':<10}" + "".join(f"{name:>11}" for name in COLUMNS),
    ]
    for step in courses[0].stages:
        cells = (statistics.median(get(course.stages[step]) for course in courses) for get in COLUMNS.values())
        lines.append(f"{step:<10}" + "".join(f"{cell:>11.2f}" for cell in cells))
    sums = (
        statistics.median(sum(get(stage) for stage in course.stages.values()) for course in courses)
        for get in COLUMNS.values()
    )
    lines.append(f"{'all':<10}" + "".join(f"{cell:>11.2f}" for cell in sums))
    lines.append(f"\nkubectl apply itself: {statistics.median(course.apply_s for course in courses):.2f} s")
    lines += ["", "inside the programs (last round):"]
    for step, stage in courses[-1].stages.items():
        for program, seconds in stage.details.items():
            said = ", ".join(f"{name} {value:.3f}" for name, value in seconds.items())
            lines.append(f"  {step + ' ' + program:<16} {said}")
    return "\n".join(lines)
