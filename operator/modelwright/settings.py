"""How this process runs: from flags first, then from the environment. What it does is in `config.py`."""

import argparse
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelwright.config import DEFAULT_PATH

_HELP = "how to run; each flag can also be set by the environment variable in brackets"


@dataclass(frozen=True, slots=True)
class Settings:
    """`namespaces` is empty where all are watched; `identity` is what the Lease and Events call this replica."""

    config: Path
    namespaces: tuple[str, ...]
    namespace: str
    identity: str
    leader_elect: bool
    port: int
    workers: int
    dev: bool


def parse(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Settings:
    """The settings; ends the process with a usage message where a flag is wrong."""
    env = os.environ if environment is None else environment
    parser = argparse.ArgumentParser(prog="modelwright-operator", description="The Modelwright operator.", epilog=_HELP)
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(env.get("MODELWRIGHT_CONFIG", str(DEFAULT_PATH))),
        help="the configuration file (MODELWRIGHT_CONFIG; %(default)s)",
    )
    parser.add_argument(
        "--namespace",
        action="append",
        metavar="NAME",
        help="watch this namespace only; may be repeated (WATCH_NAMESPACES, with commas; default: all)",
    )
    parser.add_argument(
        "--leader-elect",
        action=argparse.BooleanOptionalAction,
        default=env.get("LEADER_ELECT", "true").lower() != "false",
        help="wait for a Lease, for more than one replica (LEADER_ELECT)",
    )
    parser.add_argument(
        "--port", type=int, default=int(env.get("PORT", "8080")), help="of /metrics and the probes (PORT)"
    )
    parser.add_argument(
        "--workers", type=int, default=int(env.get("WORKERS", "16")), help="passes at a time (WORKERS; %(default)s)"
    )
    parser.add_argument("--dev", action="store_true", help="log for people")
    found = parser.parse_args(arguments)
    listed = found.namespace or [name for name in env.get("WATCH_NAMESPACES", "").split(",") if name]
    return Settings(
        config=found.config,
        namespaces=tuple(dict.fromkeys(listed)),
        namespace=env.get("POD_NAMESPACE", "modelwright-system"),
        identity=env.get("POD_NAME", socket.gethostname()),
        leader_elect=found.leader_elect,
        port=found.port,
        workers=found.workers,
        dev=found.dev,
    )
