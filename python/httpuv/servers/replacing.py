"""Taking over the address of a server of this process: ``startServer(..., replace=True)``."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import TypeVar

from . import registry
from .registry import Server

_Server = TypeVar("_Server", bound=Server)

#: Seconds that answers under way of a replaced server have to finish.
GRACE = 3.0


def holders(server: _Server, holds: Callable[[_Server], bool]) -> list[_Server]:
    """The other running servers of the same class for which ``holds`` is true."""
    return [
        each
        for each in registry.running()
        if each is not server and isinstance(each, type(server)) and holds(each)
    ]


def in_use(error: OSError, ours: list[_Server]) -> OSError:
    """The error of an address in use; it names the server of this process that has it."""
    if error.errno != errno.EADDRINUSE or not ours:
        return error
    text = f"{error.strerror} by {ours[0]!r} of this process: stop() it first, or use replace=True"
    return OSError(error.errno, text, error.filename)


def take_over(server: Server, old: Server) -> tuple[str, int] | None:
    """Start to listen on the sockets of ``old``, which then ends; no connection is refused.

    Returns:
        Address and port (Unix: ``("", 0)``); None: ``old`` does not listen any more.

    Raises:
        OSError: The new server cannot start; the old one goes on.
    """
    try:
        bound = server._core.listen_with(old._core)
    except OSError as error:
        if error.errno == errno.ENOTCONN:
            return None
        raise
    retire(old)
    return bound


def retire(old: Server) -> None:
    """End a server in the background; its answers under way have :data:`GRACE` seconds."""
    old._begin_stop(GRACE)
    threading.Thread(
        target=old._end_stop, args=(GRACE,), name="httpuv replaced", daemon=True
    ).start()
