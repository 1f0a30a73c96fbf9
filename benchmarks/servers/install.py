"""Peers in virtual environments of their own, each from its lock file, and those lock files."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.servers.places import LOCKS, ROOT, cache_root

PEERS = ("mlserver", "kserve", "bentoml", "mlflow")
_SHARED = ("joblib", "numpy", "scikit-learn", "scipy")


def environment_of(peer: str) -> Path:
    """The folder of a peer's virtual environment; it changes with the lock file and the version of Python."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256((LOCKS / f"{peer}.lock").read_bytes() + version.encode()).hexdigest()
    return cache_root() / "peers" / f"{peer}-{key[:12]}"


def install(peer: str) -> None:
    """Makes the peer's virtual environment where it is not there yet; one that was cut short is made anew."""
    home = environment_of(peer)
    done = home / ".installed"
    if done.exists():
        return
    print(f"installing {peer} (once; it takes some minutes)", flush=True)
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    lock = str(LOCKS / f"{peer}.lock")
    # The lock file holds everything, so pip need not resolve it again.
    subprocess.run([*pip, "--no-deps", "--require-hashes", "--requirement", lock], check=True)
    done.touch()


def lock(peer: str, script: str = "serving.py") -> None:
    """Resolves `<peer>.in` into `<peer>.lock`, with our own version of what computes; needs pip-tools.

    `script` is the benchmark that asks for the peer.
    """
    target = LOCKS / f"{peer}.lock"
    command = [sys.executable, "-m", "piptools", "compile", "--quiet", "--generate-hashes", "--allow-unsafe"]
    command += ["--strip-extras", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-trusted-host"]
    command += ["--no-emit-find-links", "--no-emit-options"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("".join(f"{name}=={version}\n" for name, version in _our_versions().items()))
        constraints.flush()
        command += ["--constraint", constraints.name, f"--output-file={target}", str(LOCKS / f"{peer}.in")]
        by = f"benchmarks/{script} --lock"
        subprocess.run(command, check=True, env={**os.environ, "CUSTOM_COMPILE_COMMAND": by})
    header = f"# Made by `{by}` from {peer}.in: change that file and run it again.\n"
    target.write_text(header + target.read_text().removeprefix(header))


def versions_of(peer: str) -> dict[str, str]:
    """What the lock file pins, by package."""
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", (LOCKS / f"{peer}.lock").read_text(), re.MULTILINE))


def _our_versions() -> dict[str, str]:
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements" / "model.lock").read_text(), re.MULTILINE))
    return {name: pinned[name] for name in _SHARED}
