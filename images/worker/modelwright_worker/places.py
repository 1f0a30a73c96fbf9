"""Where things lie in the container; tests move them by environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """Directories and files a step uses."""

    mounts: Path
    scratch: Path
    termination_log: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Places:
        """Read MODELWRIGHT_MOUNT_ROOT, MODELWRIGHT_SCRATCH and MODELWRIGHT_TERMINATION_LOG."""
        return cls(
            mounts=Path(environment.get("MODELWRIGHT_MOUNT_ROOT") or "/mnt"),
            scratch=Path(environment.get("MODELWRIGHT_SCRATCH") or "/scratch"),
            termination_log=Path(environment.get("MODELWRIGHT_TERMINATION_LOG") or "/dev/termination-log"),
        )

    def claim(self, name: str) -> Path:
        """Where a PersistentVolumeClaim is mounted."""
        return self.mounts / "pvc" / name

    def config_map(self, name: str) -> Path:
        """Where a ConfigMap is mounted."""
        return self.mounts / "configmap" / name

    @property
    def push_config(self) -> Path:
        """The registry's keys, when there are any."""
        return self.mounts / "push" / ".dockerconfigjson"

    @property
    def model(self) -> Path:
        """The model directory that `fetch` fills."""
        return self.scratch / "model"

    @property
    def done(self) -> Path:
        """Where `fetch` says that the step was done before."""
        return self.scratch / "done.json"
