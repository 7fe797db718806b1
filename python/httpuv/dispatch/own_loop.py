"""The asyncio loop of a thread that runs callbacks: coroutines run where callbacks do.

A thread that runs callbacks of applications with coroutines owns a loop. The queue's descriptor is
one of the loop's readers, so no request changes threads. The loop lives as long as the thread:
tasks in it continue whenever the thread serves again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol

from .. import _core
from ..base import fork

#: Seconds that the end of a thread waits for cancelled coroutines.
_PATIENCE = 0.5

#: Seconds until callbacks that another thread keeps from running are tried again.
_BUSY = 0.005


class _Owner:
    """Closes a loop when its thread ends; any thread may have called service().

    A forked child destroys the thread-local objects of the parent's other threads. It must not
    close their loops, because both processes share the epoll instance.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        # What a signal handler raises between would leave an open loop that nothing closes. Signals
        # are delivered when the loop has its owner.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self.loop = new_event_loop()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def __del__(self) -> None:
        # The constructor may have failed: then there is no loop.
        loop: asyncio.AbstractEventLoop | None = self.__dict__.get("loop")
        if loop is None or self._process != os.getpid():
            return
        if sys.is_finalizing() or loop.is_running():
            return
        loop.close()


_local = threading.local()
# Loops that a forked child has inherited. Their descriptors are the parent's, so they stay open.
_inherited: list[_Owner] = []


class Served(Protocol):
    """The part of a source of callbacks that this module uses."""

    queue: _core.Queue
    wake_loop: Callable[[], object] | None

    def run_now(self, seconds: float | None, all: bool) -> bool: ...
    def next_time(self) -> float | None: ...


def new_event_loop() -> asyncio.AbstractEventLoop:
    """An event loop: uvloop's where that is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def of_thread() -> asyncio.AbstractEventLoop:
    """The loop of this thread, created at the first call."""
    loop = _present()
    if loop is None or loop.is_closed():
        _local.owner = _Owner()
        loop = _local.owner.loop
    return loop


def _present() -> asyncio.AbstractEventLoop | None:
    owner: _Owner | None = getattr(_local, "owner", None)
    return None if owner is None else owner.loop


def is_own(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this is the loop of this thread and not a loop of the program."""
    return loop is _present()


def close() -> None:
    """Cancel the tasks of this thread's loop and close it, because the thread ends."""
    loop = _present()
    if loop is None or loop.is_closed() or loop.is_running():
        return
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=_PATIENCE))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    _local.owner = None


def serve(source: Served, deadline: float | None, ended: Callable[[], bool]) -> None:
    """Run callbacks and coroutines on this thread until a time of time.monotonic(), or `ended()`.

    Raises:
        BaseException: What a callback raised, if it is no :class:`Exception`.
    """
    loop = of_thread()
    fd = source.queue.fileno(lend=True)
    timer: asyncio.TimerHandle | None = None
    reading = False
    over = False  # callbacks scheduled before must not stop a later run of the loop
    failure: BaseException | None = None

    def ready() -> None:
        nonlocal timer, over, reading
        if over:
            return
        wakes = source.queue.wakes  # a wake-up after this line comes here again
        if timer is not None:
            timer.cancel()
            timer = None
        try:
            busy = not ended() and not source.run_now(0.0, True) and source.queue.pending() > 0
        except BaseException as error:
            failed(error)
            return
        if ended() or (deadline is not None and time.monotonic() >= deadline):
            stop()
            return
        due = [each for each in (deadline, source.next_time()) if each is not None]
        if busy:  # by another thread, while the descriptor stays readable
            reading = False
            loop.remove_reader(fd)
            due.append(time.monotonic() + _BUSY)
        elif not reading:
            reading = True
            loop.add_reader(fd, reader)
        reader.wakes = wakes
        if due:
            timer = loop.call_later(max(0.0, min(due) - time.monotonic()), ready)

    def stop() -> None:
        nonlocal over
        over = True
        reader.wakes = 0
        loop.stop()

    def failed(error: BaseException) -> None:
        """Raise it behind the loop, which would only log it."""
        nonlocal failure
        failure = error
        stop()

    reader = _core.HostReader(source.queue, loop, ready, failed, None)

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # it was closed
            loop.call_soon_threadsafe(ready)

    source.wake_loop = wake
    try:
        loop.call_soon(ready)
        loop.run_forever()
    finally:
        over = True
        source.wake_loop = None
        loop.remove_reader(fd)
        if timer is not None:
            timer.cancel()
    if failure is not None:
        raise failure


def _after_fork_in_child() -> None:
    owner: _Owner | None = getattr(_local, "owner", None)
    if owner is not None:
        _inherited.append(owner)
        _local.owner = None


fork.in_child(_after_fork_in_child)
