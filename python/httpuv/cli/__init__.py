"""The command line: ``httpuv run``, ``httpuv serve`` and ``python -m httpuv DIR``.

``import httpuv`` imports nothing of this. ``serve`` needs the standard library only. ``run`` needs
click, which ``pip install 'httpuv[cli]'`` installs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from .. import _core
from ..base import stderr

_OVERVIEW = """\
Usage: {program} COMMAND [OPTIONS]

Commands:
  run MODULE:APP   Run an ASGI, WSGI or Rook application.
  serve DIR        Serve the files of a directory.

{program} COMMAND --help shows the options of a command; {program} --version the version.
{program} DIR is short for {program} serve DIR.
"""


def main(arguments: Sequence[str] | None = None, program: str = "httpuv") -> int:
    """Run the command.

    Args:
        arguments: What follows the command's name; None: ``sys.argv``.
        program: The command's name, for messages.

    Returns:
        The exit status: 0, 1 if the server could not be started, 2 if an argument is wrong.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    first = given[0] if given else ""
    try:
        os.getcwd()
    except FileNotFoundError:
        stderr.write("httpuv: the current directory does not exist any more: change to another\n")
        return 1
    if first == "run":
        from .run import main as run

        return run(given[1:], f"{program} run")
    if program == "httpuv" and first in ("", "--help", "-h"):
        sys.stdout.write(_OVERVIEW.format(program=program))
        return 0
    if first == "--version":
        sys.stdout.write(f"httpuv {_core.__version__}\n")
        return 0
    from .serve import main as serve

    if first == "serve":
        return serve(given[1:], f"{program} serve")
    return serve(given, program)


__all__ = ["main"]
