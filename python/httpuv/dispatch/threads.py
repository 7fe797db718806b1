"""Callbacks on a thread of their own: for scripts that block, and for GUIs."""

from __future__ import annotations

import threading

from ..log import log_failure
from . import queue
from .base import Dispatcher

#: How long stop() waits for a callback that is running, in seconds. The thread is a daemon.
_PATIENCE = 0.5


class ThreadDispatcher(Dispatcher):
    """Runs callbacks on a daemon thread, one at a time; installs no signal handlers."""

    def __init__(self) -> None:
        super().__init__()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="httpuv callbacks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread once the callback that is running has returned."""
        thread, self._thread = self._thread, None
        self.source.wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_PATIENCE)

    def blocked_by(self, thread: int) -> bool:
        """Whether it is the thread."""
        return self._thread is not None and self._thread.ident == thread

    def _run(self) -> None:
        me = threading.current_thread()
        queue.adopt(self.source)
        while self._thread is me:
            try:
                self.source.serve(None, until=lambda: self._thread is not me)
            except BaseException as error:
                # SystemExit and its like, which would leave the server without callbacks.
                log_failure("a callback", None, error)
        if self._thread is None:
            self.run_rest()
