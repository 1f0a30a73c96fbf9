"""The figures as tables for people."""

from collections.abc import Sequence

from benchmarks.servers.figures import Series, Verdict, best_peer, under
from benchmarks.servers.race import Measurement
from benchmarks.servers.targets import CELLS, MODELS

NOISE = 0.05
"""A share of a core that other programs may take before a measurement is doubtful."""
SATURATED = 0.9
"""The generator's share of its core from which on it may have been the bound."""


def throughput(measurements: Sequence[Measurement]) -> str:
    """Requests a second and p99 of every contender in every cell; the best peer of each is marked."""
    lines = []
    for model in MODELS:
        columns = {cell: under(measurements, model, cell) for cell in CELLS}
        names = list(dict.fromkeys(one.name for found in columns.values() for one in found))
        if not names:
            continue
        best = {cell: best_peer(found) for cell, found in columns.items()}
        lines += ["", f"{model}: requests a second (*: the best peer), half the spread of the rounds, p99", ""]
        lines.append(f"{'':<46}" + "".join(f"{cell.title:>34}" for cell in CELLS))
        for name in names:
            line = f"{name:<46}"
            for cell, found in columns.items():
                one = next((one for one in found if one.name == name), None)
                if one is None:
                    line += f"{'':>34}"
                    continue
                line += f"{_figures(one, best=best[cell] is one):>34}"
            lines.append(line)
    return "\n".join(lines)


def _figures(one: Series, *, best: bool) -> str:
    spread = f" ±{one.spread / 2:.0%}" if len(one.measurements) > 1 else ""
    fault = "" if one.sound else " FAULTS"
    return f"{fault} {one.per_second:.0f}{'*' if best else ' '}{spread:>6}{one.p99_ms:>9.2f} ms"


def verdicts(found: Sequence[Verdict]) -> str:
    """Each figure beside what must and should be."""
    lines = ["", f"{'':<26}{'':<24}{'figure':>8}{'spread':>20}{'must':>8}{'aim':>8}  "]
    for one in found:
        must, aim = (one.target.must, one.target.aim) if one.target else (None, None)
        said = "" if one.target is None else "aim met" if one.meets_aim else "met" if one.meets_must else "MISSED"
        spread = f"{one.low:.3g} to {one.high:.3g}"
        lines.append(
            f"{one.what:<26}{one.part:<24}{one.value:>8.3g}{spread:>20}{_bound(must)}{_bound(aim)}"
            f"  {said:<8} {one.versus}"
        )
    return "\n".join(lines)


def doubts(measurements: Sequence[Measurement]) -> list[str]:
    """What speaks against trusting the figures."""
    found = []
    noisy = [one.others_cpu for one in measurements if one.others_cpu > NOISE]
    if noisy:
        found.append(
            f"other programs took more than {NOISE:.0%} of a core in {len(noisy)} of {len(measurements)} measurements "
            f"(up to {max(noisy):.0%}): repeat on a quiet machine"
        )
    saturated = {f"{one.server}, {one.configuration}" for one in measurements if one.load_cpu > SATURATED}
    if saturated:
        found.append(f"the load generator was the bound for: {', '.join(sorted(saturated))}")
    for one in measurements:
        if not one.sound:
            asked = f"{one.question.model}, {one.question.rows} rows, concurrency {one.question.connections}"
            faults = ", ".join(f"{count} × {what}" for what, count in one.faults.items())
            found.append(
                f"{one.server}, {one.configuration}: {asked}: {one.per_second:.0f} answers a second, "
                f"{one.wrong} wrong rows of those looked at, faults: {faults or 'none'}"
            )
    return found


def _bound(value: float | None) -> str:
    return f"{'' if value is None else format(value, '.3g'):>8}"
