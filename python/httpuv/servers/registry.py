"""The servers of this process: what happens to them when it ends, and when it forks."""

from __future__ import annotations

import atexit
import contextlib
from typing import Protocol

from .. import _core
from ..base import fork
from ..dispatch import queue, tasks
from ..dispatch.base import Dispatcher


class Server(Protocol):
    """The part of a server that this module uses."""

    _core: _core.Server
    _dispatcher: Dispatcher
    _attached: list[bool]

    def isRunning(self) -> bool: ...
    def stop(self, timeout: float = 0.0) -> None: ...
    def _begin_stop(self, timeout: float) -> None: ...
    def _end_stop(self, timeout: float) -> None: ...


#: Those that have been started and not been stopped, in this order. Without a lock, so that no
#: signal handler waits for one: each use is a single operation on the list.
servers: list[Server] = []


def running() -> list[Server]:
    """The servers that are running, in the order in which they were started."""
    return [server for server in list(servers) if server.isRunning()]


def remove(server: Server) -> None:
    """Take a server out, if it is there."""
    with contextlib.suppress(ValueError):
        servers.remove(server)


def stop_all() -> None:
    """Stop every server, those that are just starting, too."""
    for server in list(servers):
        server.stop()


def _at_exit() -> None:
    stop_all()
    tasks.close()
    queue.default().close()


def _after_fork_in_child() -> None:
    # The I/O threads are the parent's. So may be what a dispatcher watches with: it is not told.
    for server in servers:
        server._core.forget()
        server._attached.clear()
        queue.inherit(server._dispatcher.source)
    servers.clear()


atexit.register(_at_exit)
fork.in_child(_after_fork_in_child)
