"""Callbacks in an asyncio loop, also uvloop's."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref

from .. import _core
from . import ipython, queue, tasks
from .base import Dispatcher


class AsyncioDispatcher(Dispatcher):
    """Runs callbacks on the asyncio loop that is running where the server is started.

    Raises:
        RuntimeError: No loop is running.
    """

    def __init__(self) -> None:
        try:
            self.loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError("dispatch='asyncio' needs a running asyncio loop") from None
        super().__init__()
        self._ident = threading.get_ident()
        self._timer: asyncio.TimerHandle | None = None
        self._fd = -1
        self._kernel = ipython.is_kernel()
        self._lend = not self._kernel  # where Ctrl-C is for callbacks only
        self._reader: _core.HostReader | None = None  # refers to this object: while it watches

    def start(self) -> None:
        """Add the queue's descriptor to the loop."""
        self._fd = self.fileno()
        queue.adopt(self.source)
        self._on_loop(self._watch)

    def stop(self) -> None:
        """Remove the queue's descriptor from the loop."""
        self.source.active = False
        self._on_loop(self._unwatch)

    busy = (
        "their asyncio loop is busy: they are answered when the code that runs there has ended (in"
        " a notebook: the cell). A server started with dispatch='thread' answers meanwhile"
    )

    def unserved(self) -> tuple[str, bool]:
        """Report a loop that was closed or does not run (for a busy one see ``busy``)."""
        if self.loop.is_closed():
            return (
                "their asyncio loop is closed: they get 503 from now on. Call stop() before the"
                " loop ends, or start the server within the loop by a with statement",
                True,
            )
        if not self.loop.is_running():
            return "their asyncio loop does not run: call its run_forever(), or stop()", False
        return "", False

    def blocked_by(self, thread: int) -> bool:
        """Whether the thread is the loop's."""
        return thread == self._ident

    def _on_loop(self, function: queue.Callback) -> None:
        if threading.get_ident() == self._ident and not self.loop.is_closed():
            function()
            return
        with contextlib.suppress(RuntimeError):  # a closed loop watches nothing
            self.loop.call_soon_threadsafe(function)

    def _watch(self) -> None:
        self.source.active = True
        if self._kernel:
            self.loop.add_reader(self._fd, self._ready)
        else:
            self._reader = _core.HostReader(
                self.source.queue, self.loop, self._ready, None, self.source
            )
            self.loop.add_reader(self._fd, self._reader)
        self._schedule()

    def _unwatch(self) -> None:
        if self._servers:
            return  # the next server has started
        self.loop.remove_reader(self._fd)
        self._reader = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.run_rest()

    def _ready(self) -> None:
        wakes = self.source.queue.wakes  # a wake-up after this line comes here again
        try:
            if self._kernel:
                ipython.run(self)
            else:
                self.run()
        finally:
            self._schedule()
            if self._reader is not None:
                self._reader.wakes = wakes

    def _schedule(self) -> None:
        seconds = self.timeout()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = self.loop.call_later(seconds, self._ready)


# A dispatcher refers to its loop. A strong reference here would keep both alive for ever, so only
# the servers hold the dispatcher.
_by_loop: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[AsyncioDispatcher]] = (
    weakref.WeakKeyDictionary()
)


def of_running_loop() -> AsyncioDispatcher:
    """The dispatcher of the loop that runs on this thread; each loop has one.

    Raises:
        RuntimeError: No loop is running.
    """
    loop = _running()
    known = _by_loop.get(loop) if loop is not None else None
    found = known() if known is not None else None
    if found is None:
        found = AsyncioDispatcher()
        _by_loop[found.loop] = weakref.ref(found)
    return found


class _PrivateLoopDispatcher(AsyncioDispatcher):
    """The same for the loop of a separate thread (see :mod:`httpuv.dispatch.tasks`)."""

    def start(self) -> None:
        """Add the queue's descriptor to that loop."""
        self._fd = self.fileno()
        self._on_loop(self._begin)

    def _begin(self) -> None:
        queue.adopt(self.source)
        self._watch()


def of_private_loop() -> AsyncioDispatcher:
    """A dispatcher for the loop that runs coroutines on a separate thread."""

    async def make() -> AsyncioDispatcher:
        return _PrivateLoopDispatcher()

    return asyncio.run_coroutine_threadsafe(make(), tasks.private().loop).result()


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
