"""kubectl, as the demonstration uses it."""

import json
import subprocess
from typing import cast

KINDS = "datasets,trainingruns,modelversions,modeldeployments"

JsonObject = dict[str, object]


def kubectl(*arguments: str) -> str:
    """What kubectl prints; raises CalledProcessError, its own message having gone to the terminal."""
    return subprocess.run(["kubectl", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def objects(namespace: str) -> list["Shown"]:
    """The four kinds' objects, in the order of the chain and then of their creation."""
    found = json.loads(
        kubectl("get", f"{KINDS}.modelwright.dev".replace(",", ".modelwright.dev,"), "-n", namespace, "-ojson")
    )
    shown = [Shown(item) for item in found["items"]]
    return sorted(shown, key=lambda one: (ORDER.index(one.kind), one.created))


ORDER = ("Dataset", "TrainingRun", "ModelVersion", "Deployment")


class Shown:
    """One object, as far as the table shows it."""

    def __init__(self, obj: JsonObject) -> None:
        metadata = cast(dict[str, str], obj["metadata"])
        self.kind = str(obj["kind"])
        self.name = metadata["name"]
        self.created = metadata["creationTimestamp"]
        self.status = cast(dict[str, object], obj.get("status", {}))
        conditions = cast(list[dict[str, str]], self.status.get("conditions", []))
        ready = next((one for one in conditions if one["type"] == "Ready"), {})
        self.ready = ready.get("status", "-")
        self.reason = ready.get("reason", "")
        self.message = ready.get("message", "")
        self.stalled = any(one["type"] == "Stalled" for one in conditions)
