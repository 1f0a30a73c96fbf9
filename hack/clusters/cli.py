"""The command line of hack/cluster."""

import argparse
import re
import shlex
import sys

from . import provider
from .report import ClusterError

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?")


def main() -> None:
    """Runs one command; ends with 1 and a sentence where it cannot."""
    arguments = _parser().parse_args()
    try:
        sys.exit(_run(arguments, provider.choose(arguments.provider, arguments.name)))
    except ClusterError as failure:
        sys.exit(f"hack/cluster: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run(arguments: argparse.Namespace, cluster: provider.Provider) -> int:
    match arguments.command:
        case "build":
            cluster.build()
        case "up":
            cluster.up(arguments.control_plane_only)
        case "down":
            cluster.down()
        case "status":
            return 0 if cluster.status() else 1
        case "env":
            for name, value in cluster.environment().items():
                rest = ':"$PATH"' if name == "PATH" else ""
                print(f"export {name}={shlex.quote(value)}{rest}")
        case "load":
            for reference in cluster.load(arguments.images):
                print(reference)
    return 0


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r}: use at most 30 of a-z, 0-9 and -, a letter first")
    return text


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--name", type=_name, default="modelwright", help="which cluster; several run side by side (%(default)s)"
    )
    shared.add_argument("--provider", choices=provider.NAMES, help=f"or {provider.VARIABLE}; found out if not given")
    parser = argparse.ArgumentParser(
        prog="hack/cluster", description="Clusters to develop and test on: see docs/cluster.md."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", parents=[shared], help="start it, or repair what is dead")
    up.add_argument(
        "--control-plane-only",
        action="store_true",
        help="etcd, API server and controller-manager without a node (native only)",
    )
    commands.add_parser("down", parents=[shared], help="remove it and everything it left")
    commands.add_parser("status", parents=[shared], help="what runs, and how big it is")
    commands.add_parser("env", parents=[shared], help='variables for a shell: eval "$(hack/cluster env)"')
    load = commands.add_parser("load", parents=[shared], help="push local images into its registry")
    load.add_argument("images", nargs="+", metavar="IMAGE")
    commands.add_parser("build", parents=[shared], help="only build the programs")
    return parser
