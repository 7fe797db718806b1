"""The base class of dispatchers: a dispatcher runs the callbacks of servers.

A server hands its events to the dispatcher's :class:`~httpuv.dispatch.queue.Dispatcher`, its
*source*: a queue and timers. The source has a descriptor that is readable while callbacks wait, and
runs them when told to. What remains for a class here is to notice, on the thread that it is about::

    class QtDispatcher(httpuv.Dispatcher):
        def start(self):
            self.notifier = QSocketNotifier(self.fileno(), QSocketNotifier.Type.Read)
            self.notifier.activated.connect(self.run)

        def stop(self):
            self.notifier.setEnabled(False)

    startServer("127.0.0.1", 8080, app, dispatch=QtDispatcher())
"""

from __future__ import annotations

import time

from ..base import fork
from . import queue, watch


class Dispatcher:
    """Runs the callbacks of the servers that were started with ``dispatch=`` this object.

    A subclass has :meth:`start` and :meth:`stop`, and calls :meth:`run` whenever the descriptor
    :meth:`fileno` is readable, or :meth:`timeout` has passed. One may serve several servers.
    """

    #: How many callbacks may run at once.
    threads = 1

    def __init__(self, source: queue.Dispatcher | None = None) -> None:
        self.source = source if source is not None else queue.Dispatcher()
        self._servers = 0
        self._lock = fork.lock()

    # --- for subclasses to define ---

    def start(self) -> None:
        """The first server comes: begin to watch. On the thread that starts the server."""

    def stop(self) -> None:
        """The last server has gone: watch no more. On any thread; it must not wait for long."""

    # --- for subclasses to use ---

    def fileno(self) -> int:
        """A descriptor that is readable while :meth:`run` has callbacks to run."""
        return self.source.queue.fileno()

    def run(self) -> None:
        """Run the callbacks that wait, on this thread. Never waits.

        Raises:
            BaseException: What a callback raised, if it is no :class:`Exception`.
        """
        before = queue.adopt(self.source)  # what is called from callbacks is about this one
        try:
            self.source.run_now(0.0, True)
        finally:
            queue.adopt(before)

    def run_rest(self) -> None:
        """Run the last callbacks of the servers: after :meth:`stop` no thread runs them."""
        # Not one round: stopping a server wakes the queue, which ends a round early.
        before = queue.adopt(self.source)
        try:
            while self.source.queue.pending() and self.source.run_now(0.0, True):
                pass
        finally:
            queue.adopt(before)

    def timeout(self) -> float | None:
        """Seconds until :func:`httpuv.later` wants :meth:`run` to be called; None: never.

        To be asked again after each :meth:`run`: a timer that is added makes the descriptor
        readable.
        """
        due = self.source.next_time()
        return None if due is None else max(0.0, due - time.monotonic())

    # --- for servers ---

    def attach(self) -> None:
        """A server begins to use it."""
        with self._lock:
            self._servers += 1  # first: a signal handler may start a server in the middle
            if self._servers > 1:
                return
            try:
                self.start()
                if self.watched:
                    watch.begin(self)
            except BaseException:
                self._servers -= 1
                raise

    def detach(self) -> None:
        """A server has stopped."""
        with self._lock:
            self._servers -= 1
            if self._servers == 0:
                if self.watched:
                    watch.end(self)
                self.stop()

    #: Whether it is reported that requests wait and no thread runs callbacks.
    watched = True

    def unserved(self) -> tuple[str, bool]:
        """For requests that wait while no thread is in :meth:`run`: what the log says, if anything.

        Returns:
            A text that says what to do (``""``: nothing is logged), and whether no thread will run
            callbacks again: then requests get 503.
        """
        return "the dispatcher must call run() when its descriptor is readable", False

    def blocked_by(self, thread: int) -> bool:
        """Whether no callback runs while the thread of this ident waits, unless it runs them."""
        return True
