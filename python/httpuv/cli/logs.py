"""The log of ``httpuv run``: standard error, unless the application has set up logging."""

from __future__ import annotations

import logging

from ..base import stderr
from ..base.log import logger, logLevel

_LAYOUT = "%(asctime)s %(process)d %(levelname)s %(message)s"


def set_up(level: str) -> None:
    """Set the level of the logger ``httpuv``, and give it a handler if it has none."""
    logLevel(level.upper())
    if not logging.getLogger("httpuv").hasHandlers():
        logger.addHandler(stderr.Handler(_LAYOUT))
