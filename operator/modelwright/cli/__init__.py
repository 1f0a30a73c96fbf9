"""The command `modelwright` (also `kubectl modelwright`): one module a subcommand, and the parts they are made of.

A command module has `add_parser(subparsers)`, which sets `run`, a function from parsed arguments to an exit code.
Called by people and CI; the operator itself never imports it.
"""
