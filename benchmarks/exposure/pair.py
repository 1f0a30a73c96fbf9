"""A stable server and a bad canary of the same model, as processes of this checkout."""

import dataclasses
import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import ours
from benchmarks.servers.models import Model
from benchmarks.servers.places import ROOT

from modelwright.live_document import LiveDocument

BAD_SERVER = ROOT / "tests" / "cluster" / "misbehaviour" / "server.py"
START_S = 60.0
STABLE, CANARY = "stable-1", "canary-1"


@dataclass(frozen=True)
class Pair:
    """The two while they run; `routing` is the folder that stable reads its routing from."""

    model: str
    stable: ours.Server
    canary: ours.Server
    routing: Path

    def address(self, server: ours.Server) -> str:
        """Where users ask."""
        return f"http://127.0.0.1:{server.port}/v2/models/{self.model}/infer"

    def route(self, generation: int, canary: dict[str, object] | None = None) -> None:
        """Tells stable what to forward, as the operator does: a file that appears whole."""
        told = {"generation": generation} | ({"canary": canary} if canary is not None else {})
        made = self.routing / ".routing.json"
        made.write_text(json.dumps(told))
        made.replace(self.routing / "routing.json")

    def live(self) -> LiveDocument:
        """What stable says of itself; blocks."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.stable.management_port}/live", timeout=2) as answer:
            return LiveDocument.model_validate_json(answer.read())


@contextmanager
def running(model: Model, fault: str, folder: Path) -> Iterator[Pair]:
    """Both servers, ready; they are ended in the end. Raises SystemExit where one does not start."""
    directory = ours.write_directory(model, folder / "model")
    routing, program = folder / "routing", folder / "bin"
    for path in (routing, program):
        path.mkdir(parents=True, exist_ok=True)
    settings = {"window_seconds": "1", "processes": "1"}
    stable = ours.server(
        f"{fault}-stable", model.name, directory, folder, model_version=STABLE, routing_dir=str(routing), **settings
    )
    bad = ours.server(f"{fault}-canary", model.name, directory, folder, model_version=CANARY, **settings)
    (program / "misbehaviour").write_text(fault)
    script = program / "modelwright-server"
    script.write_bytes(BAD_SERVER.read_bytes())
    bad = dataclasses.replace(bad, launch=dataclasses.replace(bad.launch, command=[sys.executable, str(script)]))
    pair = Pair(model.name, stable, bad, routing)
    pair.route(1)
    try:
        for server in (stable, bad):
            server.launch.start()
        for server in (stable, bad):
            _until_ready(server)
        yield pair
    finally:
        for server in (stable, bad):
            server.launch.stop()


def _until_ready(server: ours.Server) -> None:
    until = time.monotonic() + START_S
    address = f"http://127.0.0.1:{server.management_port}/v2/health/ready"
    while time.monotonic() < until and not server.launch.ended():
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{server.launch.name} is not ready: {server.launch.log}")
