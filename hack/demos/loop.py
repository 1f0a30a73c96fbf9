"""The second half of the demonstration: users ask other things than the model was trained on, and it mends itself."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3

from .kubectl import kubectl
from .predictions import address
from .table import Failed
from .users import Users, Year
from .watching import Object, Watching, condition, is_so, jsonpath, says

DATASET = "flights"
WINDOW = timedelta(seconds=10)
IN_SECONDS = {
    "monitoring": {"drift": {"window": f"{WINDOW.seconds}s"}},
    "rollout": {
        "steps": [{"setWeight": 10}, {"pause": "10s"}, {"setWeight": 50}, {"pause": "10s"}],
        "analysis": {"window": "5s", "minSamples": 100, "maxP99": "200ms"},
    },
}
"""The example's hours and minutes, for people who wait."""


def first_half(flights: Path) -> Path:
    """The path of a file with the flights of January to June alone, beside the other."""
    path = flights.with_name("flights-first-half.csv")
    if not path.exists():
        unfinished = path.with_suffix(".part")
        with flights.open() as whole, unfinished.open("w") as half:
            for line in whole:
                month = line.split(",", 2)[1]
                if month == "month" or int(month) <= 6:
                    half.write(line)
        unfinished.rename(path)
    return path


def upload(flights: Path, key: str) -> None:
    """Puts a file into the object store."""
    store = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    store.upload_file(str(flights), os.environ.get("MODELWRIGHT_BUCKET", "modelwright"), key)


def go_round(flights: Path, key: str, namespace: str, model: str) -> None:
    """From a drift to a new version that serves; raises Failed where a link of the chain does not hold."""
    watching, year = Watching(namespace), Year.of(flights)
    _headline("1. Users ask about flights of January to June, as the model knows them: there is no drift.")
    print("   (For you, what takes hours and minutes in the example takes seconds.)")
    patch("modeldeployment", model, namespace, IN_SECONDS)
    with Users(address(model, namespace), model, year.first) as users:
        drift = jsonpath("Drifted")
        watching.until("modeldeployment", model, says("Drifted"), is_so("Drifted", "False", "NoDrift"), drift)
        _headline("2. Summer comes: from now on they ask about July to December.")
        users.ask_about = year.second
        watching.until("modeldeployment", model, says("Drifted"), is_so("Drifted", "True"), drift)
        asked = jsonpath("Retraining")
        watching.until("modeldeployment", model, says("Retraining"), is_so("Retraining", "False", "NothingNew"), asked)
        _headline("3. The file with the whole year replaces the one before, and the Dataset is to read it.")
        before = _object("dataset", DATASET, namespace)["status"]["version"]["digest"]
        upload(flights, key)
        patch("dataset", DATASET, namespace, {"refresh": {"token": "the-whole-year"}})
        watching.until("dataset", DATASET, says("Ready"), _has_another(before))
        _headline("4. New data, and a drift: a TrainingRun begins by itself. It must be better than what serves.")
        begun = watching.until("modeldeployment", model, says("Retraining"), _is_begun)
        run = watching.until("trainingrun", _newest(begun)["run"], says("Ready"), _has_ended)
        _show_gates(run)
        _headline("5. Its version is packaged, and tried as a canary beside the old one.")
        watching.until("modeldeployment", model, _rollout, _is_over)
        _headline("6. It serves, and has learnt the whole year: users may ask about all of it, and there is no drift.")
        users.ask_about = [*year.first, *year.second]
        watching.until("modeldeployment", model, says("Drifted"), _calm_since(datetime.now(UTC) + WINDOW), drift)
    _tell_users(users)


def patch(kind: str, name: str, namespace: str, spec: Object) -> None:
    """What a person would type, shown and done."""
    document = json.dumps({"spec": spec})
    print(f"\n$ kubectl patch {kind} {name} --type merge -p '{document}'", flush=True)
    print(f"  {kubectl('patch', kind, name, '-n', namespace, '--type', 'merge', '-p', document)}", end="", flush=True)


def _headline(text: str) -> None:
    print(f"\n{text}", flush=True)


def _object(kind: str, name: str, namespace: str) -> Object:
    found: Object = json.loads(kubectl("get", kind, name, "-n", namespace, "-ojson"))
    return found


def _has_another(digest: str) -> Callable[[Object], bool]:
    def holds(dataset: Object) -> bool:
        return str(dataset["status"]["version"]["digest"]) != digest

    return holds


def _newest(deployment: Object) -> Object:
    records: list[Object] = deployment["status"].get("retraining", {}).get("records", [])
    return records[0] if records else {}


def _is_begun(deployment: Object) -> bool:
    return bool(_newest(deployment))


def _has_ended(run: Object) -> bool:
    if condition(run, "Stalled")["status"] == "True":
        raise Failed(f"TrainingRun {run['metadata']['name']}: {condition(run, 'Ready')['message']}")
    return is_so("Passed", "True")(run)


def _calm_since(moment: datetime) -> Callable[[Object], bool]:
    """Whether a window that ended later was like the training data, and nothing has drifted."""

    def holds(deployment: Object) -> bool:
        windows = deployment["status"].get("drift", {}).get("windows", [])
        calm = bool(windows) and not windows[-1]["features"] and datetime.fromisoformat(windows[-1]["at"]) > moment
        return calm and is_so("Drifted", "False", "NoDrift")(deployment)

    return holds


def _show_gates(run: Object) -> None:
    for gate in run["status"]["gates"]:
        against = gate.get("against")
        beaten = f", {against['value']} of {against['version']}" if against else f", at least {gate.get('min')}"
        print(f"            gate {gate['name']}: {gate['metric']} {gate['value']}{beaten}", flush=True)


def _rollout(deployment: Object) -> str:
    """One line on where the rollout stands."""
    status = deployment["status"]
    said, newest = condition(deployment, "Progressing"), _newest(deployment)
    if newest.get("verdict"):
        return f"{newest['verdict']}: {newest['message']}"
    return f"{said['reason']}: {said['message']}" if "canary" in status else str(newest["message"])


def _is_over(deployment: Object) -> bool:
    verdict = str(_newest(deployment).get("verdict", ""))
    if verdict not in ("", "Promoted"):
        raise Failed(f"the retraining ended as {verdict}: {_newest(deployment)['message']}")
    return verdict == "Promoted"


def _tell_users(users: Users) -> None:
    """What they got all the while."""
    total = sum(users.answers.values())
    by_version = ", ".join(f"{count} by {version}" for version, count in sorted(users.answers.items()))
    print(
        f"\nUsers were answered {total} times all the while: {by_version}. Failed: {len(users.failures)}.", flush=True
    )
    if users.failures:
        raise Failed(f"requests of users failed, the first: {users.failures[0]}")
