"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ..base import fork
from ..base.checks import check_int, check_seconds
from ..dispatch import tasks

#: Bytes of events that may wait for a client; beyond, its stream ends, and it may come back.
_MAX_WAITING = 1024 * 1024


def format_event(
    data: str, event: str | None = None, id: str | None = None, retry: int | None = None
) -> str:
    r"""One event as it is sent.

    Args:
        data: Any text. Line ends - ``\n``, ``\r\n`` or ``\r`` - all arrive as ``\n``.
        event: The name of the event; without it, it is ``message``.
        id: What the client names in ``Last-Event-ID`` when it comes back.
        retry: Milliseconds after which a client that was cut off comes back.

    Raises:
        TypeError, ValueError: An argument is of the wrong type, or has a line end in it.
    """
    lines = []
    for name, value in (("event", event), ("id", id)):
        if value is None:
            continue
        if not isinstance(value, str):
            raise TypeError(f"{name} must be str or None, not {type(value).__name__}")
        if any(character in value for character in "\r\n\0"):
            raise ValueError(f"{name} must not have line ends or NUL in it: {value!r}")
        lines.append(f"{name}: {value}")
    if retry is not None:
        lines.append(f"retry: {check_int('retry', retry, 0, None)}")
    if not isinstance(data, str):
        raise TypeError(f"data must be str, not {type(data).__name__}")
    text = data.replace("\r\n", "\n").replace("\r", "\n")
    lines += [f"data: {line}" for line in text.split("\n")]
    return "\n".join(lines) + "\n\n"


class EventStream:
    """A stream of server-sent events to one client::

        def call(req):
            events = httpuv.EventStream()
            subscribers.add(events)
            return events.response()

        for events in list(subscribers):  # on any thread
            if not events.send("news"):
                subscribers.discard(events)

    Args:
        keepalive: Seconds of silence after which a comment is sent, so that nobody in between
            takes the connection for dead. The I/O thread sends it, whatever Python is doing.
    """

    def __init__(self, keepalive: float = 15.0) -> None:
        #: After so many seconds of silence, what is sent.
        self.filler = (check_seconds("keepalive", keepalive), b":\n\n")
        self._lock = fork.lock()
        self._waiting: deque[bytes] = deque()  # by _lock, as is all that follows
        self._bytes = 0
        self._closed = False
        self._wake: asyncio.Future[None] | None = None

    def send(
        self, data: str, event: str | None = None, id: str | None = None, retry: int | None = None
    ) -> bool:
        """Send an event; see :func:`format_event`. From any thread.

        Returns:
            False if it will not arrive: the stream was closed, its client has gone, or it reads too
            slowly, which closes the stream.
        """
        piece = format_event(data, event, id, retry).encode()
        with self._lock:
            if self._closed:
                return False
            if self._bytes and self._bytes + len(piece) > _MAX_WAITING:
                self._closed = True
            else:
                self._waiting.append(piece)
                self._bytes += len(piece)
            self._resolve()
            return not self._closed

    def close(self) -> None:
        """End the stream, behind the events that were sent. The client will come back."""
        with self._lock:
            self._closed = True
            self._resolve()

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._closed

    def response(self, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What ``call`` returns."""
        fields = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        fields.update(headers or {})
        return {"status": 200, "headers": fields, "body": self}

    def _resolve(self) -> None:
        future, self._wake = self._wake, None
        if future is None:
            return
        tasks.resolve_soon(future)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        try:
            while True:
                with self._lock:
                    piece = b"".join(self._waiting)
                    self._waiting.clear()
                    self._bytes = 0
                    closed = self._closed
                    if not piece and not closed:
                        self._wake = future = loop.create_future()
                if piece:
                    yield piece
                elif closed:
                    return
                else:
                    await future
        finally:
            self.close()
