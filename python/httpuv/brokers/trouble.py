"""Why a broker cannot be used, and the log message when that begins."""

from __future__ import annotations

import logging

from ..base import fork, log


class Trouble:
    """The reason why a connection to Redis is not there. Any thread.

    Attributes:
        text: ``""``: it is there.
    """

    def __init__(self, text: str = "not connected yet") -> None:
        self.text = text
        self._lock = fork.lock()

    def begin(self, text: str) -> None:
        """It is lost, or still is; logged once."""
        with self._lock:
            news = not self.text
            self.text = text
        if news:
            log.write(logging.WARNING, "broker: Redis is away: %s", text)

    def end(self) -> None:
        """It is there."""
        with self._lock:
            self.text = ""
