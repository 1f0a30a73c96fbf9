"""Steps as their Jobs run them: a fresh process, a task in its environment, a volume as store, a summary at the end."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import modelwright_contract
import modelwright_worker
from modelwright_contract.results import (
    MAX_SUMMARY_BYTES,
    Failure,
    IngestSummary,
    Summary,
    TrainSummary,
    parse_summary,
)
from modelwright_worker import job

ROOTS = [str(Path(str(module.__file__)).parents[1]) for module in (modelwright_contract, modelwright_worker)]
NAMESPACE = "team"


@dataclass(frozen=True)
class Run:
    """What one process left behind."""

    code: int
    report: Summary | Failure | None
    output: str
    scratch: Path


@dataclass
class Steps:
    """Runs steps over one volume. `key` of a task is made from its content unless it is given."""

    root: Path
    keys: dict[str, str] = field(default_factory=dict)
    """Variables that Secrets give to every step."""
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def volume(self) -> Path:
        """The directory behind pvc://claim/."""
        return self.root / "mnt" / "pvc" / "claim"

    @property
    def store(self) -> Path:
        """The namespace's root in the store."""
        return self.volume / "store" / NAMESPACE

    def write(self, name: str, content: str | bytes) -> str:
        """Put a file on the volume; gives its uri."""
        path = self.volume / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return f"pvc://claim/{name}"

    def run(
        self,
        command: str,
        task: Mapping[str, object],
        environment: Mapping[str, str] | None = None,
        scratch: Path | None = None,
    ) -> Run:
        """Run a command to its end: in a fresh process when an environment is given, else in this one, to save time."""
        scratch = scratch or self.root / f"scratch-{next(self.numbers)}"
        scratch.mkdir(exist_ok=True)
        log = scratch / "termination-log"
        common = {"stepVersion": 1, "namespace": NAMESPACE, "name": "flights", "store": {"uri": "pvc://claim/store"}}
        whole = {**common, "step": command, **task}
        whole.setdefault("key", hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest())
        variables = {
            "MODELWRIGHT_TASK": json.dumps(whole),
            "MODELWRIGHT_MOUNT_ROOT": str(self.root / "mnt"),
            "MODELWRIGHT_SCRATCH": str(scratch),
            "MODELWRIGHT_TERMINATION_LOG": str(log),
            **self.keys,
        }
        if environment is None:
            output = io.StringIO()
            with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                code = job.run(command, variables, time.perf_counter())
        else:
            code, written = _process(command, {**variables, "TMPDIR": str(scratch), **environment}, scratch)
            output = io.StringIO(written)
        text = log.read_text() if log.exists() else ""
        assert len(text.encode()) <= MAX_SUMMARY_BYTES
        return Run(code, parse_summary(text), output.getvalue(), scratch)

    def ingest(self, uri: str, environment: Mapping[str, str] | None = None, **task: object) -> IngestSummary:
        """An ingest that must succeed."""
        run = self.run("ingest", {"source": {"uri": uri}, **task}, environment)
        assert isinstance(run.report, IngestSummary), run
        assert run.code == 0
        return run.report

    def train(
        self, dataset: IngestSummary, environment: Mapping[str, str] | None = None, **task: object
    ) -> TrainSummary:
        """A training that must succeed."""
        run = self.run("train", training(dataset, **task), environment)
        assert isinstance(run.report, TrainSummary), run
        assert run.code == 0
        return run.report

    def failure(
        self, command: str, task: Mapping[str, object], environment: Mapping[str, str] | None = None
    ) -> Failure:
        """A step that must fail with a reason."""
        run = self.run(command, task, environment)
        assert isinstance(run.report, Failure), run
        assert run.code == 3, run.output
        assert not list(self.store.glob("results/*.json")) or command != "ingest"
        return run.report


def _process(command: str, variables: Mapping[str, str], scratch: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "modelwright_worker", command],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": ":".join(ROOTS), **variables},
        cwd=scratch,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def training(dataset: IngestSummary, **task: object) -> dict[str, object]:
    """A train task for a dataset version."""
    common: dict[str, object] = {
        "dataset": {"digest": dataset.digest, "uri": dataset.uri},
        "task": "classification",
        "pipeline": [{"class": "sklearn.ensemble.HistGradientBoostingClassifier", "params": {"max_iter": 5}}],
    }
    return {**common, **task}


def flights(rows: int = 400) -> str:
    """A CSV like the real flights, with every kind of column and some missing values."""
    lines = ["id,month,carrier,distance,arr_delay,time_hour,cancelled"]
    for index in range(rows):
        carrier = ("AA", "UA", "DL", "")[index % 4]
        distance = "NA" if index % 17 == 0 else str(100 + index * 7 % 2000)
        delay = "NA" if index % 29 == 0 else str(index * 13 % 60 - 20)
        hour = f"2013-{index % 12 + 1:02d}-01T{index % 24:02d}:00:00Z"
        lines.append(f"{index},{index % 12 + 1},{carrier},{distance},{delay},{hour},{str(index % 5 == 0).lower()}")
    return "\n".join(lines) + "\n"


LATE = {"name": "late", "role": "target", "type": "boolean", "expression": "arr_delay > 15"}
