"""Server processes: started on one core, put to sleep between their turns, ended with all their children."""

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

QUIET = {
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""For every server alike: one thread for a calculation, and nothing told to anybody."""

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Launch:
    """One server with all its children; started on all cores, and then kept on one."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """What it writes."""
        return self.folder / f"{self.name}.log"

    def start(self) -> None:
        """Starts it; it is not ready yet."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "MODELWRIGHT_"))}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env={**inherited, **QUIET, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def pin(self, core: int) -> None:
        """Keeps all threads that it has, and those that they will make, on a core."""
        for pid in self.pids():
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread.name), {core})

    def ended(self) -> bool:
        """Whether its first process is gone."""
        return self._process is None or self._process.poll() is not None

    def sleep(self) -> None:
        """Stops it, so that it takes no processor time from the others; its connections wait."""
        _signal(self.pids(), signal.SIGSTOP)

    def wake(self) -> None:
        """Lets it go on."""
        _signal(self.pids(), signal.SIGCONT)

    def stop(self) -> None:
        """Ends it with all its children, at once: nothing of it is wanted any more."""
        if self._process is None:
            return
        _signal(self.pids(), signal.SIGKILL)
        self._process.wait()
        # What was made while the others were being ended.
        _signal(self.pids(), signal.SIGKILL)
        self._process = None

    def pids(self) -> list[int]:
        """All its processes: its session, and descendants that made sessions of their own."""
        if self._process is None:
            return []
        stats = {int(entry.name): _stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
        found: set[int] = set()
        more = {pid for pid, stat in stats.items() if stat and int(stat[3]) == self._process.pid}
        while more - found:
            found |= more
            more = {pid for pid, stat in stats.items() if stat and int(stat[1]) in found}
        return sorted(found)

    def cpu_s(self) -> float:
        """Processor time that its living processes have used."""
        stats = (_stat(pid) for pid in self.pids())
        return sum(int(stat[11]) + int(stat[12]) for stat in stats if stat) / _TICK

    def pss_bytes(self) -> int:
        """Memory of all its processes, where shared pages count by the share of each."""
        total = 0
        for pid in self.pids():
            try:
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(size) << 10 for size in re.findall(r"^Pss:\s+(\d+)", rollup, re.MULTILINE))
        return total


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat behind the command's name; None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    listeners = [socket.socket() for _ in range(count)]
    try:
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()
