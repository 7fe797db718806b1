"""The command line of ``httpuv run``, made of :data:`OPTIONS` with click."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ..console import MISUSED, complain
from .settings import GROUPS, OPTIONS, Option

_HELP = """Run an application: ASGI, WSGI or Rook, as its signature tells.

Every option may also stand in the environment, as HTTPUV_ and its name (HTTPUV_PORT), or in
httpuv.toml or [tool.httpuv] of pyproject.toml (port = 8000), MODULE:APP as app. The command line
comes first, then the environment, then the file.
"""


class _Command(click.Command):
    """Shows its options in their groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        by_name = {each.name: each for each in self.params}
        for group in GROUPS:
            rows = []
            for option in OPTIONS:
                if option.group == group:
                    row = by_name[option.name].get_help_record(ctx)
                    if row is not None:
                        rows.append(row)
            if rows:
                with formatter.section(group):
                    formatter.write_dl(rows, col_max=34)


def _parameter(option: Option) -> click.Option:
    declared = option.flag
    if not option.metavar:
        declared += f"/--no-{option.flag[2:]}"
    shown = "" if option.default in (None, (), "", False) else f" [{_shown(option.default)}]"
    more: dict[str, Any] = {} if not option.metavar else {"metavar": option.metavar, "type": str}
    return click.Option(
        [declared, option.name],
        default=None,
        help=option.help + shown,
        multiple=option.many,
        **more,
    )


def _shown(default: object) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default)


def parse(arguments: Sequence[str], program: str) -> dict[str, object] | int:
    """Read a command line.

    Args:
        arguments: What follows the command's name.
        program: That name.

    Returns:
        The given options by name, as text; or an exit status, if help or an error was printed.
    """
    given: dict[str, object] = {}

    def take(app: str | None, **values: object) -> None:
        if app is not None:
            given["app"] = app
        given.update({name: each for name, each in values.items() if each not in (None, ())})

    command = _Command(
        None,
        params=[
            click.Argument(["app"], required=False, metavar="MODULE:APP"),
            *map(_parameter, OPTIONS),
        ],
        callback=take,
        help=_HELP,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    try:
        status = command.main(list(arguments), program, standalone_mode=False)
    except click.ClickException as error:
        complain(f"{error.format_message()} ('{program} --help' shows all options)")
        return MISUSED
    return status if isinstance(status, int) else given
