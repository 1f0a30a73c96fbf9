"""Makes a local volume for each claim of the class `standard` when a Pod first wants it, and deletes it afterwards.

It runs as a daemon of the node, from a copy of this one file: it imports nothing of this package. Two watches tell it
all: a claim that has a node gets a folder and a PersistentVolume over it; a volume whose claim is gone loses both.
"""

import argparse
import contextlib
import http.client
import json
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROVISIONER = "modelwright.dev/local"
_CLAIMS, _VOLUMES = "/api/v1/persistentvolumeclaims", "/api/v1/persistentvolumes"
_WATCH_S = 600
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
_STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"

Object = dict[str, Any]


def volume_for(claim: Object, root: Path) -> Object | None:
    """The volume that the claim waits for; None where it waits for none of ours."""
    metadata, spec = claim["metadata"], claim["spec"]
    annotations = metadata.get("annotations", {})
    ours = annotations.get(_STORAGE_PROVISIONER) == PROVISIONER and spec.get("volumeMode") != "Block"
    if not ours or spec.get("volumeName") or _SELECTED_NODE not in annotations or "deletionTimestamp" in metadata:
        return None
    name = f"pvc-{metadata['uid']}"
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [annotations[_SELECTED_NODE]]}
    claim_reference = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {_PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": spec["storageClassName"],
            "claimRef": claim_reference,
            "local": {"path": str(root / name)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }


def is_done(volume: Object) -> bool:
    """Whether the volume is one of ours whose claim is gone."""
    by = volume["metadata"].get("annotations", {}).get(_PROVISIONED_BY)
    released = volume.get("status", {}).get("phase") == "Released"
    return bool(by == PROVISIONER and released and volume["spec"]["persistentVolumeReclaimPolicy"] == "Delete")


@dataclass(frozen=True)
class Api:
    """The API server, for one user."""

    address: str
    context: ssl.SSLContext

    def send(self, method: str, path: str, body: Object | None = None) -> None:
        """One request; what is there already, or gone already, is well."""
        connection = http.client.HTTPSConnection(self.address, context=self.context, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
        if answer.status >= http.HTTPStatus.BAD_REQUEST and answer.status not in (404, 409):
            raise OSError(f"{method} {path}: {answer.status} {said.decode()}")

    def watch(self, path: str) -> Iterator[Object]:
        """Every object that is there, then each change; ends when the server ends it."""
        connection = http.client.HTTPSConnection(self.address, context=self.context, timeout=_WATCH_S + 30)
        with contextlib.closing(connection):
            connection.request("GET", f"{path}?watch=1&timeoutSeconds={_WATCH_S}")
            for line in connection.getresponse():
                event = json.loads(line)
                if event.get("type") in ("ADDED", "MODIFIED"):
                    yield event["object"]


def provide(api: Api, root: Path, claim: Object) -> None:
    """Makes the folder and the volume that the claim waits for."""
    if volume := volume_for(claim, root):
        folder = Path(volume["spec"]["local"]["path"])
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
        api.send("POST", _VOLUMES, volume)


def reclaim(api: Api, root: Path, volume: Object) -> None:
    """Deletes the volume that nobody claims any more, with all that is in it."""
    if is_done(volume):
        shutil.rmtree(root / volume["metadata"]["name"], ignore_errors=True)
        api.send("DELETE", f"{_VOLUMES}/{volume['metadata']['name']}")


def _follow(api: Api, path: str, act: Callable[[Object], None]) -> None:
    while True:
        try:
            for found in api.watch(path):
                act(found)
        except (OSError, http.client.HTTPException, ValueError) as failure:
            print(f"{path}: {failure}", flush=True)
        time.sleep(0.5)


def main() -> None:
    """Runs until it is killed."""
    parser = argparse.ArgumentParser()
    for option in ("address", "authority", "certificate", "key", "root"):
        parser.add_argument(f"--{option}", required=True)
    given = parser.parse_args()
    context = ssl.create_default_context(cafile=given.authority)
    context.load_cert_chain(given.certificate, given.key)
    api, root = Api(given.address, context), Path(given.root)
    threading.Thread(target=_follow, args=(api, _VOLUMES, lambda found: reclaim(api, root, found)), daemon=True).start()
    _follow(api, _CLAIMS, lambda found: provide(api, root, found))


if __name__ == "__main__":
    main()
