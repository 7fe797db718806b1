"""``httpuv run``: from its command line to its exit status."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from ..servers.server import Server
from .announce import announce
from .console import MISUSED, ApplicationFailed, Mistake, complain, tell_of
from .life import Life
from .listen import Listening, given_fd, listen_for_admin
from .options.settings import Settings
from .options.sources import gather
from .prepare import prepare
from .processes.supervisor import Supervisor
from .redirect import redirecting
from .reload import watch
from .serving import address_of, run_to_the_end
from .shared.board import Board
from .tls import reload_on_hangup


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command; return its exit status.

    Args:
        arguments: What follows the command's name.
        program: That name, for messages.
    """
    try:
        from .options.command import parse
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
        fd = given_fd(settings, os.environ)
        supervised = settings.reload or settings.max_requests > 0 or settings.stuck_replace
        if settings.workers > 1 or supervised or settings.redirect_http is not None:
            return run_workers(settings, fd)
        run_alone(settings, fd)
    except (Mistake, ApplicationFailed) as error:
        return tell_of(error)
    return 0


def run_alone(settings: Settings, fd: int | None) -> None:
    """Serve in this process until a signal ends it.

    Raises:
        Mistake, ApplicationFailed: It cannot start.
    """
    life = Life(settings.graceful_timeout)
    life.take_signals()
    with contextlib.ExitStack() as stack:
        own: Listening | None = None
        if settings.uds is not None and fd is None:
            own = stack.enter_context(contextlib.closing(Listening(settings, None)))
            fd = own.socket.fileno()
        admin = listen_for_admin(settings)
        if admin is not None:
            stack.enter_context(contextlib.closing(admin))
            settings = dataclasses.replace(settings, admin=os.dup(admin.socket.fileno()))
        application, serve = prepare(settings, fd)

        def started(server: Server) -> None:
            if server._tls is not None:
                reload_on_hangup(server._tls)
            address = address_of(server) if own is None else own.address
            announce(settings, application.interface, address, admin=admin)

        served = serve(started)
        life.take_signals()  # replaces handlers of the application
        life.begins(served.stop)
        run_to_the_end(served)


def run_workers(settings: Settings, fd: int | None) -> int:
    """Serve in worker processes until a signal ends them; return the exit status.

    Raises:
        Mistake: The address cannot be listened on, or files cannot be watched.
    """
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(contextlib.closing(Listening(settings, fd)))
        admin = listen_for_admin(settings)
        if admin is not None:
            stack.enter_context(contextlib.closing(admin))
        board = stack.enter_context(contextlib.closing(Board(settings.io_threads)))
        redirect = stack.enter_context(redirecting(settings, listening, board))
        supervisor = Supervisor(settings, listening, admin, board, redirect, settings.reload)
        if settings.reload:
            watch(settings, supervisor.change)
        return supervisor.run()
