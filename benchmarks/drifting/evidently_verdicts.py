"""Evidently's verdict on the same streams; run by benchmarks/drift.py in Evidently's own environment.

Standard input: one World and its runs a line, as JSON. Standard output: a line for each run, with the columns of each
window. Report and DataDriftPreset are its public way; they are asked for the first window of each run, and must say the
same as the tests that the preset chooses for each column, which the other windows are asked with: that is 30 times as
fast.
"""

from __future__ import annotations

import json
import os
import sys
import warnings

os.environ["DO_NOT_TRACK"] = "1"

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.presets import DataDriftPreset
from streams import LEVELS, NAMES, World, random_of, train, window


def main() -> None:
    """Answers until there is nothing more to answer."""
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        asked = json.loads(line)
        world = World(**asked["world"])
        for run in range(asked["runs"]):
            print(json.dumps(verdicts(asked["seed"], world, run, by_report=run == 0)), flush=True)


def verdicts(seed: int, world: World, run: int, *, by_report: bool) -> list[list[str]]:
    """The drifted columns of each window. Raises AssertionError where its report says otherwise."""
    rng = random_of(seed, world, run)
    reference = frame(train(world, rng))
    windows = [frame(window(world, rng)) for _ in range(world.windows)]
    found = [[name for name in NAMES if drifted(reference[name], current[name], name)] for current in windows]
    if by_report:
        said = reported(reference, windows[0])
        assert said == found[0], f"the report says {said}, its tests say {found[0]}"
    return found


def frame(rows: object) -> pd.DataFrame:
    """Categories are text, as they are in a table."""
    found = pd.DataFrame(rows, columns=list(NAMES))
    return found.astype(dict.fromkeys(LEVELS, "int64")).astype(dict.fromkeys(LEVELS, "str"))


def drifted(reference: pd.Series, current: pd.Series, name: str) -> bool:
    """By the test and the threshold that Evidently chooses."""
    kind = "cat" if name in LEVELS else "num"
    first, second = reference.dropna(), current.dropna()
    return bool(get_stattest(first, second, kind, None)(first, second, kind, None).drifted)


def reported(reference: pd.DataFrame, current: pd.DataFrame) -> list[str]:
    """By its report."""
    numbers = [name for name in NAMES if name not in LEVELS]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=list(LEVELS))
    both = [Dataset.from_pandas(data, data_definition=definition) for data in (current, reference)]
    result = Report([DataDriftPreset()]).run(*both).dict()
    found = []
    for metric in result["metrics"]:
        config = metric["config"]
        if config["type"].endswith("ValueDrift"):
            below = "p_value" in str(config["method"])
            score, threshold = float(metric["value"]), float(config["threshold"])
            if score < threshold if below else score >= threshold:
                found.append(config["column"])
    return [name for name in NAMES if name in found]


if __name__ == "__main__":
    main()
