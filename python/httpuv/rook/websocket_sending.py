"""The result of ``ws.send()``, and the exception of awaiting it after the end of the connection."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Protocol


class Connection(Protocol):
    """The part of a connection that a message uses."""

    def ended(self) -> ConnectionClosed: ...
    def full(self) -> bool: ...
    async def room(self) -> None: ...


class ConnectionClosed(ConnectionError):
    """A message could not be sent, because its WebSocket is closing or closed.

    Attributes:
        code: The close code, as ``ws.closeCode``; while the connection closes, the code that was
            sent.
        reason: The text of the Close frame.
    """

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.link: Connection | None = None  # the connection that has closed

    def __str__(self) -> str:
        code = "" if self.code is None else f" with {self.code}"
        reason = f" ({self.reason})" if self.reason else ""
        return f"the WebSocket was closed{code}{reason}"


class Sending(Coroutine[Any, Any, None]):
    """The result of ``ws.send()``: a coroutine that waits until the client keeps up.

    It may be awaited, or given to ``create_task()`` and ``TaskGroup``. Unlike Python's own
    coroutines it may also be dropped without a warning. The message is sent in any case.
    """

    __slots__ = ("_link", "_sent", "_steps")

    def __init__(self, link: Connection, sent: bool) -> None:
        self._link = link
        self._sent = sent
        self._steps: Generator[Any, Any, None] | None = None

    def __await__(self) -> Generator[Any, Any, None]:
        yield  # the loop runs other tasks, however fast the client is
        if not self._sent:
            raise self._link.ended()
        if self._link.full():
            yield from self._link.room().__await__()

    def _begun(self) -> Generator[Any, Any, None]:
        if self._steps is None:
            self._steps = self.__await__()
        return self._steps

    def send(self, value: Any) -> Any:
        """One step, for the task that runs it."""
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        """Raise an exception at the point where it waits."""
        return self._begun().throw(*error)

    def close(self) -> None:
        """End it at the point where it waits. The message is sent nevertheless."""
        if self._steps is not None:
            self._steps.close()
