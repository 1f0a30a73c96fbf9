"""A namespace of a test's own: restricted Pods, the store's keys, a folder in S3, and patience."""

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import boto3
from mypy_boto3_s3 import S3Client

from . import flights
from .api_server import OURS, ApiServer, JsonObject, kubectl
from .live_cluster import STORE_SECRET
from .witness import Witness

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
READY_S = 240
"""Patience with a step on a busy machine; a broken one is told by its Stalled condition long before."""


@dataclass(frozen=True)
class World:
    """What all tests share: the API server, and a witness of all that happens."""

    api: ApiServer
    witness: Witness


@dataclass
class Place:
    """A namespace while a test is in it; left behind, it is deleted, and the lint's complaints fail the test."""

    world: World
    purpose: str
    keys: bool = True
    name: str = ""

    def __enter__(self) -> Self:
        self.name = f"t-{self.purpose}-{secrets.token_hex(3)}"
        self.api.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name, "labels": RESTRICTED}}
        )
        if self.keys:
            self.make(store_secret())
        eventually(lambda: self.api.get("ServiceAccount", self.name, "default") is not None, "a service account")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        complaints = self.world.witness.complaints(self.name)
        self.api.delete("Namespace", "", self.name)
        if kind is None:
            assert not complaints, "\n".join(complaints)

    @property
    def api(self) -> ApiServer:
        """The API server."""
        return self.world.api

    # -- what a user does -------------------------------------------------------------------------------------------

    def make(self, *manifests: JsonObject) -> None:
        """Creates objects, in this order."""
        for manifest in manifests:
            self.api.create({**manifest, "metadata": {**manifest["metadata"], "namespace": self.name}})

    def apply(self, *manifests: JsonObject) -> str:
        """`kubectl apply` of all of them at once."""
        items = [{**one, "metadata": {**one["metadata"], "namespace": self.name}} for one in manifests]
        done = kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": items})
        assert done.returncode == 0, done.stderr
        return done.stdout

    def edit(self, kind: str, name: str, spec: JsonObject) -> None:
        """Changes fields of a spec."""
        self.api.patch(kind, self.name, name, {"spec": spec})

    def delete(self, kind: str, name: str) -> None:
        """Deletes an object, its dependents in the background."""
        self.api.delete(kind, self.name, name)

    def put(self, file: str, content: bytes) -> str:
        """Puts a file into the store, and gives its URI."""
        key = f"raw/{self.name}/{file}"
        s3().put_object(Bucket=bucket(), Key=key, Body=content)
        return f"s3://{bucket()}/{key}"

    def put_flights(self, count: int = 600, file: str = "flights.csv", seed: int = 2013) -> str:
        """Puts so many flights into the store."""
        return self.put(file, flights.csv_bytes(flights.rows(count, seed)))

    # -- what a user sees -------------------------------------------------------------------------------------------

    def get(self, kind: str, name: str) -> JsonObject:
        """The object as the API server has it."""
        found = self.api.get(kind, self.name, name)
        assert found is not None, f"{kind} {name} is not there"
        return found

    def until(
        self, kind: str, name: str, what: str, holds: Callable[[JsonObject], bool], timeout_s: float
    ) -> JsonObject:
        """The object, once `holds` is true of one of its versions; fails with its conditions when time is up."""
        seen = self.world.witness.wait(kind, self.name, name, lambda obj: obj is not None and holds(obj), timeout_s)
        if seen is None:
            raise AssertionError(f"{kind} {self.name}/{name} is not {what} after {timeout_s:.0f} s:\n{self.story()}")
        return seen.obj

    def ready(self, kind: str, name: str, timeout_s: float = READY_S) -> JsonObject:
        """The object, once it is Ready for its present generation."""
        return self.until(kind, name, "Ready", is_ready, timeout_s)

    def told(self, kind: str, name: str, reason: str, timeout_s: float = READY_S) -> JsonObject:
        """The object, once it is not Ready for this reason."""
        return self.until(kind, name, f"told {reason}", lambda obj: not_ready_for(obj, reason), timeout_s)

    def gone(self, kind: str, name: str, timeout_s: float = 60) -> None:
        """Waits until the object is no more."""
        seen = self.world.witness.wait(kind, self.name, name, lambda obj: obj is None, timeout_s)
        assert seen is not None, f"{kind} {self.name}/{name} is still there"

    def events(self, kind: str, name: str) -> dict[str, JsonObject]:
        """The Events about an object, by reason."""
        about = {"fieldSelector": f"involvedObject.kind={kind},involvedObject.name={name}"}
        return {event["reason"]: event for event in self.api.list("Event", self.name, **about)}

    def story(self) -> str:
        """Every object of ours with its conditions, and every Pod with its state: for a failed test."""
        lines = []
        for kind in OURS:
            for obj in self.api.list(kind, self.name):
                lines.append(f"{kind} {obj['metadata']['name']}")
                lines += [
                    f"    {c['type']}={c['status']} {c['reason']}: {c['message']}"
                    for c in obj.get("status", {}).get("conditions", [])
                ]
        for pod in self.api.list("Pod", self.name):
            status = pod.get("status", {})
            states = [
                one.get("state")
                for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
            ]
            lines.append(f"Pod {pod['metadata']['name']} {status.get('phase')} {states}")
        return "\n".join(lines)

    def address(self, service: str) -> str:
        """The URL of a Service, by its address."""
        found: str = self.get("Service", service)["spec"]["clusterIP"]
        return f"http://{found}"


def store_secret() -> JsonObject:
    """The keys of the store, as they are expected in each namespace."""
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": STORE_SECRET},
        "stringData": {key: os.environ[key] for key in keys},
    }


def s3() -> S3Client:
    """The S3 store's client; a new one for each call, because sessions are not safe among threads."""
    return boto3.session.Session().client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def bucket() -> str:
    """The store's bucket."""
    return os.environ["MODELWRIGHT_BUCKET"]


def read(uri: str) -> bytes:
    """A file of the store."""
    where, _, key = uri.removeprefix("s3://").partition("/")
    content: bytes = s3().get_object(Bucket=where, Key=key)["Body"].read()
    return content


def condition(obj: JsonObject, type_: str) -> JsonObject | None:
    """The object's condition of this type."""
    return next((c for c in obj.get("status", {}).get("conditions", []) if c["type"] == type_), None)


def is_ready(obj: JsonObject) -> bool:
    """Whether the object is Ready, and says so of its present spec."""
    ready = condition(obj, "Ready")
    fresh = obj.get("status", {}).get("observedGeneration") == obj["metadata"]["generation"]
    return fresh and ready is not None and ready["status"] == "True"


def not_ready_for(obj: JsonObject, reason: str) -> bool:
    """Whether the object says that it is not Ready for this reason."""
    ready = condition(obj, "Ready")
    return ready is not None and ready["status"] == "False" and ready["reason"] == reason


def eventually(holds: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
    """Waits for what no watch tells."""
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, f"there is no {what} after {timeout_s:.0f} s"
        time.sleep(0.1)
