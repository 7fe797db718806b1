"""The messages of the command after its start."""

from __future__ import annotations

import os

from .. import _core
from .console import complain, say, styled
from .listen import Listening
from .options.settings import Settings

#: Options that only some interfaces use.
_ONLY_FOR = {
    "threads": ("wsgi", "rook"),
    "wsgi_input": ("wsgi",),
    "root_path": ("asgi", "wsgi"),
    "lifespan": ("asgi",),
}


def announce(
    settings: Settings,
    interface: str,
    address: str,
    workers: int = 0,
    admin: Listening | None = None,
    redirect: str | None = None,
) -> None:
    """Print what runs, its address, and how to stop it.

    Args:
        settings: The settings of the command.
        interface: The application's interface.
        address: The address of the listener.
        workers: The number of processes; 0: only this one.
        admin: The listener for health and metrics.
        redirect: The address for plain HTTP, which redirects to HTTPS; None: there is none.
    """
    kind = {"rook": "Rook"}.get(interface, interface.upper())
    say(f"httpuv {_core.__version__} runs {styled(settings.app, 'bold')} ({kind})")
    for name, interfaces in _ONLY_FOR.items():
        if getattr(settings, name) != getattr(Settings, name) and interface not in interfaces:
            complain(f"--{name.replace('_', '-')} has no effect: the application speaks {kind}")
    say(f"at {styled(address, 'green')}")
    if admin is not None:
        say(f"Health and metrics at {styled(admin.address, 'green')}")
    if redirect is not None:
        say(f"Clients of {styled(redirect, 'green')} are sent to HTTPS")
    if settings.reload:
        say("Sources are watched: workers are replaced when they change. Press Ctrl-C to stop.")
    elif workers:
        number = os.getpid()
        many = "1 worker" if workers == 1 else f"{workers} workers"
        say(
            f"{many}; kill -HUP {number} replaces {'it' if workers == 1 else 'them'}."
            " Press Ctrl-C to stop."
        )
    else:
        say("Press Ctrl-C to stop.")
