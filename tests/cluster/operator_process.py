"""The operator as a process of the node: found by its container's id, killed without a word, asked over HTTP."""

import contextlib
import os
import signal
from pathlib import Path

import requests

from .api_server import ApiServer, JsonObject
from .live_cluster import OPERATOR, SYSTEM
from .place import eventually


def pod(api: ApiServer) -> JsonObject | None:
    """The operator's one Pod that is not going."""
    pods = api.list("Pod", SYSTEM, labelSelector=OPERATOR)
    return next((one for one in pods if "deletionTimestamp" not in one["metadata"]), None)


def restarts(api: ApiServer) -> int:
    """How often the kubelet started the container anew, in this Pod."""
    return int(_container(pod(api)).get("restartCount", 0))


def kill(api: ApiServer) -> list[int]:
    """SIGKILL to every process of the container, once there is one; gives their ids."""
    found: list[int] = []

    def running() -> bool:
        found[:] = _processes(_container(pod(api)).get("containerID", ""))
        return bool(found)

    eventually(running, "process of the operator on this machine", 120)
    for process in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    return found


def age_s(api: ApiServer, other_than: list[int]) -> float | None:
    """For how many seconds the container's first process has been there; None while it is one of `other_than`."""
    found = [
        process for process in _processes(_container(pod(api)).get("containerID", "")) if process not in other_than
    ]
    if not found:
        return None
    try:
        started = float(Path(f"/proc/{min(found)}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return None
    return float(Path("/proc/uptime").read_text().split()[0]) - started / os.sysconf("SC_CLK_TCK")


def ready(api: ApiServer) -> bool:
    """Whether the operator leads and its caches are full, by its own word."""
    return ask(api, "readyz") is not None


def ask(api: ApiServer, path: str) -> str | None:
    """What the operator answers, or None while it does not."""
    found = pod(api)
    address = found.get("status", {}).get("podIP") if found else None
    if not address:
        return None
    try:
        answer = requests.get(f"http://{address}:8080/{path}", timeout=5)
    except requests.RequestException:
        return None
    return answer.text if answer.ok else None


def _container(found: JsonObject | None) -> JsonObject:
    statuses = found.get("status", {}).get("containerStatuses", []) if found else []
    container: JsonObject = statuses[0] if statuses else {}
    return container


def _processes(container_id: str) -> list[int]:
    """Processes in the container's control group. A cluster whose node is another machine has none here."""
    hexadecimal = container_id.rpartition("/")[2]
    found = []
    for entry in Path("/proc").iterdir() if hexadecimal else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if hexadecimal in (entry / "cgroup").read_text():
                    found.append(int(entry.name))
    return found
