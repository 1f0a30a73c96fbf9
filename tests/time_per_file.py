"""At the end of a session, a table of how long each test file took."""

from collections import Counter
from pathlib import PurePosixPath

import pytest
from _pytest.terminal import TerminalReporter

_SHOWN_S = 0.05


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Prints it, slowest first; what a file's fixtures took is the file's whose test needed them first."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                file = str(PurePosixPath(report.nodeid.partition("::")[0]))
                seconds[file] += report.duration
                tests[file] += report.when == "call"
    if not seconds:
        return
    terminalreporter.section("time per file")
    for file, taken in seconds.most_common():
        if taken >= _SHOWN_S:
            terminalreporter.write_line(f"{taken:8.1f} s  {tests[file]:5d} tests  {file}")
    terminalreporter.write_line(f"{sum(seconds.values()):8.1f} s  {sum(tests.values()):5d} tests  in all")
