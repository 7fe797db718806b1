"""The servers of this process: what happens to them when it ends, and when it forks."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Protocol

from . import _core
from .dispatch import queue, tasks
from .dispatch.base import Dispatcher


class Server(Protocol):
    """What is known here of a server."""

    _core: _core.Server
    _dispatcher: Dispatcher
    _stopping: threading.RLock
    _attached: bool

    def isRunning(self) -> bool: ...
    def stop(self, timeout: float = 0.0) -> None: ...


#: Guards what is below; a fork waits for it.
lock = threading.Lock()
#: Those that have been started and not been stopped, in this order.
servers: list[Server] = []


def running() -> list[Server]:
    """The servers that are running, in the order in which they were started."""
    with lock:
        started = list(servers)
    return [server for server in started if server.isRunning()]


def stop_all() -> None:
    """Stop every server, those that are just starting, too."""
    with lock:
        started = list(servers)
    for server in started:
        server.stop()


def _at_exit() -> None:
    stop_all()
    tasks.close()
    queue.default().close()


def _before_fork() -> None:
    lock.acquire()
    for server in servers:
        server._core.before_fork()


def _after_fork_in_parent() -> None:
    for server in servers:
        server._core.after_fork_in_parent()
    lock.release()


def _after_fork_in_child() -> None:
    # The I/O threads are the parent's.
    for server in servers:
        server._core.forget()
        server._stopping = threading.RLock()  # another thread may have held it
        server._attached = False  # what its dispatcher watches with, the parent's may share
        queue.inherit(server._dispatcher.source)
    servers.clear()
    lock.release()


atexit.register(_at_exit)
os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
