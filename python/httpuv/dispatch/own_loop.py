"""The asyncio loop of a thread that runs callbacks: coroutines run where callbacks do.

A thread that serves callbacks of applications with coroutines owns a loop. The loop waits with the
queue's descriptor as one reader, so that no request changes threads. It lasts as long as the
thread: what waits in it goes on whenever the thread serves again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .queue import Dispatcher

#: How long the end of a thread waits for coroutines that were cancelled, in seconds.
_PATIENCE = 0.5

_local = threading.local()
# What a forked child inherited: its descriptors are the parent's, so it is not even closed.
_inherited: list[asyncio.AbstractEventLoop] = []


def new_event_loop() -> asyncio.AbstractEventLoop:
    """An event loop: uvloop's where that is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def of_thread() -> asyncio.AbstractEventLoop:
    """The loop of this thread, made when it is first asked for."""
    loop: asyncio.AbstractEventLoop | None = getattr(_local, "loop", None)
    if loop is None or loop.is_closed():
        loop = _local.loop = new_event_loop()
    return loop


def close() -> None:
    """The thread ends: cancel what its loop runs, and close it."""
    loop: asyncio.AbstractEventLoop | None = getattr(_local, "loop", None)
    if loop is None or loop.is_closed() or loop.is_running():
        return
    _local.loop = None
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=_PATIENCE))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def serve(source: Dispatcher, deadline: float | None, ended: Callable[[], bool]) -> None:
    """Run callbacks and coroutines on this thread until a time of time.monotonic(), or `ended()`.

    Raises:
        BaseException: What a callback raised, if it is no :class:`Exception`.
    """
    loop = of_thread()
    timer: asyncio.TimerHandle | None = None

    def ready() -> None:
        nonlocal timer
        if timer is not None:
            timer.cancel()
            timer = None
        if not ended():
            source.run_now(0.0, True)
        due = [each for each in (deadline, source.next_time()) if each is not None]
        if ended() or (deadline is not None and time.monotonic() >= deadline):
            loop.stop()
        elif due:
            timer = loop.call_later(max(0.0, min(due) - time.monotonic()), ready)

    fd = source.queue.fileno()
    loop.add_reader(fd, ready)
    try:
        loop.call_soon(ready)
        loop.run_forever()
    finally:
        loop.remove_reader(fd)
        if timer is not None:
            timer.cancel()


def _after_fork_in_child() -> None:
    loop: asyncio.AbstractEventLoop | None = getattr(_local, "loop", None)
    if loop is not None:
        with contextlib.suppress(AttributeError):
            _inherited.append(loop)
        _local.loop = None


os.register_at_fork(after_in_child=_after_fork_in_child)
