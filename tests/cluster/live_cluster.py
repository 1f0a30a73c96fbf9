"""A real cluster with Modelwright installed, as the tests of the whole chain use it."""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "modelwright-system"
STORE_SECRET = "modelwright-store"
OPERATOR = "app.kubernetes.io/component=operator"

JsonObject = dict[str, Any]


class CommandFailed(Exception):
    """A command ended with an error; the text is all that it said."""


def run(*command: str, text: str = "", environment: Mapping[str, str] | None = None, timeout_s: float = 300) -> str:
    """What the command says on standard output; raises CommandFailed with the rest."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    if done.returncode:
        raise CommandFailed(f"`{shlex.join(command)}` ended with {done.returncode}: {done.stdout}{done.stderr}".strip())
    return done.stdout


def variables(*options: str) -> dict[str, str]:
    """What `hack/cluster env` says, as a shell would have it."""
    said = run("hack/cluster", "env", *options)
    names = [line.split()[1].partition("=")[0] for line in said.splitlines() if line.startswith("export ")]
    shown = run("bash", "-c", 'eval "$1"; shift; for name; do printf "%s\\0" "${!name}"; done', "-", said, *names)
    return dict(zip(names, shown.split("\0"), strict=False))


@dataclass(frozen=True)
class Cluster:
    """`environment` are the variables of `hack/cluster env`; they are set in this process too."""

    environment: Mapping[str, str]

    @property
    def registry(self) -> str:
        """`host:port`, the same for this process, for nodes and for Pods; plain HTTP."""
        return self.environment["MODELWRIGHT_REGISTRY"]

    @property
    def bucket(self) -> str:
        """The bucket that there is."""
        return self.environment["MODELWRIGHT_BUCKET"]

    @property
    def s3(self) -> S3Client:
        """A client of the store."""
        return boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment.get("AWS_DEFAULT_REGION", "us-east-1"),
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def kubectl(self, *arguments: str, text: str = "", timeout_s: float = 300) -> str:
        """What kubectl says; raises CommandFailed."""
        return run("kubectl", *arguments, text=text, timeout_s=timeout_s)

    def apply(self, text: str, namespace: str) -> str:
        """Applies manifests on the server's side, as Git tools do."""
        return self.kubectl("apply", "--server-side", f"--namespace={namespace}", "--filename=-", text=text)

    def get(self, kind: str, name: str, namespace: str) -> JsonObject:
        """One object; `kind` is a plural or, where two groups have it, `plural.group`."""
        found: JsonObject = json.loads(self.kubectl("get", kind, name, f"--namespace={namespace}", "--output=json"))
        return found

    def wait(
        self, kind: str, name: str, namespace: str, condition: str = "Ready", timeout_s: float = 180
    ) -> JsonObject:
        """The object once a condition holds (`Ready`, or `Ready=False`); shows the object where it does not come."""
        option = f"--for=condition={condition}"
        try:
            self.kubectl(
                "wait",
                option,
                f"{kind}/{name}",
                f"--namespace={namespace}",
                f"--timeout={timeout_s}s",
                timeout_s=timeout_s + 30,
            )
        except CommandFailed as failure:
            seen = self.kubectl("get", kind, name, f"--namespace={namespace}", "--output=yaml", "--ignore-not-found")
            raise AssertionError(f"{failure}\n{seen}") from failure
        return self.get(kind, name, namespace)

    def operator_pods(self) -> list[str]:
        """The names of the operator's Pods that are not going."""
        pods = json.loads(
            self.kubectl("get", "pods", f"--namespace={SYSTEM}", f"--selector={OPERATOR}", "--output=json")
        )
        return [pod["metadata"]["name"] for pod in pods["items"] if "deletionTimestamp" not in pod["metadata"]]

    def operator_kill(self) -> None:
        """Ends the operator's Pods without a grace period, and returns at once."""
        for name in self.operator_pods():
            self.kubectl("delete", "pod", name, f"--namespace={SYSTEM}", "--grace-period=0", "--force", "--wait=false")

    def operator_restart(self) -> None:
        """Replaces the operator's Pods in good order, and returns when the new ones are ready."""
        self.kubectl("rollout", "restart", "deployment/modelwright", f"--namespace={SYSTEM}")
        self.operator_ready()

    def operator_ready(self, timeout_s: float = 120) -> None:
        """Returns when the operator is ready."""
        self.kubectl("rollout", "status", "deployment/modelwright", f"--namespace={SYSTEM}", f"--timeout={timeout_s}s")

    def operator_log(self) -> str:
        """The end of the operator's log."""
        return self.kubectl("logs", f"--selector={OPERATOR}", f"--namespace={SYSTEM}", "--tail=200", "--prefix")

    def make_namespace(self, name: str) -> None:
        """A namespace under the restricted standard, with the store's keys."""
        metadata = {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
        keys = {key: self.environment[key] for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": STORE_SECRET}, "stringData": keys}
        self.kubectl(
            "create", "--filename=-", text=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        )
        self.apply(json.dumps(secret), name)
        self._service_account(name)

    def _service_account(self, namespace: str) -> None:
        """The controller-manager makes it a moment after the namespace; Pods before it are refused."""
        deadline = time.monotonic() + 30
        while not self.kubectl("get", "serviceaccount", "default", f"--namespace={namespace}", "--ignore-not-found"):
            if time.monotonic() > deadline:
                raise AssertionError(f"the namespace {namespace} got no service account")
            time.sleep(0.2)
