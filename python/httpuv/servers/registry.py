"""The running servers of this process, and their end at exit and after a fork."""

from __future__ import annotations

import atexit
import contextlib
from typing import Protocol

from .. import _core
from ..base import fork
from ..dispatch import queue, tasks
from ..dispatch.base import Dispatcher
from . import access


class Server(Protocol):
    """The part of a server that this module uses."""

    _core: _core.Server
    _dispatcher: Dispatcher
    _attached: list[bool]
    _listens: bool

    def isRunning(self) -> bool: ...
    def stop(self, timeout: float = 0.0) -> None: ...
    def _begin_stop(self, timeout: float) -> None: ...
    def _end_stop(self, timeout: float) -> None: ...


#: The servers that were started and not stopped, in this order. There is no lock, so that no signal
#: handler waits for one: each use is a single operation on the list.
servers: list[Server] = []


def running() -> list[Server]:
    """The servers that listen and run, in the order of their start."""
    return [server for server in list(servers) if server._listens and server.isRunning()]


def remove(server: Server) -> None:
    """Remove a server if it is in the list."""
    with contextlib.suppress(ValueError):
        servers.remove(server)


def stop_all() -> None:
    """Stop every server, also servers that are just starting."""
    for server in list(servers):
        server.stop()


def _at_exit() -> None:
    stop_all()
    tasks.close()
    queue.default().close()
    access.end()


def _after_fork_in_child() -> None:
    # The I/O threads exist in the parent only. A dispatcher may share descriptors with the parent,
    # so it is not stopped.
    for server in servers:
        server._core.forget()
        server._attached.clear()
        queue.inherit(server._dispatcher.source)
    servers.clear()


atexit.register(_at_exit)
fork.in_child(_after_fork_in_child)
