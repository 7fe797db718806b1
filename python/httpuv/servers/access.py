"""The access log: a line for each answer, through ``logging.getLogger("httpuv.access")``."""

from __future__ import annotations

import logging
import time

from ..base import stderr

logger = logging.getLogger("httpuv.access")

#: Client, request line, status, bytes of the body, milliseconds.
_LINE = '%s - "%s" %s %d %.1f ms'


_SKIPPED = "%d answers are not in the log: it fell behind by too much"
#: Seconds in a handler after which an interrupt means that it blocks.
_BLOCKED = 0.5


class AccessLog:
    """Logs the answers that the core reports, on a thread that runs callbacks.

    The log is visible even if :mod:`logging` is not set up: a logger without a level gets INFO, and
    a logger without a handler writes to standard error.
    """

    def __init__(self) -> None:
        self._blocked = False  # a handler was interrupted: the rest is not logged
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.INFO)

    def answered(
        self,
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
    ) -> None:
        """Log an answer.

        Args:
            address, port: The client's; ``""`` and 0 for a Unix socket's.
            request: The first line of the request, as far as it could be parsed.
            status: 0 if the connection ended before there was an answer.
            size: Bytes of the body.
            ended, seconds: The time of the answer, since the epoch, and its duration.
            referer, user_agent, request_id: Fields of the request.
            trace_id: The trace id of the traceparent; "" without one.
        """
        if self._blocked or not logger.isEnabledFor(logging.INFO):
            return
        client = f"{address}:{port}" if address else "unix"
        request = _escaped(request)
        method, _, rest = request.partition(" ")
        arguments = (client, request or "-", status or "-", size, 1000 * seconds)
        # Not info(): the record has the time of the answer, not the time of this call.
        record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, _LINE, arguments, None)
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
        self._handle(record)

    def skipped(self, count: int) -> None:
        """Log that so many answers were not logged."""
        arguments = (count,)
        self._handle(
            logger.makeRecord(logger.name, logging.WARNING, __file__, 0, _SKIPPED, arguments, None)
        )

    def _handle(self, record: logging.LogRecord) -> None:
        begun = time.monotonic()
        try:
            if logger.hasHandlers():
                logger.handle(record)
            elif logger.filter(record):
                _last_resort.handle(record)
        except Exception:
            raise
        except BaseException:  # Ctrl-C in a handler that waits for a full pipe; others would wait
            self._blocked = time.monotonic() - begun > _BLOCKED
            raise


_last_resort = stderr.Handler("%(asctime)s %(message)s")


def _escaped(text: str) -> str:
    """Escape characters that could end the quotes or the line, or control a terminal."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
