"""The log: what the package reports goes through ``logging.getLogger("httpuv")``."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from . import stderr

logger = logging.getLogger("httpuv")

_LEVELS = {
    "OFF": logging.CRITICAL + 10,
    "ERROR": logging.ERROR,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
}


def logLevel(level: str | None = None) -> str:
    """Get or set how much the package logs.

    The level is that of the logger ``httpuv``. Until it is set here or through :mod:`logging`, the
    root logger's level counts, which is ``"WARN"`` by default.

    Args:
        level: ``"OFF"``, ``"ERROR"``, ``"WARN"``, ``"INFO"`` or ``"DEBUG"``, from least to most;
            None leaves the level as it is.

    Returns:
        The level from before the call.

    Raises:
        TypeError, ValueError: ``level`` is none of these.
    """
    effective = logger.getEffectiveLevel()
    old = next((name for name, value in _LEVELS.items() if effective >= value), "DEBUG")
    if level is not None:
        if not isinstance(level, str):
            raise TypeError(f"level must be str or None, not {type(level).__name__}")
        if level not in _LEVELS:
            raise ValueError(f"level must be one of {', '.join(_LEVELS)}, not {level!r}")
        logger.setLevel(_LEVELS[level])
    return old


_last_resort = stderr.Handler("%(message)s")


def write(level: int, message: str, *arguments: object, error: BaseException | None = None) -> None:
    """Log a message. Raises no :class:`Exception`, whatever handlers and filters raise.

    A message that cannot be logged goes to standard error. Without a handler, warnings and errors
    go there as well, as :mod:`logging` does it, but they never block there.

    Args:
        level: Of :mod:`logging`.
        message, arguments: As for :meth:`logging.Logger.log`.
        error: An exception whose traceback is logged with it.
    """
    try:
        if logger.hasHandlers():
            logger.log(level, message, *arguments, exc_info=error)
        elif level >= logging.WARNING and logger.isEnabledFor(level):
            info = None if error is None else (type(error), error, error.__traceback__)
            record = logger.makeRecord(logger.name, level, __file__, 0, message, arguments, info)
            if logger.filter(record):
                _last_resort.handle(record)
    except Exception as failure:
        _write_unlogged(message, arguments, error, failure)


def _write_unlogged(
    message: str, arguments: tuple[object, ...], error: BaseException | None, failure: Exception
) -> None:
    try:
        text = message % arguments
        if error is not None:
            text += "\n" + "".join(traceback.format_exception(error))
        text += f"\n(not logged: {type(failure).__name__}: {failure})\n"
    except Exception as other:  # out of memory, or a __str__ that fails
        text = f"a message could not be logged: {type(other).__name__}\n"
    stderr.write(text)


def log_failure(where: str, environ: dict[str, Any] | None, error: BaseException) -> None:
    """Log an exception of a callback with its traceback. The core calls this; it never raises.

    Args:
        where: The callback that failed, such as ``"call"``.
        environ: The request it was for, if there was one.
        error: What it raised.
    """
    if environ is None:
        write(logging.ERROR, "%s failed", where, error=error)
    else:
        # The target is as the client sent it: the parser has let no control character through.
        method, target = environ.get("REQUEST_METHOD"), environ.get("REQUEST_URI")
        if "raw_path" in environ:  # an ASGI scope
            method = environ.get("method", "websocket")
            target = environ["raw_path"].decode("latin-1")
        write(logging.ERROR, "%s failed for %s %s", where, method, target, error=error)


def log_notice(level: int, text: str) -> None:
    """Log a notice of the core about the server as a whole, such as a full disk.

    Args:
        level: 0: debug, 1: info, 2: warning, 3: error.
        text: What happened.
    """
    write((logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)[level], "%s", text)
