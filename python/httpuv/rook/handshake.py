"""A WebSocket handshake that waits for ``onWSOpen``, which may refuse it (``wsWaits``).

Nothing can be sent to a client that has no answer yet. So the core's socket is behind
:class:`Handshake` until the application has decided: what would reach the client accepts first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .. import _core
from ..answers.asyncapp import Answers
from ..base import fork


class Link(Protocol):
    """What a handshake needs of its connection."""

    socket: _core.Socket
    handshake: Handshake | None
    request: dict[str, Any]

    def refused(self) -> None:
        """The connection will never be open."""


class Handshake:
    """Stands in the place of the socket of a connection, until that is open.

    Args:
        link: The connection.
        reply: The exchange that asks for it.
        answers: Makes an answer of a response.
    """

    def __init__(self, link: Link, reply: _core.Reply, answers: Answers) -> None:
        self._link = link
        self._reply = reply
        self._answers = answers
        self._socket = link.socket
        self._lock = fork.lock()
        self.over = False  # by _lock: it was answered
        link.handshake = self
        link.socket = self  # type: ignore[assignment]  # what is not here is the socket's

    def accept(self) -> None:
        """Open the connection. Another thread returns only when it is open."""
        with self._lock:
            if not self._take():
                return
            self._reply.accept(None, [])
            self._link.socket = self._socket

    def decide(self, result: object) -> None:
        """``onWSOpen`` has returned: a dict refuses, with that response.

        Raises:
            RuntimeError: The connection is open already.
        """
        self._link.handshake = None
        if not isinstance(result, Mapping):
            return self.accept()
        with self._lock:
            if not self._take():
                raise RuntimeError(
                    "onWSOpen has returned a response for a WebSocket that is open or has ended"
                )
            self._link.socket = self._socket  # which does nothing, as of one that is closed
        self._link.refused()
        normal = self._answers(result, self._link.request, self._reply)
        if normal is not None:
            self._reply.send(normal)

    def give_up(self) -> bool:
        """Answer with 500. False: it is too late for that."""
        with self._lock:
            if not self._take():
                return False
            self._link.socket = self._socket
        self._link.refused()
        self._reply.cut()
        return True

    def _take(self) -> bool:
        if self.over:
            return False
        self.over = True
        return True

    # --- in the place of the socket ---

    def send(self, message: str | bytes | bytearray | memoryview, compress: bool = True) -> None:
        self.accept()
        self._socket.send(message, compress)

    def ping(self, payload: bytes) -> None:
        self.accept()
        self._socket.ping(payload)

    def close(self, code: int, reason: str) -> None:
        self.accept()
        self._socket.close(code, reason)

    def subscribe(self, topic: str, since: tuple[str, int] | None, history: bool) -> Any:
        self.accept()
        return self._socket.subscribe(topic, since, history)

    def unsubscribe(self, topic: str) -> None:
        self.accept()
        self._socket.unsubscribe(topic)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)
