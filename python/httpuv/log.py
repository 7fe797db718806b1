"""The log: everything the package has to say goes through ``logging.getLogger("httpuv")``."""

from __future__ import annotations

import logging
from typing import Any

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


def log_failure(where: str, environ: dict[str, Any] | None, error: BaseException) -> None:
    """Log an exception of a callback with its traceback. The core calls this; it never raises.

    Args:
        where: The callback that failed, such as ``"call"``.
        environ: The request it was for, if there was one.
        error: What it raised.
    """
    if environ is None:
        logger.error("%s failed", where, exc_info=error)
    else:
        # The target is as the client sent it: the parser has let no control character through.
        logger.error(
            "%s failed for %s %s",
            where,
            environ.get("REQUEST_METHOD"),
            environ.get("REQUEST_URI"),
            exc_info=error,
        )


def log_notice(level: int, text: str) -> None:
    """Log what the core has to say of the server as a whole, such as a disk that is full.

    Args:
        level: 0: debug, 1: warning, 2: error.
        text: What happened.
    """
    logger.log((logging.DEBUG, logging.WARNING, logging.ERROR)[level], "%s", text)
