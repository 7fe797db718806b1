"""Messages of the command: lines on standard error, with colours on a terminal only."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from types import TracebackType

from ..base import stderr

#: Exit status of a command that could not start what it was asked for.
FAILED = 1
#: Exit status of a command that was called wrongly.
MISUSED = 2

_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33"}


class Mistake(Exception):
    """A mistake of the user; the message is one line that says how to correct it.

    Args:
        message: The line.
        status: The exit status of the command.
    """

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


class ApplicationFailed(Exception):
    """The application's own code raised an exception, which is ``__cause__``."""


def coloured() -> bool:
    """Whether standard error is a terminal with colours (see also https://no-color.org)."""
    wanted = "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return wanted and stderr.is_terminal()


def styled(text: str, style: str) -> str:
    """The text in a style, if colours are used."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if coloured() else text


def say(text: str) -> None:
    """Write a line to standard error."""
    stderr.write(text + "\n")


def complain(text: str) -> None:
    """Write a line about a failure to standard error."""
    stderr.write(f"{styled('httpuv:', 'red')} {text}\n")


def tell_of(error: Mistake | ApplicationFailed) -> int:
    """Write the reason of a failure to standard error; return the exit status."""
    if isinstance(error, Mistake):
        complain(str(error))
        return error.status
    complain(str(error))
    cause = error.__cause__
    assert cause is not None
    stderr.write(traceback_of(cause))
    return FAILED


def traceback_of(error: BaseException) -> str:
    """The traceback of an exception without the frames of this command and of the import system."""
    told = traceback.TracebackException(type(error), error, _own_frames(error.__traceback__))
    pending, seen = [told], set()
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        each.stack[:] = [frame for frame in each.stack if not _is_machinery(frame.filename)]
        pending += [other for other in (each.__cause__, each.__context__) if other is not None]
    return "".join(told.format())


def _own_frames(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and _is_machinery(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


_HERE = str(Path(__file__).parent)
_IMPORTLIB = str(Path(os.__file__).parent / "importlib")


def _is_machinery(filename: str) -> bool:
    return filename.startswith((_HERE, _IMPORTLIB, "<frozen importlib"))
