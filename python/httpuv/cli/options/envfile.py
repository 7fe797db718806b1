"""``--env-file``: lines NAME=VALUE for the environment of the application."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping

from ..console import MISUSED, Mistake

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse(text: str, name: str) -> dict[str, str]:
    """Parse the lines of such a file.

    A line is empty, a comment (``#``), or ``NAME=VALUE``, with or without ``export`` before it.
    Quotes around a value are removed; nothing in it is expanded.

    Args:
        text: The file.
        name: Its name, for messages.

    Raises:
        Mistake: A line has another form.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.removeprefix("export ").partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not _NAME.fullmatch(key):
            raise Mistake(f"{name}, line {number}: must be NAME=VALUE, not {line!r}", MISUSED)
        if value[:1] in ("'", '"'):
            if len(value) < 2 or value[-1] != value[0]:
                raise Mistake(f"{name}, line {number}: the quote does not end", MISUSED)
            value = value[1:-1]
        found[key] = value
    return found


def load(path: str, environ: MutableMapping[str, str] = os.environ) -> None:
    """Set the variables of a file, except variables that are already set.

    Raises:
        Mistake: The file cannot be read, or a line of it is wrong.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise Mistake(f"--env-file {path} cannot be read: {error.strerror}", MISUSED) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Mistake(f"{path}, line {line}: must be UTF-8", MISUSED) from None
    for name, value in parse(text, path).items():
        environ.setdefault(name, value)
