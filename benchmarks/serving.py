#!/usr/bin/env python3
"""Our model server and MLServer, KServe's, BentoML's and MLflow's beside each other, on one core, with the same models.

    .venv/bin/python benchmarks/serving.py [--quick] [--rounds N] [--seconds S] [--json FILE] [--strict]

The first run installs the peers into virtual environments in the cache; `--install-only` does no more. Needs two
processors, about 6 GiB of memory, and Go (for the load generator). Only ratios of one run mean much.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for source in ("", "images/contract", "images/worker", "images/server"):
    sys.path.insert(0, str(ROOT / source))

from benchmarks.servers import counters, figures, generator, install, open_loop, ours, peers, tables
from benchmarks.servers.agreement import disagreement
from benchmarks.servers.contenders import Contender
from benchmarks.servers.machine import choose_cores, description
from benchmarks.servers.models import Model, fit
from benchmarks.servers.places import cache_root
from benchmarks.servers.race import Measurement, Question, Race
from benchmarks.servers.targets import CELLS, COLUMNS, LOGISTIC, MANY, MODELS, ONNX

PARTS = ("closed", "open", "counters")


@dataclass
class Findings:
    """All measurements, by part, and what follows from them."""

    counters: list[Measurement] = field(default_factory=list)
    closed: list[Measurement] = field(default_factory=list)
    open: list[Measurement] = field(default_factory=list)

    @property
    def measurements(self) -> list[Measurement]:
        """Of all parts."""
        return [*self.counters, *self.closed, *self.open]

    @property
    def verdicts(self) -> list[figures.Verdict]:
        """Of the parts that were measured."""
        found = [*figures.ratios(self.closed), *figures.echo_shares(self.closed), *open_loop.verdicts(self.open)]
        return [*found, counters.verdict(self.counters)] if self.counters else found


def main() -> None:
    """Installs, measures, prints, and writes JSON where asked."""
    options = _options()
    for peer in options.peers:
        if options.lock:
            install.lock(peer)
        install.install(peer)
    program = generator.build()
    if options.install_only or options.lock:
        return
    began = time.monotonic()
    found = _measure(program, options)
    print(tables.throughput(found.closed))
    print(tables.verdicts(found.verdicts))
    for doubt in tables.doubts(found.measurements):
        print(f"doubt: {doubt}")
    print(f"\nmeasured in {time.monotonic() - began:.0f} s")
    if options.json:
        _write(options.json, found, options.peers)
    if options.strict and not all(one.meets_must for one in found.verdicts):
        sys.exit(1)


def _measure(program: Path, options: argparse.Namespace) -> Findings:
    folder = cache_root() / "serving"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    models = fit(MODELS)
    directories = {model.name: ours.write_directory(model, folder / "models" / model.name) for model in models}
    race = Race(program, choose_cores(), models, folder)
    found = Findings()
    if "counters" in options.parts:
        # First: where the switch for them is gone, that is told at once.
        for number in range(options.pairs):
            found.counters += counters.one_pair(race, directories[LOGISTIC], folder, options.seconds, number)
    if "closed" in options.parts:
        found.closed, found.open = _race(race, models, directories, folder, options)
    return found


def _race(
    race: Race, models: Sequence[Model], directories: dict[str, Path], folder: Path, options: argparse.Namespace
) -> tuple[list[Measurement], list[Measurement]]:
    """The closed loop in all cells, and the open loop at the rates that follow from it."""
    contenders = _contenders(models, directories, folder, options)
    closed: list[Measurement] = []
    opened: list[Measurement] = []
    with ExitStack() as stack:
        stack.enter_context(race.running(contenders))
        contenders = [one for one in contenders if _agrees(one, models)]
        size_bytes = next(len(race.answer(one, LOGISTIC)) for one in contenders if one.is_ours)
        echoes = [ours.echo(kind, LOGISTIC, size_bytes, folder) for kind in ("own", "bare")]
        stack.enter_context(race.running(echoes))
        contenders += echoes
        with race.ready(contenders):
            for number in range(options.rounds):
                closed += _closed_round(race, contenders, models, options.seconds, number)
                print(f"round {number + 1} of {options.rounds} done", flush=True)
            if "open" in options.parts:
                contests = open_loop.contests(closed, contenders)
                for number in range(options.rounds):
                    opened += open_loop.one_round(race, contests, options.seconds, number)
    return closed, opened


def _contenders(
    models: Sequence[Model], directories: dict[str, Path], folder: Path, options: argparse.Namespace
) -> list[Contender]:
    archives = folder / "archives"
    for model in models:
        model.save(archives)
    found = [ours.contender(directories, folder)]
    proven = _onnx_directories(models, folder / "onnx")
    if proven:
        found.append(ours.contender(proven, folder, ONNX))
    for peer in options.peers:
        of_peer = peers.contenders(peer, models, archives, folder)
        found += of_peer[:1] if options.quick else of_peer
    return found


def _onnx_directories(models: Sequence[Model], folder: Path) -> dict[str, Path]:
    """The models that have an ONNX form which is proven equal, of those that the table asks for."""
    wanted = {column.model for column in COLUMNS if column.form == ONNX}
    found = {}
    for model in models:
        if model.name in wanted:
            form = ours.onnx_form(model)
            if isinstance(form, bytes):
                found[model.name] = ours.write_directory(model, folder / model.name, form)
            else:
                print(f"{model.name} is not raced in ONNX: {form}", flush=True)
    return found


def _closed_round(
    race: Race, contenders: Sequence[Contender], models: Sequence[Model], seconds: float, number: int
) -> list[Measurement]:
    at = number % len(contenders)
    measured = []
    for model in models:
        for cell in CELLS:
            for contender in [*contenders[at:], *contenders[:at]]:
                if model.name in contender.endpoints and (cell is MANY or not contender.echoes):
                    question = Question(model.name, cell.rows, cell.connections)
                    measured.append(race.measure(contender, question, seconds, number))
    return measured


def _agrees(contender: Contender, models: Sequence[Model]) -> bool:
    """Whether it may be raced. Raises SystemExit where our own server does not answer rightly."""
    problem = disagreement(contender, models)
    if problem is not None and contender.is_ours:
        raise SystemExit(f"{contender.name}: {problem}")
    if problem is not None:
        print(f"{contender.name} is not raced: {problem}", flush=True)
    return problem is None


def _write(path: Path, found: Findings, raced: Sequence[str]) -> None:
    verdicts = [asdict(one) | {"meets_must": one.meets_must, "meets_aim": one.meets_aim} for one in found.verdicts]
    document = {
        "machine": description(),
        "versions": {peer: install.versions_of(peer) for peer in raced},
        "verdicts": verdicts,
        "measurements": asdict(found),
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round, one configuration of each peer")
    parser.add_argument("--rounds", type=int, help="how many rounds (5)")
    parser.add_argument("--seconds", type=float, help="how long each measurement takes (3)")
    parser.add_argument("--pairs", type=int, help="pairs of servers with and without counters (12)")
    parser.add_argument("--peers", nargs="+", choices=install.PEERS, default=list(install.PEERS), help="only these")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="only these (open needs closed)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--strict", action="store_true", help="end with 1 unless every `must` is met")
    parser.add_argument("--install-only", action="store_true", help="install what is missing, and end")
    parser.add_argument("--lock", action="store_true", help="resolve benchmarks/peers/*.in anew, install, and end")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    options.seconds = options.seconds or (0.4 if options.quick else 3.0)
    options.pairs = options.pairs or (2 if options.quick else 12)
    return options


if __name__ == "__main__":
    main()
