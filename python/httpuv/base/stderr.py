"""Standard error, written without waiting long for its reader."""

from __future__ import annotations

import contextlib
import logging
import select
import sys
import threading
from typing import TextIO

#: Seconds that a text waits for a full pipe or terminal before it is dropped.
PATIENCE = 0.5
#: Characters that a pipe takes in one write if it has room: PIPE_BUF bytes of UTF-8.
_PIECE = select.PIPE_BUF // 4


class _Stderr:
    """The ``sys.stderr`` of the moment of each call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stalled = False  # the last text was dropped: the next one does not wait

    def write(self, text: str) -> bool:
        """Write a text; False if it, or its end, was dropped. Raises no :class:`Exception`."""
        # A signal handler may log while this thread writes; the thread must not wait for itself.
        mine = self._lock.acquire(timeout=PATIENCE)
        try:
            return self._write(text)
        except Exception:  # it was closed, its reader has gone, or it is no file at all
            return False
        finally:
            if mine:
                self._lock.release()

    def _write(self, text: str) -> bool:
        stream = sys.stderr
        if stream is None:
            return False
        fd = -1
        with contextlib.suppress(Exception):  # a replacement may have no descriptor
            fd = stream.fileno()
        for start in range(0, len(text), _PIECE):
            if fd >= 0 and not self._takes(fd):
                return False
            stream.write(text[start : start + _PIECE])
            stream.flush()
        return True

    def _takes(self, fd: int) -> bool:
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        self._stalled = not poll.poll(0 if self._stalled else 1000 * PATIENCE)
        return not self._stalled


_stderr = _Stderr()


def write(text: str) -> bool:
    """Write a text to standard error; False if it, or its end, was dropped.

    Text is dropped where there is no standard error, it was closed, or it takes nothing for
    :data:`PATIENCE` seconds. Raises no :class:`Exception`.
    """
    return _stderr.write(text)


class Handler(logging.Handler):
    """A log handler that writes there, for loggers without handlers."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(layout))
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, or count it among those that were dropped."""
        text = self.format(record) + "\n"
        if self._dropped and write(
            f"{self._dropped} lines were dropped: standard error was full\n"
        ):
            self._dropped = 0
        if not write(text):
            self._dropped += 1


def is_terminal() -> bool:
    """Whether standard error is a terminal."""
    return leads_to_terminal(sys.stderr)


def leads_to_terminal(stream: TextIO | None) -> bool:
    """Whether a standard stream is a terminal; None: the process was started without it."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # it is closed
        return False
