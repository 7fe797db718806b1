"""What the command says when it has started."""

from __future__ import annotations

import os

from .. import _core
from .console import say, styled
from .listen import Listening
from .settings import Settings


def announce(
    settings: Settings,
    interface: str,
    address: str,
    workers: int = 0,
    admin: Listening | None = None,
) -> None:
    """Say what runs, where, and how to stop it.

    Args:
        settings: What was asked for.
        interface: What the application speaks.
        address: Where it is listened.
        workers: How many processes; 0: this one.
        admin: Where health and metrics are asked for.
    """
    kind = {"rook": "Rook"}.get(interface, interface.upper())
    say(f"httpuv {_core.__version__} runs {styled(settings.app, 'bold')} ({kind})")
    say(f"at {styled(address, 'green')}")
    if admin is not None:
        say(f"Health and metrics at {styled(admin.address, 'green')}")
    if settings.reload:
        say("Sources are watched: workers are replaced when they change. Press Ctrl-C to stop.")
    elif workers:
        number = os.getpid()
        say(f"{workers} workers; kill -HUP {number} replaces them. Press Ctrl-C to stop.")
    else:
        say("Press Ctrl-C to stop.")
