"""The entry point of `modelwright`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import cast

from modelwright.cli import predict, validate
from modelwright.cli.problems import Problem

COMMANDS = (validate, predict)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one subcommand. Returns 0, or 1 with a sentence on stderr; argparse ends a wrong usage with 2."""
    parser = argparse.ArgumentParser(
        prog="modelwright", description="Work with Modelwright's Datasets, TrainingRuns, ModelVersions and Deployments."
    )
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    options = parser.parse_args(arguments)
    run = cast(Callable[[argparse.Namespace], int], options.run)
    try:
        return run(options)
    except Problem as problem:
        print(f"modelwright: {problem}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
