"""From the first signal to the end of a process."""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from .console import complain, say

#: The signals that end the command.
ENDING = (signal.SIGTERM, signal.SIGINT)

#: Signals that make other servers open their logs again or upgrade, and by default end a process.
OF_OTHERS = (signal.SIGUSR1, signal.SIGUSR2)


def times_of(graceful_timeout: float) -> float:
    """Seconds for answers under way; the rest is for the shutdown of the application."""
    return graceful_timeout - min(1.0, graceful_timeout / 10)


def outlive_signals_of_others() -> None:
    """Let SIGUSR1 and SIGUSR2 do nothing, unless the application handles them."""
    for each in OF_OTHERS:
        if signal.getsignal(each) == signal.SIG_DFL:
            # A handler and not SIG_IGN, which child processes would inherit.
            signal.signal(each, lambda number, frame: None)


class Life:
    """Ends the process once: gracefully at first, and at once if that takes too long.

    Signal handlers run on the main thread, so the main thread must run Python code.

    Args:
        graceful_timeout: Seconds from :meth:`end` until the process ends whatever still runs.
    """

    def __init__(self, graceful_timeout: float) -> None:
        self._timeout = graceful_timeout
        self._stop: Callable[[], None] | None = None
        self._lock = threading.RLock()  # a handler may interrupt the holder
        self.ending = False
        # Started before: a handler cannot start a thread if it interrupts the start of another one.
        self._begun: queue.SimpleQueue[None] = queue.SimpleQueue()
        threading.Thread(target=self._end_in_time, name="httpuv end", daemon=True).start()

    def take_signals(self) -> None:
        """Let SIGTERM and SIGINT end the process, and no other; the second ends it at once.

        This also works in process 1, in which signals have no default action.
        """
        for each in ENDING:
            signal.signal(each, self._signalled)
        outlive_signals_of_others()

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self.ending:
            leave(128 + number)
        self.end()

    def begins(self, stop: Callable[[], None]) -> None:
        """Note that the server starts; ``stop`` stops it, and returns at once."""
        with self._lock:
            self._stop = stop

    def end(self) -> None:
        """Begin to end. May be called on any thread and in handlers; only the first call counts."""
        with self._lock:
            if self.ending:
                return
            self.ending = True
            stop = self._stop
        if stop is None:  # the application is being imported: no client waits for an answer
            leave(0)
        self._begun.put(None)
        stop()

    def _end_in_time(self) -> None:
        self._begun.get()
        # The interpreter ends with the main thread, and this daemon thread with the interpreter.
        threading.Event().wait(self._timeout)
        if self._timeout > 0:
            complain(f"what ran was cut off after {self._timeout:g} s (--graceful-timeout)")
        leave(0)


def leave(status: int) -> NoReturn:
    """End the process at once, without waiting for threads."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            say(f"standard output is lost: {error}")
    os._exit(status)
