"""The queue of callbacks, and the loops that run them.

A :class:`Dispatcher` joins the core's event queue with the timers of :func:`later`. It runs both on
the threads that run one of its loops: the loop of :func:`service`, :func:`runNow` or ``runServer``,
or a dispatcher's own loop. Any thread may run a loop, and several threads may do so at once. The
constructor's ``threads`` limits the callbacks that run at a time. Two callbacks of one connection
never run at once, and neither do two timers. The process has one default object, which runs one
callback at a time.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import heapq
import itertools
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from .. import _core
from ..base import fork
from ..base.log import log_failure
from . import tasks

#: Seconds that the interpreter's exit waits for a callback on a daemon thread.
_EXIT_PATIENCE = 0.5

Callback = Callable[[], object]


_LATER = "a callback of later()"


async def _guarded(coroutine: Coroutine[Any, Any, Any]) -> None:
    try:
        await coroutine
    except Exception as error:
        log_failure(_LATER, None, error)


class _Timer:
    """One call of later(). Guarded by the lock of its dispatcher."""

    __slots__ = ("context", "func", "in_line")

    def __init__(self, func: Callback) -> None:
        self.func: Callback | None = func  # None: it has run or was cancelled
        self.context = contextvars.copy_context()  # of the caller, as asyncio does it
        self.in_line = False  # it is due and waits in the event queue


class Dispatcher:
    """The core's queue, timers, and the loop that runs both.

    Args:
        threads: How many callbacks may run at a time.
    """

    def __init__(self, threads: int = 1) -> None:
        self.queue = _core.Queue(threads)
        self.threads = threads
        #: Whether coroutines run on the thread that runs the callbacks (see own_loop).
        self.coroutines = False
        #: Wakes the thread that serves in its own asyncio loop, if there is one.
        self.wake_loop: Callable[[], object] | None = None
        self._looping = threading.Lock()  # held by that thread
        self._refused_loop = False  # another one would have liked to
        self._woken = threading.Condition()  # told by wake()
        self.active = True  # threads still run callbacks of this object
        self._interrupts: object = None  # a loop ends when this has changed since its start
        self.closed = False  # no thread will run callbacks of this object again
        self._exiting = False

        self._mutex = fork.lock()
        # A heap of (time of time.monotonic(), number that orders equal times, timer), guarded by
        # _mutex. A signal handler may change it between any two calls.
        self._timers: list[tuple[float, int, _Timer]] = []
        self._changes = 0  # of the heap; guarded by _mutex
        self._cancelled = 0  # cancelled timers in the heap; guarded by _mutex
        self._numbers = itertools.count()

    # --- loops ---

    def serve(self, seconds: float | None, until: Callable[[], bool] | None = None) -> None:
        """Run callbacks for this time (None: for ever), until interrupted or `until()` is true."""
        seen = self._interrupts
        deadline = None if seconds is None else time.monotonic() + seconds

        def ended() -> bool:
            return self._ended(seen) or (until is not None and until())

        while True:
            wakes = self.queue.wakes  # a wake-up after this line ends the round
            if ended():
                break
            if self._serve_in_loop(deadline, ended):
                return
            self._run_round(wakes, deadline, 0, again=True)
            if deadline is not None and time.monotonic() >= deadline:
                return
        if self._exiting:
            # Keep a thread that calls in a loop from spinning.
            time.sleep(0.1 if seconds is None else seconds)

    def expect_coroutines(self) -> None:
        """From now on callbacks may be coroutines; threads in :meth:`serve` run a loop for them."""
        if not self.coroutines:
            self.coroutines = True
            self.wake()

    def wait(self, until: Callable[[], bool]) -> None:
        """Wait until interrupted or `until()` is true. Other threads run the callbacks."""
        seen = self._interrupts
        with self._woken:
            while not (self._ended(seen) or until()):
                self._woken.wait()

    def serves_in_loop(self) -> bool:
        """Whether a thread serves in an asyncio loop of its own."""
        return self._looping.locked()

    def _serve_in_loop(self, deadline: float | None, ended: Callable[[], bool]) -> bool:
        """Serve in the asyncio loop of this thread, if there are coroutines and no loop runs."""
        if not self.coroutines or self.threads > 1 or self.closed:
            return False
        from . import own_loop, tasks

        if tasks.running_loop() is not None:
            return False  # inside a callback, or in a loop of the program
        if not self._looping.acquire(blocking=False):
            self._refused_loop = True
            if not self._looping.acquire(blocking=False):
                return False  # another thread runs the coroutines; this one runs plain callbacks
        try:
            own_loop.serve(self, deadline, ended)
        finally:
            self._looping.release()
            if self._refused_loop:  # another thread may run them now
                self._refused_loop = False
                self.wake()
        return not self._exiting

    def run_now(self, seconds: float | None, all: bool) -> bool:
        """Run ready callbacks; wait for one at most this long (None: for ever). Whether any ran."""
        seen = self._interrupts
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            wakes = self.queue.wakes
            if self._ended(seen):
                return False
            if self._run_round(wakes, deadline, 0 if all else 1):
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False

    def interrupt(self) -> None:
        """End the loops that run now, each when its current callback has returned."""
        self._interrupts = object()
        self.wake()

    def wake(self) -> None:
        """Make loops check their `until`, and other waiting threads :meth:`next_time`."""
        self.queue.wake()
        with self._woken:
            self._woken.notify_all()
        wake_loop = self.wake_loop
        if wake_loop is not None:
            wake_loop()

    def next_time(self) -> float | None:
        """The time of time.monotonic() at which the next timer is due; None: there is none."""
        with self._mutex:
            first = self._timers[:1]  # a signal handler may have emptied the heap
            return first[0][0] if first else None

    def _ended(self, seen: object) -> bool:
        return self._interrupts is not seen or self.closed

    def _run_round(self, wakes: int, deadline: float | None, most: int, again: bool = False) -> int:
        """Run the ready callbacks, at most `most` of them (0: all); return how many ran.

        If none is ready, wait until the deadline, the next timer or a wake-up. `again`: go on like
        that until one of these.
        """
        if not self._timers:
            due = deadline
        else:
            self._queue_due()
            due = self.next_time()
            if due is None or (deadline is not None and deadline < due):
                due = deadline
        pause = None if due is None else max(0.0, due - time.monotonic())
        return self.queue.run(pause, most, wakes, again)

    # --- timers ---

    def later(self, func: Callback, seconds: float) -> Callable[[], bool]:
        """See :func:`later`."""
        timer = _Timer(func)
        with self._mutex:
            entry = (time.monotonic() + seconds, next(self._numbers), timer)
            self._changes += 1
            heapq.heappush(self._timers, entry)
            is_next = not self._timers or self._timers[0] is entry
        if is_next:
            self.wake()  # a thread may be waiting for a later timer

        def cancel() -> bool:
            return self._cancel(timer)

        return cancel

    def _cancel(self, timer: _Timer) -> bool:
        with self._mutex:
            if timer.func is None:
                return False
            timer.func = None
            if timer.in_line:
                return True
            self._cancelled += 1
            if self._cancelled * 2 > len(self._timers):
                self._drop_cancelled()
            return True

    def _drop_cancelled(self) -> None:
        changes = self._changes
        kept = [each for each in self._timers if each[2].func is not None]
        heapq.heapify(kept)
        # One expression without a call or a branch, so that no signal handler runs inside it. If a
        # handler has changed the heap before, the cancelled timers stay until the next time.
        self._timers = (self._timers, kept)[self._changes == changes]
        self._cancelled = sum(each[2].func is None for each in self._timers)

    def _queue_due(self) -> None:
        """Put the due timers into the event queue."""
        now = time.monotonic()
        with self._mutex:
            while self._timers and self._timers[0][0] <= now:
                self._changes += 1
                try:
                    entry = heapq.heappop(self._timers)
                except IndexError:  # a signal handler has run it
                    break
                timer = entry[2]
                if entry[0] > now:  # likewise
                    heapq.heappush(self._timers, entry)
                elif timer.func is None:
                    self._cancelled -= 1
                else:
                    timer.in_line = True
                    self.queue.post(functools.partial(self._run_timer, timer))

    def _run_timer(self, timer: _Timer) -> None:
        with self._mutex:
            func, timer.func = timer.func, None
        if func is None:
            return
        timer.context.run(self._call, func)

    def _call(self, func: Callback) -> None:
        try:
            result = func()
            if result is not None and (coroutine := tasks.coroutine_of(result)) is not None:
                tasks.runner().start(_guarded(coroutine), coroutine.close)
        except Exception as error:
            log_failure(_LATER, None, error)

    # --- ends ---

    def close(self) -> None:
        """Get every thread out of the core, because the interpreter ends."""
        self.closed = self._exiting = True
        self.wake()
        self.queue.rest(_EXIT_PATIENCE)

    def forget(self) -> None:
        """End the loop on the stack, if any, in a forked child. Takes no lock."""
        self.closed = True
        self._looping = threading.Lock()
        self._woken = threading.Condition()
        self.wake_loop = None
        self.queue.forget()


_default = Dispatcher()
# Objects that a forked child has inherited. They are never destroyed, because a thread of the
# parent may have held their locks.
_inherited: list[Dispatcher] = []


def default() -> Dispatcher:
    """The dispatcher of this process."""
    return _default


_local = threading.local()
#: Held by the loop that runs the dispatcher of this process and has its own server.
_main_loop = threading.Lock()


def adopt(source: Dispatcher | None) -> Dispatcher | None:
    """Make this thread run that dispatcher while it is active; return the previous one."""
    before: Dispatcher | None = getattr(_local, "source", None)
    _local.source = source
    _core.adopt(source)
    return before


def here() -> Dispatcher:
    """The dispatcher that this thread runs; the process's default if it runs none."""
    source: Dispatcher | None = getattr(_local, "source", None)
    return source if source is not None and source.active else _default


@contextlib.contextmanager
def loop() -> Iterator[Dispatcher]:
    """The dispatcher for runServer().

    It is the default of the process, so that timers and other servers are served as well. If
    another thread is in runServer() already, it is a new one: neither thread runs the callbacks of
    the other, nor ends with it.
    """
    outer: Dispatcher | None = getattr(_local, "loop", None)
    if outer is not None and not outer.closed:  # inside a callback
        yield outer
        return
    claim = _main_loop
    claimed = claim.acquire(blocking=False)
    _local.loop = source = _default if claimed else Dispatcher()
    before = adopt(source)
    try:
        yield source
    finally:
        adopt(before)
        _local.loop = None
        if claimed:
            claim.release()


def inherit(source: Dispatcher) -> None:
    """Deactivate a dispatcher of the parent in a forked child."""
    source.forget()
    _inherited.append(source)


def _after_fork_in_child() -> None:
    global _default, _main_loop
    for each in {_default, here()}:
        inherit(each)
    _default = Dispatcher()
    _main_loop = threading.Lock()
    adopt(None)
    _local.__dict__.clear()


fork.in_child(_after_fork_in_child)


def interactive() -> bool:
    """Whether Python runs a prompt."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)
