"""A watch over servers: requests that wait while no thread runs callbacks are logged or refused.

The watch has a thread, which sleeps while nothing waits and checks a few times a second otherwise.
Servers have a watch if their callbacks run only in calls of the program or while its loop runs.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from ..base import fork, log
from . import queue

#: Seconds that requests wait without a thread for callbacks before a message is logged.
PATIENCE = 2.0
#: Seconds between two checks.
_STEP = 0.25


class Watched(Protocol):
    """The part of a dispatcher that this module uses."""

    source: queue.Dispatcher

    busy: str

    def unserved(self) -> tuple[str, bool]: ...


class Watch:
    """Watches the queue of one source. Dispatchers with the same source share one watch."""

    def __init__(self, dispatcher: Watched) -> None:
        self._dispatcher = dispatcher
        self._queue = dispatcher.source.queue
        self._number = self._queue.begin_watch()
        self.users = 0  # servers; guarded by _lock
        self._thread = threading.Thread(target=self._run, name="httpuv watch", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the thread."""
        self._queue.end_watch()
        if self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _run(self) -> None:
        steps = 0
        before = reported = -1
        while True:
            waiting, served = self._queue.unserved(_STEP, self._number)
            if waiting == 0:
                return
            steps = steps + 1 if served == before else 1
            before = served
            why, for_good = self._dispatcher.unserved()
            if for_good:
                log.write(logging.WARNING, "%d requests or messages wait; %s", waiting, why)
                self._queue.refuse()
                return
            if steps * _STEP < PATIENCE or reported == served:
                continue
            reported = served  # once, until callbacks have run again
            why = why or self._busy()
            if why:
                log.write(logging.WARNING, "%d requests or messages wait; %s", waiting, why)

    def _busy(self) -> str:
        """The message that a dispatcher's thread is busy, the first time in this process."""
        busy = self._dispatcher.busy
        if busy in _told:
            return ""
        _told.add(busy)
        return busy


_told: set[str] = set()
_lock = fork.lock()
_watches: dict[queue.Dispatcher, Watch] = {}


def begin(dispatcher: Watched) -> None:
    """A server begins to use a dispatcher."""
    with _lock:
        watch = _watches.get(dispatcher.source)
        if watch is None:
            watch = _watches[dispatcher.source] = Watch(dispatcher)
        watch.users += 1


def end(dispatcher: Watched) -> None:
    """A server has stopped."""
    with _lock:
        watch = _watches.get(dispatcher.source)
        if watch is None:
            return  # it belonged to the parent, before a fork
        watch.users -= 1
        if watch.users > 0:
            return
        del _watches[dispatcher.source]
    watch.end()


fork.in_child(_watches.clear)
