"""The operator as a process of its own, and patience with it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from modelwright.config import Config
from pure import samples

ROOT = Path(__file__).parents[1]


class Operator:
    """The operator as a process of its own, in one namespace, with the tests' configuration or another."""

    def __init__(
        self,
        scratch: Path,
        kubeconfig: str,
        namespace: str,
        port: int,
        identity: str = "one",
        config: Config | None = None,
    ) -> None:
        self.log = scratch / f"{identity}.log"
        self._config = scratch / "config.yaml"
        self._config.write_text(json.dumps((config or samples.config()).model_dump(mode="json", by_alias=True)))
        self._namespace = namespace
        self._port = port
        path = os.pathsep.join(str(ROOT / part) for part in ("operator", "images/contract"))
        self._env = {**os.environ, "PYTHONPATH": path, "KUBECONFIG": kubeconfig}
        self._env |= {"POD_NAME": identity, "POD_NAMESPACE": namespace}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and does not wait."""
        command = [sys.executable, "-m", "modelwright", "--config", str(self._config)]
        command += ["--namespace", self._namespace, "--port", str(self._port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._env, stdout=log, stderr=log)

    def answers(self, path: str) -> bool:
        """Whether a probe is good."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    def metrics(self) -> list[str]:
        """The lines of /metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
            return bytes(answer.read()).decode().splitlines()

    def wait(self, timeout_s: float) -> int:
        """The exit code, once it has ended by itself."""
        assert self._process is not None
        return self._process.wait(timeout_s)

    async def ready(self) -> float:
        """Starts it, and returns the seconds until it was ready."""
        began = time.monotonic()
        self.start()
        await eventually(lambda: asyncio.to_thread(self.answers, "/readyz"), 30, self.log)
        return time.monotonic() - began

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Ends it; its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(how)
        return self._process.wait(30)


def said_by(log: Path | None) -> str:
    """The end of a log."""
    return log.read_text()[-4000:] if log else ""


async def eventually(holds: Callable[[], Awaitable[object]], timeout_s: float = 20, log: Path | None = None) -> None:
    """Waits until something holds; fails with the operator's log where it does not come to that."""
    until = time.monotonic() + timeout_s
    while True:
        if await holds():
            return
        if time.monotonic() > until:
            pytest.fail(f"not within {timeout_s} s\n{said_by(log)}", pytrace=False)
        await asyncio.sleep(0.05)
