"""Callbacks on separate threads: for scripts that block, GUI programs and blocking callbacks."""

from __future__ import annotations

import threading
import time

from ..base.log import log_failure
from . import queue
from .base import Dispatcher

#: Seconds that stop() waits for running callbacks. The threads are daemon threads.
_PATIENCE = 0.5


class ThreadDispatcher(Dispatcher):
    """Runs callbacks on daemon threads; installs no signal handlers.

    Callbacks of one connection run in order and one at a time. Callbacks of different connections
    run at the same time, on as many threads as there are.

    Args:
        threads: How many threads, at least 1.
    """

    def __init__(self, threads: int = 1) -> None:
        super().__init__(queue.Dispatcher(threads))
        self.threads = threads
        self._threads: list[threading.Thread] = []

    watched = False  # its threads run callbacks until the servers stop

    def start(self) -> None:
        """Start the threads."""
        threads = [
            threading.Thread(target=self._run, name="httpuv callbacks", daemon=True)
            for _ in range(self.threads)
        ]
        self._threads = threads
        try:
            for thread in threads:
                thread.start()
        except BaseException:  # there is no room for one more
            self._threads = []
            self.source.wake()
            raise

    def stop(self) -> None:
        """End the threads, each when its current callback has returned."""
        threads, self._threads = self._threads, []
        self.source.wake()
        until = time.monotonic() + _PATIENCE
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))

    def blocked_by(self, thread: int) -> bool:
        """Whether the thread is one of this dispatcher's."""
        return any(each.ident == thread for each in self._threads)

    def _run(self) -> None:
        me = threading.current_thread()
        queue.adopt(self.source)
        while me in self._threads and not self.source.closed:
            try:
                self.source.serve(None, until=lambda: me not in self._threads)
            except BaseException as error:
                # SystemExit or KeyboardInterrupt would leave the server without callbacks.
                log_failure("a callback", None, error)
        if not self._threads:
            self.run_rest()
        if self.source.coroutines:
            from . import own_loop

            own_loop.close()
