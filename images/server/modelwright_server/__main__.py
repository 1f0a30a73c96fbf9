"""The entry point `modelwright-server`: without an argument it serves, with `check` it judges the model and ends."""

import gc
import os
import signal
import sys
from time import perf_counter
from types import FrameType

from modelwright_server.cpus import limit_threads, usable_cpus
from modelwright_server.settings import SettingError, Settings

USAGE = "usage: modelwright-server [check]"


def main() -> None:
    """Serve or check; ends the process with status 0, 1 (told failure) or 2 (wrong use)."""
    started_s = perf_counter()
    # As process 1 of a container the default disposition of SIGTERM is to ignore it, until the event loop has its own.
    signal.signal(signal.SIGTERM, _end)
    arguments = sys.argv[1:]
    if arguments not in ([], ["check"]):
        print(USAGE, file=sys.stderr)
        sys.exit(2)
    try:
        settings = Settings.from_environment(os.environ)
    except SettingError as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
    limit_threads(os.environ, usable_cpus())
    if arguments:
        sys.exit(_check(settings))
    status = _serve(settings, started_s)
    sys.stderr.flush()
    # Not sys.exit: a prediction that outlived the grace period may still run in native code on the worker thread, and
    # tearing the interpreter down under it could end the process by a signal.
    os._exit(status)


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def _check(settings: Settings) -> int:
    from modelwright_server.check import check

    return check(settings)


def _serve(settings: Settings, started_s: float) -> int:
    import uvloop

    from modelwright_server.logs import start_logging
    from modelwright_server.serving import serve
    from modelwright_server.termination import tell

    start_logging(settings.log_level)
    # Collections during start only walk over modules that will live as long as the process.
    gc.disable()
    try:
        unusable = uvloop.run(serve(settings, started_s))
    except OSError as problem:
        unusable = f"the server can't listen on port {settings.port}: {problem}"
    if unusable is None:
        return 0
    tell(settings.termination_log, unusable)
    return 1


if __name__ == "__main__":
    main()
