"""The access log: a line for each answer, through ``logging.getLogger("httpuv.access")``.

Handlers run on their own thread, one for all servers, so that slow handlers do not delay callbacks.
The core limits how many records wait for this thread, and counts the records that it drops
(``log_dropped`` of :class:`httpuv.servers.stats.Stats`, ``httpuv_access_log_dropped_total``).
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

from ..base import fork, stderr
from ..base.log import log_failure

if TYPE_CHECKING:
    from .. import _core

logger = logging.getLogger("httpuv.access")

#: Client, request line, status, bytes of the body, milliseconds.
_LINE = '%s - "%s" %s %d %.1f ms'


_SKIPPED = "%d answers are not in the log: it fell behind by too much"
#: Seconds that handlers have for the rest of the log when a server or the process ends.
_FAREWELL = 1.0


class AccessLog:
    """Takes the answers of one server from the core, on a thread that runs callbacks.

    The log is visible even if :mod:`logging` is not set up: a logger without a level gets INFO, and
    a logger without a handler writes to standard error.

    Raises:
        RuntimeError: The thread that logs cannot be started.
    """

    def __init__(self) -> None:
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)
        _writer.start()

    def __call__(self, records: _core.AccessRecords) -> None:
        """Queue answers for the log, if the level allows it now."""
        if logger.isEnabledFor(logging.INFO):
            _writer.add(records)


def flush() -> bool:
    """Wait for at most a second until the queued answers are logged.

    On the thread that logs this does nothing.

    Returns:
        Whether they are logged.
    """
    return _writer.flush()


def end() -> None:
    """Flush the log at the end of the process, and give up on handlers that hang.

    :func:`logging.shutdown` acquires the lock of each handler; the lock of a handler that hangs is
    never released.
    """
    if flush():
        return
    source: logging.Logger | None = logger
    while source is not None:
        for handler in source.handlers:
            if handler.lock is None:
                continue
            if handler.lock.acquire(blocking=False):
                handler.lock.release()
            else:
                handler.createLock()
        source = source.parent if source.propagate else None


class _Writer:
    """The thread that logs."""

    def __init__(self) -> None:
        self._lock = fork.lock()
        self._forget()
        fork.in_child(self._forget)

    def _forget(self) -> None:
        self._thread: threading.Thread | None = None
        # Its put() never waits, also in a signal handler.
        self._waiting: queue.SimpleQueue[_core.AccessRecords | threading.Event]
        self._waiting = queue.SimpleQueue()

    def start(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(
                    target=self._run, args=(self._waiting,), name="httpuv access log", daemon=True
                )
                thread.start()
                self._thread = thread

    def add(self, records: _core.AccessRecords) -> None:
        self._waiting.put(records)

    def flush(self) -> bool:
        if self._thread is None or self._thread is threading.current_thread():
            return True
        done = threading.Event()
        self._waiting.put(done)
        return done.wait(_FAREWELL)

    def _run(self, waiting: queue.SimpleQueue[_core.AccessRecords | threading.Event]) -> None:
        while True:
            taken = waiting.get()
            if isinstance(taken, threading.Event):
                taken.set()
                continue
            try:
                for each in taken.take():
                    _handle(record_of(*each))
                if skipped := taken.skipped():
                    _handle(_record(logging.WARNING, _SKIPPED, skipped))
            except Exception as error:  # out of memory; the next records may succeed
                log_failure("accessLog", None, error)


_writer = _Writer()


def _record(level: int, text: str, *arguments: object) -> logging.LogRecord:
    return logger.makeRecord(logger.name, level, __file__, 0, text, arguments, None)


def record_of(
    address: str,
    port: int,
    request: str,
    status: int,
    size: int,
    ended: float,
    seconds: float,
    referer: str,
    user_agent: str,
    request_id: str,
    trace_id: str,
) -> logging.LogRecord:
    """Make the record of an answer.

    Args:
        address, port: The client's; ``""`` and 0 for a Unix socket's.
        request: The first line of the request, as far as it could be parsed.
        status: 0 if the connection ended before there was an answer.
        size: Bytes of the body.
        ended, seconds: The time of the answer, since the epoch, and its duration.
        referer, user_agent, request_id: Fields of the request.
        trace_id: The trace id of the traceparent; "" without one.
    """
    client = f"{address}:{port}" if address else "unix"
    request = _escaped(request)
    method, _, rest = request.partition(" ")
    record = _record(
        logging.INFO, _LINE, client, request or "-", status or "-", size, 1000 * seconds
    )
    # The record has the time of the answer, not the time of this call.
    record.created = ended
    record.msecs = int(ended % 1 * 1000)
    record.__dict__.update(
        client=address,
        clientPort=port,
        request=request,
        method=method,
        target=rest.partition(" ")[0],
        status=status,
        size=size,
        seconds=seconds,
        referer=_escaped(referer),
        userAgent=_escaped(user_agent),
        requestId=_escaped(request_id),
        traceId=trace_id,
    )
    return record


def _handle(record: logging.LogRecord) -> None:
    """Log a record. Exceptions of handlers and filters are logged as errors."""
    try:
        if logger.hasHandlers():
            logger.handle(record)
        elif logger.filter(record):
            _last_resort.handle(record)
    except BaseException as error:  # also SystemExit: all servers need this thread
        log_failure("accessLog", None, error)


_last_resort = stderr.Handler("%(asctime)s %(message)s")


def _escaped(text: str) -> str:
    """Escape characters that could end the quotes or the line, or control a terminal."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
