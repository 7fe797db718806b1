"""``httpuv run``: from its command line to its exit status."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .. import _core
from ..server import Server
from . import envfile, logs
from .console import MISUSED, ApplicationFailed, Mistake, complain, say, styled, tell_of
from .life import Life
from .load import Application, load
from .serving import address_of, serving
from .settings import Settings
from .sources import gather


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command; return its exit status.

    Args:
        arguments: What follows the command's name.
        program: That name, for messages.
    """
    try:
        from .command import parse
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        complain(f"'{program}' needs click: pip install 'httpuv[cli]'")
        return MISUSED
    given = parse(arguments, program)
    if isinstance(given, int):
        return given
    try:
        settings = gather(given, os.environ, Path.cwd())
        if settings.env_file is not None:
            envfile.load(settings.env_file)
        run_alone(settings)
    except (Mistake, ApplicationFailed) as error:
        return tell_of(error)
    return 0


def run_alone(settings: Settings) -> None:
    """Serve in this process until a signal ends it.

    Raises:
        Mistake, ApplicationFailed: It cannot start.
    """
    life = Life(settings.graceful_timeout)
    life.take_signals()
    application = load(settings.app, settings.interface, settings.app_dir)
    logs.set_up(settings.log_level)
    served = serving(application, settings, lambda server: announce(settings, application, server))
    life.take_signals()  # whatever the application has done with them
    life.begins(served.stop)
    served.run()


def announce(settings: Settings, application: Application, server: Server) -> None:
    """Say what runs, where, and how to stop it."""
    interface = {"rook": "Rook"}.get(application.interface, application.interface.upper())
    say(f"httpuv {_core.__version__} runs {styled(settings.app, 'bold')} ({interface})")
    say(f"at {styled(address_of(server), 'green')}")
    say("Press Ctrl-C to stop.")
