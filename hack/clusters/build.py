"""Builds the programs once into a cache, two at a time, so that a build cut short goes on where it stopped."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from . import packages
from .command import run
from .places import cache_root
from .programs import Program
from .report import ClusterError, say, tail

GO_MODULES = Path(__file__).parent / "go"
MINIMUM_GO = (1, 26)


def binary(program: Program, executable: str) -> Path:
    """Where an executable of a built program lies; nothing says that it is built."""
    return _home(program) / executable


def is_built(program: Program) -> bool:
    """Whether the program lies whole in the cache: a folder is renamed into place only when it is."""
    return _home(program).is_dir()


def build(programs: Sequence[Program], parallel: int = 2) -> None:
    """Builds what is missing, largest first; raises ClusterError with the end of the compiler's log."""
    missing = sorted((program for program in programs if not is_built(program)), key=lambda p: -p.weight)
    if not missing:
        return
    _require_go()
    if any(program.cgo for program in missing):
        packages.require_for_build()
    say(f"building {', '.join(program.name for program in missing)} into {cache_root()} (once)")
    began = time.monotonic()
    with ThreadPoolExecutor(parallel) as pool:
        for finished in [pool.submit(_build_one, program) for program in missing]:
            finished.result()
    say(f"built {len(missing)} programs", began)


def _home(program: Program) -> Path:
    return cache_root() / "programs" / program.key(_module_digest(program.module))


def _module_digest(module: str | None) -> str:
    if module is None:
        return ""
    digest = hashlib.sha256()
    for path in sorted((GO_MODULES / module).rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _build_one(program: Program) -> None:
    with _locked(program):
        if is_built(program):
            return
        began = time.monotonic()
        home = _home(program)
        home.parent.mkdir(parents=True, exist_ok=True)
        for abandoned in home.parent.glob(f".{home.name}-*"):  # by a build that was killed: this one holds the lock
            shutil.rmtree(abandoned, ignore_errors=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
        try:
            _compile(program, scratch)
            scratch.chmod(0o755)
            scratch.rename(home)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        say(f"built {program.name} {program.version}", began)


def _compile(program: Program, out: Path) -> None:
    environment = {**os.environ, "CGO_ENABLED": "1" if program.cgo else "0", "GOBIN": str(out), "GOWORK": "off"}
    flags = ["-trimpath", "-tags", program.tags, "-ldflags", program.ldflags]
    if program.module is None:
        command = ["go", "install", *flags, *(f"{package}@v{program.version}" for package in program.packages)]
        folder = out
    else:
        command = ["go", "build", *flags, "-o", str(out / program.name), *program.packages]
        folder = GO_MODULES / program.module
    log = cache_root() / "logs" / f"build-{program.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        raise ClusterError(f"building {program.name} {program.version} failed:\n{tail(log)}\n(all of it: {log})")
    for name in program.executables:
        if not (out / name).exists():
            (out / name).symlink_to(program.name)


@contextmanager
def _locked(program: Program) -> Iterator[None]:
    lock = cache_root() / "locks" / f"{_home(program).name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _require_go() -> None:
    wanted = ".".join(map(str, MINIMUM_GO))
    if shutil.which("go") is None:
        raise ClusterError(f"Go {wanted} or newer is needed to build Kubernetes: install it from https://go.dev/dl/")
    said = run("go", "env", "GOVERSION")
    numbers = said.removeprefix("go").split("-")[0].split(".")
    if len(numbers) < 2 or (int(numbers[0]), int(numbers[1].rstrip("rcbeta") or 0)) < MINIMUM_GO:
        raise ClusterError(
            f"Go is {said or 'of an unknown version'}, but {wanted} or newer is needed: https://go.dev/dl/"
        )
