"""The keys of TLS session tickets (RFC 8446 section 4.6.1), which all workers share.

A client that comes back may connect to another worker than the one that issued its ticket. The
process that starts the workers makes the keys and sends them over the socket pairs: they are in no
file, no environment and no command line.
"""

from __future__ import annotations

import base64
import secrets
import time

#: Seconds between two new keys; the two keys before the newest still open tickets.
PERIOD = 3600.0
_KEYS, _SIZE = 3, 80


class TicketKeys:
    """Makes the keys."""

    def __init__(self) -> None:
        self._keys: list[bytes] = []
        self.rotate()

    def rotate(self) -> None:
        """Make a new key, and forget the oldest of three."""
        self._keys = [secrets.token_bytes(_SIZE), *self._keys][:_KEYS]
        #: When the next one is due, by :func:`time.monotonic`.
        self.due = time.monotonic() + PERIOD

    def text(self) -> str:
        """All keys, the newest first, in base64."""
        return base64.b64encode(b"".join(self._keys)).decode()


def read(text: str) -> bytes:
    """The keys in the text of :meth:`TicketKeys.text`, for the core."""
    return base64.b64decode(text)
