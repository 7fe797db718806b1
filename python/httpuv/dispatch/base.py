"""The base class of dispatchers: a dispatcher runs the callbacks of servers.

A server hands its events to the dispatcher's :class:`~httpuv.dispatch.queue.Dispatcher`, its
*source*: a queue and timers. The source has a descriptor that is readable while callbacks wait. A
subclass watches the descriptor on its thread and calls :meth:`Dispatcher.run` there::

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

    A subclass defines :meth:`start` and :meth:`stop`. It calls :meth:`run` whenever the descriptor
    :meth:`fileno` is readable or :meth:`timeout` has passed. One object may serve several servers.
    """

    #: How many callbacks may run at once.
    threads = 1

    #: Whether run() does the server's network, too, while nothing else keeps the thread: a request
    #: costs no switch of threads.
    _lend = False

    def __init__(self, source: queue.Dispatcher | None = None) -> None:
        self.source = source if source is not None else queue.Dispatcher()
        self._servers = 0
        self._lock = fork.lock()

    # --- for subclasses to define ---

    def start(self) -> None:
        """Begin to watch: the first server starts. Called on the thread that starts it."""

    def stop(self) -> None:
        """Stop watching: the last server has stopped. Called on any thread; must not wait long."""

    # --- for subclasses to use ---

    def fileno(self) -> int:
        """A descriptor that is readable while :meth:`run` has callbacks to run."""
        return self.source.queue.fileno(self._lend)

    def run(self) -> None:
        """Run the waiting callbacks on this thread. Never waits.

        Raises:
            BaseException: What a callback raised, if it is no :class:`Exception`.
        """
        before = queue.adopt(self.source)  # later() and others in callbacks use this source
        try:
            self.source.run_now(0.0, True)
        finally:
            queue.adopt(before)

    def run_rest(self) -> None:
        """Run the last callbacks of the servers; after :meth:`stop` no thread runs them."""
        # Not one round: stopping a server wakes the queue, which ends a round early.
        before = queue.adopt(self.source)
        try:
            while self.source.queue.pending() and self.source.run_now(0.0, True):
                pass
        finally:
            queue.adopt(before)

    def timeout(self) -> float | None:
        """Seconds until the next timer of :func:`httpuv.later`; None: there is none.

        Call it again after each :meth:`run`. A new timer makes the descriptor readable.
        """
        due = self.source.next_time()
        return None if due is None else max(0.0, due - time.monotonic())

    # --- for servers ---

    def attach(self) -> None:
        """A server begins to use it."""
        with self._lock:
            self._servers += 1  # first, because a signal handler may start a server here
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

    #: Whether requests that wait without a thread for callbacks are reported.
    watched = True

    #: The log message, once in a process, for requests that wait while the thread of callbacks is
    #: busy with other work of the program; ``""``: none.
    busy = ""

    def unserved(self) -> tuple[str, bool]:
        """The log message for requests that wait while no thread is in :meth:`run`.

        Returns:
            A text that says what to do (``""``: nothing is logged), and whether no thread will ever
            run callbacks again. In that case requests get 503.
        """
        return "the dispatcher must call run() when its descriptor is readable", False

    def blocked_by(self, thread: int) -> bool:
        """Whether callbacks cannot run while the thread with this ident blocks."""
        return True
