"""This machine: which cores are used for what, what it is, and what else ran on it during a measurement."""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
# Fields of a line `cpuN` in /proc/stat that are somebody's work: user, nice, system, and steal (other machines' work).
# Interrupts are left out: here they are mostly the network's own, on behalf of what is measured.
_WORK = (0, 1, 2, 7)


@dataclass(frozen=True)
class Cores:
    """One core for the servers, another one for who asks them."""

    server: int
    load: int

    def work_s(self) -> float:
        """Processor time that was used on the two since the machine started, whoever used it."""
        lines = dict(re.findall(r"^cpu(\d+) (.*)$", Path("/proc/stat").read_text(), re.MULTILINE))
        used = [[int(field) for field in lines[str(core)].split()] for core in (self.server, self.load)]
        return sum(fields[index] for fields in used for index in _WORK) / _TICK


def choose_cores() -> Cores:
    """The last two cores that this process may use. Raises SystemExit where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise SystemExit("two processors are needed, one for the servers and one for the load; this process has one")
    return Cores(server=usable[-1], load=usable[-2])


def description() -> dict[str, str | int]:
    """Processor, system, and interpreter."""
    model = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "processor": model[1] if model else platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
