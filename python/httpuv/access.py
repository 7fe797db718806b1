"""The access log: a line for each answer, through ``logging.getLogger("httpuv.access")``."""

from __future__ import annotations

import logging
from collections.abc import Callable

logger = logging.getLogger("httpuv.access")

#: Client, request line, status, bytes of the body, milliseconds.
_LINE = '%s - "%s" %s %d %.1f ms'


def access_log() -> Callable[..., None]:
    """What the core calls for every answer.

    So that it is seen where nobody has set up :mod:`logging`: a logger without a level gets INFO,
    and one that nobody listens to a handler that writes to standard error.
    """
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        logger.addHandler(handler)
    return _answered


def _answered(
    address: str,
    port: int,
    method: str,
    target: str,
    minor_version: int,
    status: int,
    size: int,
    ended: float,
    seconds: float,
    referer: str,
    user_agent: str,
    skipped: int,
) -> None:
    """Log an answer. The core calls this, on a thread that runs callbacks.

    Args:
        address, port: The client's; ``""`` and 0 for a Unix socket's.
        method, target: As the client sent them; ``""`` if it made no sense.
        minor_version: HTTP/1.<minor>.
        status: 0 if the connection ended before there was an answer.
        size: Bytes of the body.
        ended, seconds: When the answer was made, since the epoch, and how long it took.
        referer, user_agent: Fields of the request.
        skipped: Answers before this one that are not in the log, since Python was busy for long.
    """
    if skipped:
        logger.warning("%d answers are not in the log: Python was busy for too long", skipped)
    if not logger.isEnabledFor(logging.INFO):
        return
    client = f"{address}:{port}" if address else "unix"
    request = f"{method} {target} HTTP/1.{minor_version}" if method else "-"
    arguments = (client, _escaped(request), status or "-", size, 1000 * seconds)
    # Not info(): the record tells when the answer was made, not when Python had time to say so.
    record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, _LINE, arguments, None)
    record.created = ended
    record.msecs = int(ended % 1 * 1000)
    record.__dict__.update(
        client=address,
        clientPort=port,
        method=method,
        target=target,
        status=status,
        size=size,
        seconds=seconds,
        referer=referer,
        userAgent=user_agent,
    )
    logger.handle(record)


def _escaped(text: str) -> str:
    """No client can end the quotes, or the line."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
