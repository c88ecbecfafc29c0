"""What the examples of deploy/ run and set, held against the commands and settings that there are."""

import ast
from argparse import Namespace
from collections.abc import Iterable

from django.core.management import get_commands, load_command_class

from tests.test_docs import read_settings

AWX_INSTANCES = "awx-instances"  # the command of an installed service


def parse(arguments: list[str]) -> Namespace:
    """What ``awx-instances`` makes of these arguments. Exits where it would."""
    name, *rest = arguments
    assert name in get_commands(), name
    application = get_commands()[name]
    assert isinstance(application, str)
    parser = load_command_class(application, name).create_parser(AWX_INSTANCES, name)
    return parser.parse_args(rest)


def unknown_settings(names: Iterable[str]) -> set[str]:
    """Those that are neither settings nor ``NAME_FILE`` of one."""
    return {name for name in names if name.removesuffix("_FILE") not in read_settings()}


def default(name: str) -> int:
    """The default of a setting that is a number."""
    expression = read_settings()[name]
    assert expression is not None
    return int(ast.literal_eval(expression))
