"""What ``ws.send()`` returns, and what awaiting it raises once the connection has ended."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Protocol


class Connection(Protocol):
    """What is known here of the connection of a message."""

    def ended(self) -> ConnectionClosed: ...
    def full(self) -> bool: ...
    async def room(self) -> None: ...


class ConnectionClosed(ConnectionError):
    """A message could not be sent, because its WebSocket is closing or closed.

    Attributes:
        code: Why it was closed, as ``ws.closeCode``; while it closes, the code that was sent.
        reason: The text that belongs to the code.
    """

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.link: Connection | None = None  # the connection that it is about

    def __str__(self) -> str:
        code = "" if self.code is None else f" with {self.code}"
        reason = f" ({self.reason})" if self.reason else ""
        return f"the WebSocket was closed{code}{reason}"


class Sending(Coroutine[Any, Any, None]):
    """A message on its way: a coroutine that waits for its client.

    It may be awaited, or given to ``create_task()`` and ``TaskGroup``, and need not be: unlike a
    coroutine of Python's own it gives no warning when it is dropped. The message is sent in either
    case.
    """

    __slots__ = ("_link", "_sent", "_steps")

    def __init__(self, link: Connection, sent: bool) -> None:
        self._link = link
        self._sent = sent
        self._steps: Generator[Any, Any, None] | None = None

    def __await__(self) -> Generator[Any, Any, None]:
        yield  # the loop has its turn, however fast the client and however soon the error
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
        """Raise an exception where it waits."""
        return self._begun().throw(*error)

    def close(self) -> None:
        """End it where it waits. The message is sent nevertheless."""
        if self._steps is not None:
            self._steps.close()
