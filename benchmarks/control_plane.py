"""What the operator costs a cluster: writes and CPU for each object, and what a restart costs.

A control plane of its own without a node, the real controllers, and a simulated kubelet that ends every Pod at once.
Each round makes N Datasets in a namespace of its own, waits until all are Ready, and then restarts the operator.
"""

import argparse
import asyncio
import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "images" / "contract"), str(ROOT / "tests")]

from modelwright import access
from modelwright.kube import AlreadyExists, KubeClient
from modelwright.objects import KubeObject
from modelwright.plan import JsonObject
from modelwright.resources import ResourceType, ours
from pure import samples
from simulated_kubelet import SimulatedKubelet

DATASETS = ours("Dataset", "datasets")
NAMESPACES = ResourceType("", "v1", "namespaces", "Namespace")
CRDS = ResourceType("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
PORT = 18099
CREATORS = 8
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Round:
    """The figures of one round. CPU is the operator's own, user and system."""

    objects: int
    known_before: int
    all_ready_s: float
    ready_per_s: float
    cpu_ms_per_object: float
    writes_per_object: float
    writes: dict[str, int]
    passes_per_object: float
    rss_mib: float
    idle_writes: int
    restart_ready_s: float
    restart_cpu_s: float
    restart_writes: int


class Operator:
    """The operator as a process of its own."""

    def __init__(self, config: Path, log: Path) -> None:
        self._config = config
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """Starts it, and returns the seconds until it was ready."""
        env = {**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'images' / 'contract'}", "POD_NAME": "bench"}
        command = [sys.executable, "-m", "modelwright", "--config", str(self._config), "--port", str(PORT)]
        began = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        while time.monotonic() - began < 60:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/readyz", timeout=1):
                    return time.monotonic() - began
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.02)
        raise SystemExit(f"the operator did not become ready:\n{self._log.read_text()[-3000:]}")

    def stop(self) -> None:
        """Ends it as Kubernetes would."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)

    def cpu_s(self) -> float:
        """The CPU time that it has used."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def passes(self) -> float:
        """How many passes its reconcilers have made."""
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("modelwright_reconcile_seconds_count"))

    def rss_mib(self) -> float:
        """The most memory that it has held."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


class AuditLog:
    """The writes of the operator that the API server saw since a mark."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> int:
        """The log's length now."""
        return self._path.stat().st_size

    def writes_since(self, mark: int) -> collections.Counter[str]:
        """Writes by verb, resource and code, without the Lease."""
        found: collections.Counter[str] = collections.Counter()
        with self._path.open("rb") as log:
            log.seek(mark)
            for line in log:
                entry = json.loads(line)
                ref = entry.get("objectRef") or {}
                if not entry.get("userAgent", "").startswith("modelwright-operator") or ref.get("resource") == "leases":
                    continue
                resource = "/".join(filter(None, (ref.get("resource"), ref.get("subresource"))))
                code = entry.get("responseStatus", {}).get("code", 0)
                found[f"{entry['verb']} {resource}{'' if code < 300 else f' ({code})'}"] += 1
        return found


@contextmanager
def control_plane() -> Iterator[Path]:
    """A control plane of our own; its audit log. Sets KUBECONFIG."""
    name = f"bench-{os.getpid()}"
    hack = [sys.executable, str(ROOT / "hack" / "cluster")]
    subprocess.run([*hack, "up", "--name", name, "--control-plane-only"], check=True, stdout=sys.stderr)
    try:
        env = subprocess.run([*hack, "env", "--name", name], check=True, capture_output=True, text=True).stdout
        values = dict(line.removeprefix("export ").split("=", 1) for line in env.splitlines())
        os.environ["KUBECONFIG"] = values["KUBECONFIG"]
        yield Path(values["MODELWRIGHT_AUDIT_LOG"])
    finally:
        subprocess.run([*hack, "down", "--name", name], check=True, stdout=sys.stderr)


async def prepare(kube: KubeClient) -> None:
    """Our CRDs and the operator's namespace."""
    import yaml

    for path in sorted((ROOT / "crds").glob("*.yaml")):
        manifest = cast(JsonObject, yaml.safe_load(path.read_text()))
        await kube.apply(CRDS, None, manifest, "bench")
    await namespace(kube, "modelwright-system")


async def namespace(kube: KubeClient, name: str) -> None:
    """A namespace, where there is none yet."""
    with suppress(AlreadyExists):
        await kube.create(NAMESPACES, None, {"metadata": {"name": name}})


@asynccontextmanager
async def counting_ready(kube: KubeClient, space: str, wanted: int) -> AsyncIterator[asyncio.Event]:
    """Set when so many Datasets of a namespace are Ready."""
    ready: set[str] = set()
    done = asyncio.Event()
    version = (await kube.page(DATASETS, space)).version

    async def watch() -> None:
        async for event in kube.watch(DATASETS, space, version):
            if _is_ready(event.obj):
                ready.add(event.obj["metadata"]["name"])
                if len(ready) == wanted:
                    done.set()

    task = asyncio.create_task(watch())
    yield done
    task.cancel()


def _is_ready(obj: KubeObject) -> bool:
    status = cast(dict[str, list[dict[str, str]]], dict(obj).get("status") or {})
    return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", []))


async def one_round(kube: KubeClient, operator: Operator, audit: AuditLog, count: int, known: int) -> Round:
    """N Datasets from nothing to Ready, then a restart."""
    space = f"bench-{count}"
    await namespace(kube, space)
    passes = operator.passes()
    mark, cpu_s, began = audit.mark(), operator.cpu_s(), time.monotonic()
    names = iter(range(count))

    async def create() -> None:
        for number in names:
            manifest = samples.dataset(f"flights-{number:05d}")
            cast(JsonObject, manifest["metadata"])["namespace"] = space
            await kube.create(DATASETS, space, manifest)

    async with counting_ready(kube, space, count) as done:
        await asyncio.gather(*(create() for _ in range(CREATORS)))
        async with asyncio.timeout(600):
            await done.wait()
    took_s = time.monotonic() - began
    await asyncio.sleep(5)
    spent_s, rss_mib = operator.cpu_s() - cpu_s, operator.rss_mib()
    writes, passes = audit.writes_since(mark), operator.passes() - passes
    mark = audit.mark()
    await asyncio.sleep(5)
    idle = audit.writes_since(mark).total()
    operator.stop()
    mark = audit.mark()
    ready_s = operator.start()
    await asyncio.sleep(5)
    return Round(
        objects=count,
        known_before=known,
        all_ready_s=round(took_s, 2),
        ready_per_s=round(count / took_s, 1),
        cpu_ms_per_object=round(1000 * spent_s / count, 2),
        writes_per_object=round(writes.total() / count, 3),
        writes=dict(writes.most_common()),
        passes_per_object=round(passes / count, 2),
        rss_mib=round(rss_mib, 1),
        idle_writes=idle,
        restart_ready_s=round(ready_s, 2),
        restart_cpu_s=round(operator.cpu_s(), 2),
        restart_writes=audit.writes_since(mark).total(),
    )


async def measure(counts: list[int], audit: AuditLog, scratch: Path) -> list[Round]:
    """All rounds, one after the other, with one cluster."""
    config = scratch / "config.yaml"
    config.write_text(json.dumps(samples.config().model_dump(mode="json", by_alias=True)))
    operator = Operator(config, scratch / "operator.log")
    rounds: list[Round] = []
    async with KubeClient(access.discover(), agent="benchmark") as kube:
        await prepare(kube)
        async with SimulatedKubelet(kube):
            operator.start()
            try:
                for count in counts:
                    rounds.append(await one_round(kube, operator, audit, count, sum(r.objects for r in rounds)))
                    print(json.dumps(asdict(rounds[-1])), file=sys.stderr, flush=True)
            finally:
                operator.stop()
    return rounds


def main() -> None:
    """Prints a table, and writes the figures as JSON where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[100, 500, 1000], help="N of each round")
    parser.add_argument("--quick", action="store_true", help="only 50 and 200 objects")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    counts = [50, 200] if arguments.quick else arguments.objects
    with control_plane() as audit, tempfile.TemporaryDirectory() as scratch:
        rounds = asyncio.run(measure(counts, AuditLog(audit), Path(scratch)))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in rounds], indent=1) + "\n")
    print("| N | ready/s | writes an object | CPU ms an object | peak RSS MiB | restart s, CPU s, writes |")
    print("|---|---|---|---|---|---|")
    for one in rounds:
        restart = f"{one.restart_ready_s}, {one.restart_cpu_s}, {one.restart_writes}"
        figures = (one.objects, one.ready_per_s, one.writes_per_object, one.cpu_ms_per_object, one.rss_mib, restart)
        print("| " + " | ".join(map(str, figures)) + " |")


if __name__ == "__main__":
    main()
