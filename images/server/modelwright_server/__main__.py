"""The entry point `modelwright-server`: without an argument it serves, with `check` it judges the model and ends."""

import os
import signal
import sys
from time import perf_counter
from types import FrameType
from typing import NoReturn

from modelwright_server.settings import SettingError, Settings

USAGE = "usage: modelwright-server [check]"


def main() -> NoReturn:
    """Serve or check; ends the process with status 0, 1 (told failure) or 2 (wrong use)."""
    started_s = perf_counter()
    # As process 1 of a container the default disposition of these is to ignore them.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    arguments = sys.argv[1:]
    if arguments not in ([], ["check"]):
        print(USAGE, file=sys.stderr)
        sys.exit(2)
    try:
        settings = Settings.from_environment(os.environ)
    except SettingError as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
    if arguments:
        sys.exit(_check(settings))
    _serve(settings, started_s)


def _end(_number: int, _frame: FrameType | None) -> None:
    # While a model is being loaded nothing is owed to anybody; the process that answers for health dies with this one.
    os._exit(0)


def _check(settings: Settings) -> int:
    from modelwright_server.check import check
    from modelwright_server.cpus import begin_with_one_thread

    begin_with_one_thread(os.environ)
    return check(settings)


def _serve(settings: Settings, started_s: float) -> NoReturn:
    from modelwright_server.logs import start_logging
    from modelwright_server.supervisor import supervise
    from modelwright_server.termination import tell

    start_logging(settings.log_level)
    sentence = supervise(settings, started_s)
    if sentence is not None:
        tell(settings.termination_log, sentence)
    sys.stderr.flush()
    # Not sys.exit: tearing down an interpreter with NumPy and scikit-learn in it takes a while, and is of no use.
    os._exit(0 if sentence is None else 1)


if __name__ == "__main__":
    main()
