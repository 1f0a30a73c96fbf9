"""The cluster's daemons: how one is started, told apart from a stranger with the same process id, and asked after."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Daemon:
    """What to start: `files` are written first, and a daemon whose command or files changed is started anew."""

    name: str
    command: tuple[str, ...]
    version: str
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[Path, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Changes with anything that the daemon reads at its start."""
        facts = [self.command, sorted(self.environment.items()), sorted((str(p), t) for p, t in self.files.items())]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@dataclass(frozen=True)
class Running:
    """A live process of a daemon."""

    pid: int
    digest: str
    resident_bytes: int
    age_s: float


class Supervisor:
    """Starts daemons in one network namespace and one control group, and remembers them in a folder of records."""

    def __init__(self, records: Path, logs: Path, namespace: Path, group: Path) -> None:
        """`group` is the file that a daemon joins its control group by."""
        self._records, self._logs, self._namespace, self._group = records, logs, namespace, group

    def log(self, name: str) -> Path:
        """The daemon's standard output and error, all starts in one file."""
        return self._logs / f"{name}.log"

    def ensure(self, daemon: Daemon) -> bool:
        """Starts the daemon unless it runs as it is described; True where it had to."""
        running = self.running(daemon.name)
        if running and running.digest == daemon.digest:
            return False
        self.stop(daemon.name)
        for path, text in daemon.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self._start(daemon)
        return True

    def running(self, name: str) -> Running | None:
        """The daemon's process, when it is alive and is the very one that was started."""
        try:
            record = json.loads((self._records / f"{name}.json").read_text())
            pid, started, digest = int(record["pid"]), int(record["started"]), str(record["digest"])
        except (OSError, ValueError, KeyError):
            return None
        found = _process(pid)
        if found is None or found[0] != started:
            return None
        ticks = os.sysconf("SC_CLK_TCK")
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return Running(pid, digest, found[1] * os.sysconf("SC_PAGE_SIZE"), uptime - started / ticks)

    def stop(self, name: str, timeout_s: float = 10.0) -> None:
        """Asks the daemon to end, and kills it when it does not."""
        asked = time.monotonic()
        while running := self.running(name):
            late = time.monotonic() - asked > timeout_s
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.pid, signal.SIGKILL if late else signal.SIGTERM)
            time.sleep(0.1)
        (self._records / f"{name}.json").unlink(missing_ok=True)

    def _start(self, daemon: Daemon) -> None:
        self._records.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        join = 'echo $$ > "$0" && exec nsenter --net="$1" -- "${@:2}"'
        with self.log(daemon.name).open("ab") as log:
            process = subprocess.Popen(
                ["bash", "-c", join, str(self._group), str(self._namespace), *daemon.command],
                env={**_CLEAN_ENVIRONMENT, **daemon.environment},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _STARTED.append(process)
        found = _process(process.pid)
        record = {"pid": process.pid, "started": found[0] if found else -1, "digest": daemon.digest}
        scratch = self._records / f".{daemon.name}.json"
        scratch.write_text(json.dumps(record))
        scratch.rename(self._records / f"{daemon.name}.json")


_CLEAN_ENVIRONMENT = {"PATH": SYSTEM_PATH, "HOME": "/root"}
_STARTED: list["subprocess.Popen[bytes]"] = []


def _process(pid: int) -> tuple[int, int] | None:
    """A process's start (clock ticks since boot, which with its id names it for good) and resident pages."""
    for process in _STARTED:
        process.poll()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else (int(fields[19]), int(fields[21]))
