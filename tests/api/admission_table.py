"""The table `admission.yaml` as test cases: manifests, and the messages they must get."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from modelwright.api.v1alpha1.server import TUNABLE
from modelwright.api.v1alpha1.trainingrun import CLASSIFICATION_METRICS, REGRESSION_METRICS
from modelwright.names import API_VERSION

_WORDS = {
    "{$metrics}": ", ".join(f'"{name}"' for name in CLASSIFICATION_METRICS + REGRESSION_METRICS),
    "{$metrics_by_task}": f"classification has {', '.join(CLASSIFICATION_METRICS)}; "
    f"regression has {', '.join(REGRESSION_METRICS)}",
    "{$tunable}": ", ".join(name.removeprefix("MODELWRIGHT_") for name in TUNABLE),
}


@dataclass(frozen=True)
class Case:
    """One manifest and what must be said of it; nothing where it is good."""

    id: str
    manifest: dict[str, Any]
    errors: frozenset[str]


def cases() -> list[Case]:
    """The good and the bad cases of the table, in its order."""
    table = yaml.safe_load((Path(__file__).parent / "admission.yaml").read_text())
    found = []
    for entry in table["cases"]:
        base = {
            "apiVersion": API_VERSION,
            "kind": entry["kind"],
            "metadata": {"name": "case"},
            "spec": table["base"][entry["kind"]],
        }
        if "good" in entry:
            found.append(Case(f"{entry['id']}: good", _merged(base, entry["good"]), frozenset()))
        if "bad" in entry:
            errors = frozenset(_filled(error) for error in entry["errors"])
            found.append(Case(f"{entry['id']}: bad", _merged(base, entry["bad"]), errors))
    return found


def _merged(base: Any, patch: Any) -> Any:
    """The patch over the base: mappings are merged, all else is replaced; generators make long values."""
    match patch:
        case {"$repeat": [text, count]}:
            return text * count
        case {"$numbered": [entry, count]}:
            return [{**entry, "name": f"{entry['name']}{number}"} for number in range(count)]
        case dict():
            merged = deepcopy(base) if isinstance(base, dict) else {}
            return merged | {key: _merged(merged.get(key), value) for key, value in patch.items()}
        case list():
            return [_merged(None, entry) for entry in patch]
    return patch


def _filled(error: str) -> str:
    for word, text in _WORDS.items():
        error = error.replace(word, text)
    return error
