"""Callbacks that wait, and the loops that run them.

A :class:`Dispatcher` joins the core's event queue with the timers of :func:`later`, and runs both
on the threads that run one of its loops: that of :func:`service`, :func:`runNow` or ``runServer``,
or a dispatcher's own. Any thread may run one and several may try at once: so many callbacks as it
was made for run at a time, never two of one connection, nor two timers; the others wait for their
turn. There is one for the process, where one callback runs at a time.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import heapq
import itertools
import math
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from types import EllipsisType
from typing import Any

from .. import _core
from ..base import fork
from ..base.log import log_failure
from . import tasks

#: How long interpreter exit waits for a callback that a daemon thread is running, in seconds.
_EXIT_PATIENCE = 0.5

Callback = Callable[[], object]


_LATER = "a callback of later()"


async def _guarded(coroutine: Coroutine[Any, Any, Any]) -> None:
    try:
        await coroutine
    except Exception as error:
        log_failure(_LATER, None, error)


class _Timer:
    """One call of later(). By the lock of its dispatcher."""

    __slots__ = ("context", "func", "in_line")

    def __init__(self, func: Callback) -> None:
        self.func: Callback | None = func  # None: ran or cancelled
        self.context = contextvars.copy_context()  # of the caller, as asyncio does it
        self.in_line = False  # it was due, and waits for its turn among the events


class Dispatcher:
    """The core's queue, timers, and the loop that runs both.

    Args:
        threads: How many threads may be in callbacks at a time.
    """

    def __init__(self, threads: int = 1) -> None:
        self.queue = _core.Queue(threads)
        self.threads = threads
        #: Whether coroutines run on the thread that runs the callbacks (see own_loop).
        self.coroutines = False
        #: Wakes the thread that serves in a loop of its own, if there is one.
        self.wake_loop: Callable[[], object] | None = None
        self._looping = threading.Lock()  # held by that thread
        self.active = True  # a thread will run this
        self._interrupts: object = None  # a loop ends when this is not what it was when it began
        self.closed = False  # no thread will run this any more
        self._exiting = False

        self._mutex = fork.lock()
        # A heap of (time of time.monotonic(), number that orders equal times, timer); by _mutex,
        # and a signal handler may change it between any two calls.
        self._timers: list[tuple[float, int, _Timer]] = []
        self._changes = 0  # of the heap; by _mutex
        self._cancelled = 0  # how many of them are; by _mutex
        self._numbers = itertools.count()

    # --- loops ---

    def serve(self, seconds: float | None, until: Callable[[], bool] | None = None) -> None:
        """Run callbacks for this time (None: for ever), until interrupted or `until()` is true."""
        seen = self._interrupts
        deadline = None if seconds is None else time.monotonic() + seconds

        def ended() -> bool:
            return self._ended(seen) or (until is not None and until())

        if self._serve_in_loop(deadline, ended):
            return
        while True:
            wakes = self.queue.wakes  # a wake-up from here on ends the round
            if ended():
                break
            self._run_round(wakes, deadline, 0)
            if deadline is not None and time.monotonic() >= deadline:
                return
        if self._exiting:
            # Keep a thread that calls in a loop from spinning.
            time.sleep(0.1 if seconds is None else seconds)

    def serves_in_loop(self) -> bool:
        """Whether a thread serves in an asyncio loop of its own."""
        return self._looping.locked()

    def _serve_in_loop(self, deadline: float | None, ended: Callable[[], bool]) -> bool:
        """Serve in the asyncio loop of this thread, if there are coroutines and it has none yet."""
        if not self.coroutines or self.threads > 1 or self.closed:
            return False
        from . import own_loop, tasks

        if tasks.running_loop() is not None:
            return False  # a callback that runs others, or a program's own loop
        if not self._looping.acquire(blocking=False):
            return False  # one thread runs the coroutines; others help with what else there is
        try:
            own_loop.serve(self, deadline, ended)
        finally:
            self._looping.release()
        return not self._exiting

    def run_now(self, seconds: float | None, all: bool) -> bool:
        """Run what is ready, waiting so long (None: for ever) if nothing is; whether any did."""
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
        """End the loops that are running now, each once its present callback has returned."""
        self._interrupts = object()
        self.wake()

    def wake(self) -> None:
        """Make loops check their `until`, and threads that wait elsewhere :meth:`next_time`."""
        self.queue.wake()
        wake_loop = self.wake_loop
        if wake_loop is not None:
            wake_loop()

    def next_time(self) -> float | None:
        """When the next timer is due, by time.monotonic(); None if there is none."""
        with self._mutex:
            first = self._timers[:1]  # a signal handler may leave none
            return first[0][0] if first else None

    def _ended(self, seen: object) -> bool:
        return self._interrupts is not seen or self.closed

    def _run_round(self, wakes: int, deadline: float | None, most: int) -> int:
        """Run what is ready now, at most so many callbacks (0: all); how many ran.

        Waits up to the deadline or the next timer if nothing is, or until there is a wake-up.
        """
        if not self._timers:
            due = deadline
        else:
            self._queue_due()
            due = self.next_time()
            if due is None or (deadline is not None and deadline < due):
                due = deadline
        pause = None if due is None else max(0.0, due - time.monotonic())
        return self.queue.run(pause, most, wakes)

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
            self.wake()  # a thread may wait for a later timer

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
        # One expression without a call or a branch, so that no signal handler runs in it: what one
        # has changed before stays, and the cancelled ones too, until another time.
        self._timers = (self._timers, kept)[self._changes == changes]
        self._cancelled = sum(each[2].func is None for each in self._timers)

    def _queue_due(self) -> None:
        """Put the timers that are due in line with the events."""
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
        """The interpreter ends: get every thread out of the core."""
        self.closed = self._exiting = True
        self.wake()
        self.queue.rest(_EXIT_PATIENCE)

    def forget(self) -> None:
        """This process was forked: the loop that is on the stack, if any, ends. Takes no lock."""
        self.closed = True
        self._looping = threading.Lock()
        self.wake_loop = None
        self.queue.forget()


_default = Dispatcher()
# What a forked child inherited. Never destroyed: a thread of the parent may have held its locks.
_inherited: list[Dispatcher] = []


def default() -> Dispatcher:
    """The dispatcher of this process."""
    return _default


_local = threading.local()
#: Held by the loop that runs the dispatcher of this process and has a server of its own.
_main_loop = threading.Lock()


def adopt(source: Dispatcher | None) -> Dispatcher | None:
    """This thread runs that dispatcher from now on, while it is active; which one did it before?"""
    before: Dispatcher | None = getattr(_local, "source", None)
    _local.source = source
    return before


def here() -> Dispatcher:
    """The dispatcher that this thread runs; that of the process if it runs none of its own."""
    source: Dispatcher | None = getattr(_local, "source", None)
    return source if source is not None and source.active else _default


@contextlib.contextmanager
def loop() -> Iterator[Dispatcher]:
    """What a loop that has a server of its own is to run: runServer's.

    It is the dispatcher of the process, so that timers and other servers have their turn. Where
    another thread has such a loop already, it is one of its own: neither runs the callbacks of the
    other, nor ends with it.
    """
    outer: Dispatcher | None = getattr(_local, "loop", None)
    if outer is not None and not outer.closed:  # inside of a callback
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
    """In a forked child: that dispatcher is the parent's, and runs nothing here."""
    source.forget()
    _inherited.append(source)


def _after_fork_in_child() -> None:
    global _default, _main_loop
    for each in {_default, here()}:
        inherit(each)
    _default = Dispatcher()
    _main_loop = threading.Lock()
    _local.__dict__.clear()


fork.in_child(_after_fork_in_child)


def interactive() -> bool:
    """Whether Python runs a prompt."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


def service(timeoutMs: float | EllipsisType | None = ...) -> None:
    """Run callbacks - requests, WebSocket messages, timers - for about so long.

    Args:
        timeoutMs: Milliseconds to run before returning; 100 at a prompt and 1000 otherwise if it
            is left out. 0 or :data:`math.inf`: do not return until :func:`interrupt` is called.
            None or :data:`math.nan` (R's NA): run what is waiting now and return.

    Raises:
        TypeError, ValueError: ``timeoutMs`` is no number, or negative.
        KeyboardInterrupt: Ctrl-C, within 100 ms. What a callback raises is logged instead, unless
            it is no :class:`Exception`.

    Source: manual page *service*.
    """
    if timeoutMs is ...:
        timeoutMs = 100 if interactive() else 1000
    elif timeoutMs is None:
        timeoutMs = math.nan
    milliseconds = _check_number("timeoutMs", timeoutMs)
    if math.isnan(milliseconds):
        here().run_now(0.0, True)
    elif milliseconds < 0:
        raise ValueError(f"timeoutMs must not be negative: {timeoutMs!r}")
    elif milliseconds in (0, math.inf):
        here().serve(None)
    else:
        here().serve(milliseconds / 1000)


def interrupt() -> None:
    """End the loop that is running: ``service`` or ``runServer`` returns to its caller.

    It does so once the callback that is running has returned; no further one runs until it is
    called again. If no loop is running, nothing happens. May be called from any thread.

    Source: manual page *interrupt*.
    """
    here().interrupt()


def later(func: Callable[[], object], delaySecs: float = 0) -> Callable[[], bool]:
    """Call a function later, on the thread that runs the callbacks; never before now.

    What it raises is logged. If it is a coroutine function, or returns anything else that can be
    awaited, that is run as a task in asyncio. Functions run in the order of their times, and in the
    order of these calls where the times are the same. No server is needed. May be called from any
    thread.

    Args:
        func: Called without arguments.
        delaySecs: Seconds from now; it may get later, not earlier.

    Returns:
        A function that cancels the call. It returns True if it did, and False if ``func`` has run
        or was cancelled before.

    Raises:
        TypeError, ValueError: ``func`` cannot be called, or ``delaySecs`` is no finite number.

    Source: package *later*, function ``later``, as the manual page *startServer* uses it.
    """
    if not callable(func):
        raise TypeError(f"func must be callable, not {type(func).__name__}")
    seconds = _check_number("delaySecs", delaySecs)
    if not math.isfinite(seconds):
        raise ValueError(f"delaySecs must be finite, not {delaySecs!r}")
    return here().later(func, max(0.0, seconds))


def runNow(timeoutSecs: float = 0, all: bool = True) -> bool:
    """Run the callbacks that are ready, waiting for one if there is none.

    Args:
        timeoutSecs: Seconds to wait if nothing is ready. Negative or :data:`math.inf`: as long as
            it takes.
        all: Whether to run all that are ready, or one at most.

    Returns:
        Whether any ran.

    Raises:
        TypeError, ValueError: ``timeoutSecs`` is no number.
        KeyboardInterrupt: As for :func:`service`.

    Source: package *later*, function ``run_now``, as the manual page *service* uses it.
    """
    seconds = _check_number("timeoutSecs", timeoutSecs)
    if math.isnan(seconds):
        raise ValueError("timeoutSecs must not be nan")
    return here().run_now(None if seconds < 0 or seconds == math.inf else seconds, bool(all))


def _check_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    return float(value)
