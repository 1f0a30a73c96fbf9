"""The cluster that kubectl points at: nothing is started or removed, the user brings store and registry."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from . import images
from .command import run
from .report import ClusterError, say

_REQUIRED = {
    "AWS_ENDPOINT_URL": "the S3 endpoint, as both this machine and Pods reach it",
    "AWS_ACCESS_KEY_ID": "a key that may write the bucket",
    "AWS_SECRET_ACCESS_KEY": "its secret",
    "MODELWRIGHT_REGISTRY": "host:port[/prefix] that this machine may push to and the nodes may pull from",
}
_DEFAULTS = {"AWS_DEFAULT_REGION": "us-east-1", "MODELWRIGHT_BUCKET": "modelwright"}


class Current:
    """kubectl's current context, as it is."""

    def build(self) -> None:
        """Nothing is built for it."""

    def up(self, control_plane_only: bool) -> None:
        """Checks that the cluster answers and that the user named a store and a registry."""
        self._check()
        if not control_plane_only:
            self.environment()
        say("the current cluster answers")

    def down(self) -> None:
        """Leaves it as it is: it was not made here."""
        say("the current cluster is not this command's to remove: nothing was done")

    def status(self) -> bool:
        """Prints the nodes."""
        self._check()
        return subprocess.run([_kubectl(), "get", "nodes", "--output=wide"], check=False).returncode == 0

    def environment(self) -> Mapping[str, str]:
        """The user's own variables, every one of which must be set."""
        missing = [f"  {name}: {meaning}" for name, meaning in _REQUIRED.items() if not os.environ.get(name)]
        if missing:
            raise ClusterError("with the provider current, set these first:\n" + "\n".join(missing))
        given = {name: os.environ[name] for name in _REQUIRED}
        given |= {name: os.environ.get(name) or default for name, default in _DEFAULTS.items()}
        if config := os.environ.get("KUBECONFIG"):
            given["KUBECONFIG"] = config
        return given

    def load(self, images_to_push: Sequence[str]) -> list[str]:
        """Pushes to the user's registry."""
        registry = self.environment()["MODELWRIGHT_REGISTRY"]
        return [images.push(image, registry) for image in images_to_push]

    def _check(self) -> None:
        try:
            run(_kubectl(), "get", "--raw=/readyz", "--request-timeout=10s")
        except ClusterError as failure:
            raise ClusterError(f"kubectl's current context leads to no cluster that answers: {failure}") from None


def _kubectl() -> str:
    found = shutil.which("kubectl")
    if found is None:
        raise ClusterError("kubectl is not on the PATH: install it (https://kubernetes.io/docs/tasks/tools/)")
    return found
