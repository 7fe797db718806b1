"""A WebSocket between the core and the application: callbacks, coroutines and iteration."""

from __future__ import annotations

import asyncio
import contextlib
import types
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from .. import _core
from ..base import fork
from ..base.log import log_failure
from ..dispatch import tasks
from .subscription import Gate
from .websocket_sending import ConnectionClosed, Sending

if TYPE_CHECKING:
    from .handshake import Handshake

#: A message: str is sent and received as text, bytes as binary.
Message = str | bytes
#: Runs a coroutine as a task of an asyncio loop, and calls a function at its end, even if the
#: coroutine never started.
Start = Callable[[Coroutine[Any, Any, None], Callable[[], object]], object]
_CoroutineType = types.CoroutineType  # looked at for every message

#: ``await ws.send()`` returns when at most this many bytes wait for the kernel.
_HIGH_WATER = 64 * 1024


class Link:
    """The core's listener of a connection; all clones of a WebSocket share it.

    The core calls the methods with an underscore, on the thread that runs the callbacks. Messages
    go to the callbacks. After iteration has begun, they also go to the inbox, where they count as
    unread. Until the coroutine of onWSOpen registers a callback or begins to iterate, the inbox
    holds messages and the end of the connection for it.

    An awaitable that a callback returns runs as a task. The result of ``ws.send()`` need not be
    awaited, so a callback may return it (``lambda binary, text: ws.send(text)``).
    """

    __slots__ = (
        "clean",
        "closed",
        "closing",
        "closing_with",
        "code",
        "gate",
        "handed",
        "handshake",
        "held",
        "inbox",
        "on_close",
        "on_drain",
        "on_dropped",
        "on_message",
        "on_open",
        "on_pong",
        "on_reset",
        "protocol",
        "reader",
        "reason",
        "request",
        "socket",
        "start",
        "waiters",
    )

    def __init__(
        self,
        socket: _core.Socket,
        request: dict[str, Any],
        protocol: str,
        start: Start,
        gate: Gate,
    ) -> None:
        self.socket = socket
        self.gate = gate
        self.request = request
        self.protocol = protocol
        self.start = start
        self.handshake: Handshake | None = None  # it waits for onWSOpen
        self.on_open: Callable[[], object] | None = None
        self.on_message: tuple[Callable[[bool, Message], object], ...] = ()
        self.on_close: tuple[Callable[[], object], ...] = ()
        self.on_pong: tuple[Callable[[bytes], object], ...] = ()
        self.on_drain: tuple[Callable[[], object], ...] = ()
        self.on_dropped: tuple[Callable[[], object], ...] = ()
        self.on_reset: tuple[Callable[[str, str, int], object], ...] = ()
        # Each is set only once: several threads may read it, and close, at the same time.
        self.closing = False  # nothing is sent any more
        self.closing_with: tuple[int | None, str] = (None, "")  # code and reason of our Close
        self.closed = False
        self.code: int | None = None
        self.reason = ""
        self.clean: bool | None = None
        self.inbox: deque[Message] | None = None  # None: iteration has not begun
        self.handed = 0  # messages taken out of the inbox that still count as unread
        self.held = False
        self.waiters: deque[asyncio.Future[None]] | None = None
        self.reader: asyncio.Task[Any] | None = None  # the task that asked for a message last

    # --- from the core ---

    def _open(self) -> None:
        """Call onWSOpen."""
        on_open, self.on_open = self.on_open, None  # breaks a cycle with the WebSocket
        if on_open is None:
            return
        try:
            result = on_open()
            if result is not None and (coroutine := _coroutine_of(result)) is not None:
                if self.inbox is None:
                    self.inbox = deque()
                    self.held = True
                self.spawn("onWSOpen", coroutine)
            elif self.handshake is not None:
                self.handshake.decide(result)
        except Exception as error:
            self.fail("onWSOpen", error)

    def _message(self, binary: bool, message: Message) -> bool:
        """Whether the message was kept in the inbox."""
        if self.closing:
            return False
        inbox = self.inbox
        if inbox is not None:
            inbox.append(message)
            if not self.held:
                self._wake()
                self._deliver(binary, message)
            return True
        kept = False
        try:
            for callback in self.on_message:
                result = callback(binary, message)
                if result is not None and (coroutine := _coroutine_of(result)) is not None:
                    self.spawn("onMessage", coroutine, counts=not kept)
                    kept = True  # until the task is done
        except Exception as error:
            self.fail("onMessage", error)
        return kept

    def _deliver(self, binary: bool, message: Message) -> None:
        self._call("onMessage", self.on_message, binary, message)

    def _pong(self, payload: bytes) -> None:
        self._call("onPong", self.on_pong, payload)

    def _drained(self) -> None:
        self._call("onDrain", self.on_drain)

    def _dropped(self) -> None:
        self._call("onDropped", self.on_dropped)

    def _reset(self, topic: str, epoch: str, offset: int) -> None:
        self._call("onReset", self.on_reset, topic, epoch, offset)

    def _taken(self) -> None:
        self._wake()

    def _closing(self, code: int, reason: str) -> None:
        """The server closes the connection by itself."""
        if not self.closing:
            self.closing_with = code, reason
            self.closing = True
        self._wake()

    def _closed(self, code: int, reason: str, clean: bool) -> None:
        self.code, self.reason, self.clean = code, reason, clean
        self.closing = self.closed = True
        self._wake()
        if not self.held:
            self._finish()

    def _finish(self) -> None:
        """Report the end to the application, once."""
        callbacks = self.on_close
        # Callbacks often refer to the WebSocket, which refers to them: break the cycle.
        self.on_message = self.on_close = self.on_pong = self.on_drain = self.on_dropped = ()
        self.on_reset = ()
        self.reader = None
        for callback in callbacks:
            self._call("onClose", (callback,))  # one by one, because one may fail

    def _call(self, where: str, callbacks: Sequence[Callable[..., object]], *args: object) -> None:
        try:
            for callback in callbacks:
                result = callback(*args)
                if result is not None and (coroutine := _coroutine_of(result)) is not None:
                    self.spawn(where, coroutine)
        except Exception as error:
            self.fail(where, error)

    # --- from everywhere ---

    def close(self, code: int, reason: str) -> None:
        if not self.closing:
            self.closing_with = code, reason
            self.closing = True
            self.socket.close(code, reason)
            self._wake()  # tasks that wait for the client continue

    def accept(self) -> None:
        """Open the connection if its handshake waits."""
        if self.handshake is not None and not self.handshake.over:
            self.handshake.accept()

    def give_up(self, code: int, reason: str) -> None:
        """Close the connection, or answer 500 if its handshake waits."""
        if self.handshake is None or not self.handshake.give_up():
            self.close(code, reason)

    def refused(self) -> None:
        """The handshake was refused: the connection has never been open."""
        self.on_message = self.on_close = self.on_pong = self.on_drain = self.on_dropped = ()
        self.on_reset = ()
        self._closed(1006, "", False)

    def fail(self, where: str, error: Exception) -> None:
        """Log the failure of a callback and close with 1011 (RFC 6455 section 7.4.1)."""
        self.give_up(1011, "internal error")
        log_failure(where, self.request, error)

    # --- coroutines ---

    def spawn(self, where: str, coroutine: Coroutine[Any, Any, Any], counts: bool = False) -> None:
        """Run the coroutine that a callback has returned.

        Args:
            where: The name of the callback.
            coroutine: Its result.
            counts: Whether a message counts as unread until the coroutine is done.
        """

        begun: list[bool] = []

        def at_end() -> None:
            if not begun:
                self.give_up(1001, "the server is stopping")  # the loop ended before it began
            coroutine.close()
            if where == "onWSOpen":
                self.socket.call_soon(self._opened)
            elif counts:
                self.socket.consumed(1)

        self.start(self._guard(where, coroutine, begun), at_end)

    async def _guard(
        self, where: str, coroutine: Coroutine[Any, Any, Any], begun: list[bool]
    ) -> None:
        begun.append(True)
        try:
            result = await coroutine
            if where == "onWSOpen" and self.handshake is not None:
                self.handshake.decide(result)
        except ConnectionClosed as error:
            # The usual end of a coroutine that sends; for another connection it is a failure.
            if error.link is not self:
                self.fail(where, error)
        except Exception as error:
            self.fail(where, error)
        except BaseException:  # it was cancelled
            self.give_up(1001, "the server is stopping")
            raise

    # Collecting ends on the thread that runs the callbacks, after the events in the queue. A
    # coroutine may run on another thread, and begin to iterate at any time.

    def _opened(self) -> None:
        """The coroutine of onWSOpen is done."""
        self._release()
        with _switching:
            inbox = self.inbox
            if inbox is None or (self.reader is not None and not self.reader.done()):
                return
            # The iteration has ended, so the client must not wait for it.
            self.inbox = None
            self.handed += len(inbox)
        self._settle()

    def release_soon(self) -> None:
        """Pass the held messages to the callbacks."""
        if self.held:
            self.socket.call_soon(self._release)

    def _release(self) -> None:
        with _switching:
            inbox = self.inbox
            if not self.held or inbox is None:
                return  # a task iterates
            self.inbox = None
            self.held = False
        self.socket.consumed(len(inbox))
        for message in inbox:
            self._deliver(isinstance(message, bytes), message)
            if self.closing and not self.closed:
                break  # a callback has closed the connection or begun to iterate
        if self.closed:
            self._finish()

    def collect(self) -> None:
        """Keep messages in the inbox, because a task iterates."""
        self.accept()
        if self.inbox is not None and not self.held:
            return
        with _switching:
            if self.inbox is None:
                self.inbox = deque()
            was_held, self.held = self.held, False
        if was_held and self.closed:
            self.socket.call_soon(self._finish)

    async def receive(self) -> Message | None:
        """The next message; None once the connection has closed and all were taken."""
        self._settle()
        self.reader = asyncio.current_task()
        while True:
            self.collect()
            with _switching:
                if self.inbox:
                    self.handed += 1
                    return self.inbox.popleft()
            if self.closed:
                return None
            # Checked again afterwards: a change from here on wakes the waiters.
            future = self._waiter()
            try:
                if not self.inbox and not self.closed:
                    await future
            finally:
                self._discard(future)

    def _settle(self) -> None:
        """Count the message before as read: the reader asks for the next one."""
        with _switching:
            handed, self.handed = self.handed, 0
        self.socket.consumed(handed)

    def full(self) -> bool:
        """Whether the client must read before more is sent."""
        return self.socket.outstanding() > _HIGH_WATER

    async def room(self) -> None:
        """Wait until the client has taken enough of what was sent.

        Raises:
            ConnectionClosed: The connection has closed before.
        """
        while self.full():
            if self.closing:
                raise self.ended()
            self.socket.acknowledge()
            future = self._waiter()
            try:
                if not self.closing and self.full():
                    await future
            finally:
                self._discard(future)

    def ended(self) -> ConnectionClosed:
        """The exception for messages that cannot be sent any more."""
        with_code = self.closing_with if self.code is None else (self.code, self.reason)
        error = ConnectionClosed(*with_code)
        error.link = self
        return error

    # --- waiting; the callbacks may run on another thread than the asyncio loop ---

    def _waiter(self) -> asyncio.Future[None]:
        if self.waiters is None:
            self.waiters = deque()
        future = asyncio.get_running_loop().create_future()
        self.waiters.append(future)
        return future

    def _discard(self, future: asyncio.Future[None]) -> None:
        if self.waiters is not None:
            with contextlib.suppress(ValueError):
                self.waiters.remove(future)

    def _wake(self) -> None:
        """Make all waiting tasks check again."""
        while self.waiters:
            with contextlib.suppress(IndexError):
                tasks.resolve_soon(self.waiters.popleft())


def _coroutine_of(result: object) -> Coroutine[Any, Any, Any] | None:
    if type(result) is _CoroutineType:
        return result
    return None if type(result) is Sending else tasks.coroutine_of(result)


#: Held while a connection changes between calling back, holding and collecting.
_switching = fork.lock()
