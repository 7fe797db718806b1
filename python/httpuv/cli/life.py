"""From the first signal to the end of a process."""

from __future__ import annotations

import _thread
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import NoReturn

from .. import _core
from .console import complain, say

#: The signals that end the command.
ENDING = (signal.SIGTERM, signal.SIGINT)

#: Signals that make other servers open their logs again or upgrade, and by default end a process.
OF_OTHERS = (signal.SIGUSR1, signal.SIGUSR2)

#: Seconds for the last output, if the reader of standard output has stopped.
LAST_OUTPUT = 1.0


def times_of(graceful_timeout: float) -> float:
    """Seconds for answers under way; the rest is for the shutdown of the application."""
    return graceful_timeout - min(1.0, graceful_timeout / 10)


def nothing(number: int, frame: FrameType | None) -> None:
    """Ignore the signal. Unlike SIG_IGN, child processes do not inherit this."""


def outlive_signals_of_others() -> None:
    """Let SIGUSR1 and SIGUSR2 do nothing, unless the application handles them."""
    for each in OF_OTHERS:
        if signal.getsignal(each) == signal.SIG_DFL:
            signal.signal(each, nothing)


class Life:
    """Ends the process once: gracefully at first, and at once if that takes too long.

    A thread of its own waits for the order to end, so it does not matter what the main thread runs.

    Args:
        graceful_timeout: Seconds from the order until the process ends whatever still runs.
    """

    def __init__(self, graceful_timeout: float) -> None:
        self._timeout = graceful_timeout
        self._stop: Callable[[], None] | None = None
        self._lock = threading.Lock()
        self.ending = False
        self._orders, self._order = os.pipe()
        os.set_blocking(self._order, False)
        threading.Thread(target=self._run, name="httpuv end", daemon=True).start()

    def take_signals(
        self, signals: Iterable[signal.Signals] = ENDING, *, second_exits: bool = True
    ) -> None:
        """Let these signals end the process, and no others.

        This also works in process 1, in which signals have no default action. May be called again,
        to take them back from the application.

        Args:
            signals: SIGTERM and SIGINT, by default.
            second_exits: Whether the second one ends the process at once, whatever it does.
        """
        taken = list(signals)
        for each in taken:
            signal.signal(each, nothing)  # what getsignal() tells, and what Python resets at exit
        _core.relay_signals([int(each) for each in taken], self._order, second_exits)
        outlive_signals_of_others()

    def begins(self, stop: Callable[[], None]) -> None:
        """Note that the server starts; ``stop`` stops it, and returns at once."""
        with self._lock:
            self._stop = stop

    def end(self) -> None:
        """Begin to end. May be called on any thread; only the first order counts."""
        if not self.ending:
            self.ending = True
            os.write(self._order, b"\0")

    def _run(self) -> None:
        os.read(self._orders, 1)
        with self._lock:
            self.ending = True
            stop = self._stop
        if stop is None:  # the application is being imported: no client waits for an answer
            leave(0)
        stop()
        # The interpreter ends with the main thread, and this daemon thread with the interpreter.
        select.select([], [], [], self._timeout)
        if self._timeout > 0:
            complain(f"what ran was cut off after {self._timeout:g} s (--graceful-timeout)")
        leave(0)


def leave(status: int) -> NoReturn:
    """End the process at once, without waiting for threads."""
    # Another thread may hold the lock of the output, in a write that does not return.
    flushed = _thread.allocate_lock()
    flushed.acquire()
    _thread.start_new_thread(_flush, (flushed,))
    flushed.acquire(timeout=LAST_OUTPUT)
    os._exit(status)


def _flush(flushed: _thread.LockType) -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError) as error:
        say(f"standard output is lost: {error}")
    finally:
        flushed.release()
