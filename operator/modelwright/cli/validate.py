"""`modelwright validate -f FILE|DIR|-`: offline, what the API server would say."""

import argparse
import sys
from typing import TYPE_CHECKING

from modelwright.cli import admission, manifests

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: "Subparsers") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "validate",
        help="check manifests without a cluster, with the API server's own messages",
        description="Checks manifests without a cluster: the same schema, the same rules and the same messages as the "
        "API server has for a new object. Rules on changes, and whatever an object refers to, only a cluster can "
        "check. Ends with 1 where something is wrong.",
    )
    parser.add_argument(
        "-f", "--filename", action="append", required=True, metavar="FILE|DIR|-", help="what to check; may be repeated"
    )
    parser.add_argument("-R", "--recursive", action="store_true", help="look into folders of folders too")
    parser.add_argument("-q", "--quiet", action="store_true", help="say only what is wrong")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """One line for each thing that is wrong (on stderr), and one for each object that is right."""
    failures = objects = 0
    for manifest in manifests.read(options.filename, options.recursive):
        objects += 1
        if manifest.object is None:
            failures += 1
            print(f"{manifest.file}: {manifest.problem}", file=sys.stderr)
            continue
        found = admission.findings(manifest.object) if admission.is_ours(manifest.object) else None
        title = f"{manifest.file}: {_title(manifest.object)}"
        for finding in found or ():
            print(f"{title}: {finding}", file=sys.stderr)
        failures += bool(found)
        if not found and not options.quiet:
            print(f"{title}: {'is not of modelwright.dev, passed over' if found is None else 'valid'}")
    if not objects:
        print("nothing to check: no document found", file=sys.stderr)
        return 1
    return 1 if failures else 0


def _title(obj: manifests.JsonObject) -> str:
    metadata = obj.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return f"{obj.get('kind') or 'object without kind'}/{name or '?'}"
