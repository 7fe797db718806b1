"""WebSockets: the class that ``onWSOpen`` gets, and the options of a server that concern them.

Source: manual page *WebSocket*; RFC 6455, RFC 7692. What the manual does not have is named as in
browsers where browsers have it. The I/O thread does the protocol - handshake, frames, pings,
compression, limits, the closing handshake - and tells of messages and of the end; see
:class:`httpuv.Limits` for what it grants.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import threading
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from . import _core
from ._checks import check_int
from .log import log_failure

if TYPE_CHECKING:
    import asyncio

Start = Callable[[Coroutine[Any, Any, None], Callable[[], object]], object]
#: A message: str is sent and received as text, bytes as binary.
Message = str | bytes
_Func = TypeVar("_Func", bound=Callable[..., Any])
_CoroutineType = types.CoroutineType  # looked at for every message

#: ``await ws.send()`` goes on while at most this many bytes wait for the kernel to take them.
_HIGH_WATER = 64 * 1024

#: A control frame carries at most 125 bytes (RFC 6455 section 5.5), two of a Close are its code.
_MAX_PING = 125
_MAX_REASON = 123


class WebSocket:
    """One connection, from ``onWSOpen(ws)`` to its end. Never create one directly.

    ::

        def onWSOpen(ws):
            @ws.onMessage
            def echo(binary, message):
                ws.send(message)

    Callbacks run where all callbacks run (``service()``, ``runServer()``), in the order in which
    they were registered. If one fails, the traceback is logged and the connection closed with 1011.
    Every method may be called from any thread.

    Callbacks may be coroutine functions; each call is then a task of its own, in the asyncio loop
    that runs the callbacks, or else in one on a thread of its own. A connection is an asynchronous
    iterator, too, and ``await ws.send(...)`` waits for a client that reads slowly::

        async def onWSOpen(ws):
            async for message in ws:
                await ws.send(message)

    Attributes:
        request: The Rook environment of the request that opened the connection.

    Source: manual page *WebSocket*.
    """

    CONNECTING: Final = 0
    OPEN: Final = 1
    CLOSING: Final = 2
    CLOSED: Final = 3

    def __init__(self, handle: _Link, req: dict[str, Any]) -> None:
        self._link = handle
        self.request = req

    # --- callbacks ---

    def onMessage(self, func: _Func) -> _Func:
        """Have ``func(binary, message)`` called for every message.

        ``binary`` is True for bytes and False for str. A method that is a decorator, too: it
        returns ``func``; so are the other four.

        Raises:
            TypeError: ``func`` cannot be called.
        """
        self._link.on_message += (_check_func(func),)
        self._link.release_soon()
        return func

    def onClose(self, func: _Func) -> _Func:
        """Have ``func()`` called once when the connection has ended.

        By then ``closeCode``, ``closeReason`` and ``wasClean`` tell how. On a connection that has
        ended already it is never called.
        """
        self._link.on_close += (_check_func(func),)
        return func

    def onPong(self, func: _Func) -> _Func:
        """Have ``func(payload)`` called for every pong that comes after the first :meth:`ping`."""
        self._link.on_pong += (_check_func(func),)
        return func

    def onDrain(self, func: _Func) -> _Func:
        """Have ``func()`` called when the client was slow and now has taken all that was sent."""
        self._link.on_drain += (_check_func(func),)
        return func

    def onDropped(self, func: _Func) -> _Func:
        """Have ``func()`` called for every message that was dropped because the client is slow.

        Only where the server was started with ``wsOverflow="callback"``.
        """
        self._link.on_dropped += (_check_func(func),)
        return func

    # --- sending ---

    def send(
        self, message: str | bytes | bytearray | memoryview, *, compress: bool = True
    ) -> Awaitable[None]:
        """Send a message: str as text, bytes or anything else that has a buffer as binary.

        Once the connection closes nothing is sent, quietly: a client may leave at any time.

        Args:
            message: What to send.
            compress: Whether it is worth compressing, where that was agreed on with the client.

        Returns:
            What may be awaited in asyncio, and need not be: it waits until the client has taken
            enough of all that was sent to it, or the connection has closed.

        Raises:
            TypeError: ``message`` is neither str nor bytes-like.
            UnicodeEncodeError: ``message`` has surrogates in it and cannot be UTF-8.
        """
        link = self._link
        if not link.closing:
            link.socket.send(message, compress)
        return link

    def ping(self, payload: bytes = b"") -> None:
        """Send a ping of the application's own; :meth:`onPong` tells of its answer.

        Pings that find out whether a client is still there come from the I/O thread.

        Raises:
            TypeError: ``payload`` is not bytes-like.
            ValueError: ``payload`` has more than 125 bytes (RFC 6455 section 5.5).
        """
        if isinstance(payload, str):
            raise TypeError("payload must be bytes-like, not str")
        with memoryview(payload) as view:
            if view.nbytes > _MAX_PING:
                raise ValueError(f"payload must have at most {_MAX_PING} bytes, not {view.nbytes}")
        if not self._link.closing:
            self._link.socket.ping(payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection: behind what was sent before, with the closing handshake.

        A client that does not answer is cut off after ``Limits.ws_close_timeout``. Closing what is
        closed already does nothing.

        Args:
            code: 1000 (normal), 1001 to 1003, 1007 to 1014 as the IANA registers them, or one of
                3000 to 4999, which are for libraries and applications (RFC 6455 section 7.4).
            reason: A text for the log of the client, at most 123 bytes of UTF-8.

        Raises:
            TypeError: ``code`` is no whole number, or ``reason`` no str.
            ValueError: ``code`` may not be sent, or ``reason`` is too long or cannot be UTF-8.
        """
        self._link.close(_check_code(code), _check_reason(reason))

    def subscribe(self, topic: str) -> None:
        """Have what ``server.publish(topic, ...)`` sends sent here, too; until it closes.

        Raises:
            TypeError: ``topic`` is not str.
        """
        self._link.socket.subscribe(check_topic(topic), True)

    def unsubscribe(self, topic: str) -> None:
        """Have it sent here no longer."""
        self._link.socket.subscribe(check_topic(topic), False)

    # --- state ---

    @property
    def readyState(self) -> int:
        """``WebSocket.OPEN``, ``.CLOSING`` or ``.CLOSED``; 1, 2, 3 as in browsers.

        (``CONNECTING``, 0, is what a client may find its end in.)
        """
        link = self._link
        return self.CLOSED if link.closed else self.CLOSING if link.closing else self.OPEN

    @property
    def protocol(self) -> str:
        """The subprotocol agreed on, one of ``wsProtocols``; ``""`` if none was."""
        return self._link.protocol

    @property
    def bufferedAmount(self) -> int:
        """Bytes that were sent and not taken by the kernel yet. Asks the I/O thread."""
        return 0 if self._link.closed else self._link.socket.buffered()

    @property
    def closeCode(self) -> int | None:
        """Why it was closed, None before that.

        The code that the client sent; 1005 if it sent none, 1006 if it went without a word. If it
        was cut off for breaking the protocol, what it was told: 1002, 1007 or 1009.
        """
        return self._link.code

    @property
    def closeReason(self) -> str:
        """The text that belongs to :attr:`closeCode`."""
        return self._link.reason

    @property
    def wasClean(self) -> bool | None:
        """Whether both sides said that they close, None before that."""
        return self._link.clean

    def clone(self, deep: bool = False) -> WebSocket:
        """Another object for the same connection: what is done with one counts for both.

        Args:
            deep: Whether the other one's ``request`` is a copy.
        """
        other = type(self)(self._link, self.request)
        other.__dict__.update(self.__dict__)
        if deep:
            other.request = dict(self.request)
        return other

    # --- asyncio ---

    def __aiter__(self) -> WebSocket:
        """Iterate over the messages: str and bytes, until the connection has closed.

        Messages are kept from now on; if ``onWSOpen`` is a coroutine function, from the beginning.
        If many are kept (``Limits.ws_unread_bytes``) the client is not read: it has to wait.
        """
        self._link.collect()
        return self

    async def __anext__(self) -> Message:
        message = await self._link.receive()
        if message is None:
            raise StopAsyncIteration
        return message

    def __repr__(self) -> str:
        state = ("connecting", "open", "closing", "closed")[self.readyState]
        return f"<WebSocket {self.request.get('PATH_INFO', '')} {state}>"


class _Link:
    """A connection as the core knows it: its listener; all clones of a WebSocket share it.

    What begins with an underscore is called by the core, on the thread that runs the callbacks.
    Messages go to the callbacks. Once somebody iterates they go to the inbox as well, where they
    count as unread. While a coroutine of onWSOpen has neither registered a callback nor begun to
    iterate, messages and the end are held for it in the inbox.

    Awaiting it waits for the client; it is what send() returns.
    """

    __slots__ = (
        "clean",
        "closed",
        "closing",
        "code",
        "handed",
        "held",
        "inbox",
        "on_close",
        "on_drain",
        "on_dropped",
        "on_message",
        "on_pong",
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
    ) -> None:
        self.socket = socket
        self.request = request
        self.protocol = protocol
        self.start = start
        self.on_message: tuple[Callable[[bool, Message], object], ...] = ()
        self.on_close: tuple[Callable[[], object], ...] = ()
        self.on_pong: tuple[Callable[[bytes], object], ...] = ()
        self.on_drain: tuple[Callable[[], object], ...] = ()
        self.on_dropped: tuple[Callable[[], object], ...] = ()
        # Each is set once and stays: several threads may look, and close, at the same time.
        self.closing = False  # nothing is sent any more
        self.closed = False
        self.code: int | None = None
        self.reason = ""
        self.clean: bool | None = None
        self.inbox: deque[Message] | None = None  # None: nobody iterates
        self.handed = 0  # messages that were taken out of it and count as unread still
        self.held = False
        self.waiters: deque[asyncio.Future[None]] | None = None
        self.reader: asyncio.Task[Any] | None = None  # who asked for a message last

    # --- from the core ---

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
                if type(result) is _CoroutineType:
                    self.spawn("onMessage", result, counts=not kept)
                    kept = True  # until it is done
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

    def _taken(self) -> None:
        self._wake()

    def _closed(self, code: int, reason: str, clean: bool) -> None:
        self.code, self.reason, self.clean = code, reason, clean
        self.closing = self.closed = True
        self._wake()
        if not self.held:
            self._finish()

    def _finish(self) -> None:
        """Tell the application of the end, once."""
        callbacks = self.on_close
        # They often refer to the WebSocket, which refers to them: let go of them now.
        self.on_message = self.on_close = self.on_pong = self.on_drain = self.on_dropped = ()
        self.reader = None
        for callback in callbacks:
            self._call("onClose", (callback,))  # each of them, whatever the others do

    def _call(self, where: str, callbacks: Sequence[Callable[..., object]], *args: object) -> None:
        try:
            for callback in callbacks:
                result = callback(*args)
                if type(result) is _CoroutineType:
                    self.spawn(where, result)
        except Exception as error:
            self.fail(where, error)

    # --- from everywhere ---

    def close(self, code: int, reason: str) -> None:
        if not self.closing:
            self.closing = True
            self.socket.close(code, reason)

    def fail(self, where: str, error: Exception) -> None:
        """A callback failed: its connection is of no use any more (RFC 6455 section 7.4.1)."""
        self.close(1011, "internal error")
        log_failure(where, self.request, error)

    # --- coroutines ---

    def open(self, on_open: Callable[[WebSocket], object]) -> None:
        """Call onWSOpen."""
        try:
            result = on_open(WebSocket(self, self.request))
            if type(result) is _CoroutineType:
                if self.inbox is None:
                    self.inbox = deque()
                    self.held = True
                self.spawn("onWSOpen", result)
        except Exception as error:
            self.fail("onWSOpen", error)

    def spawn(self, where: str, coroutine: Coroutine[Any, Any, Any], counts: bool = False) -> None:
        """Run what a coroutine function that is a callback has returned.

        Args:
            where: The callback.
            coroutine: What it returned.
            counts: Whether a message counts as unread until the coroutine is done.
        """

        def at_end() -> None:
            if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
                self.close(1001, "the server is stopping")  # its loop ended before it began
            coroutine.close()
            if where == "onWSOpen":
                self.socket.call_soon(self._opened)
            elif counts:
                self.socket.consumed(1)

        self.start(self._guard(where, coroutine), at_end)

    async def _guard(self, where: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            await coroutine
        except Exception as error:
            self.fail(where, error)
        except BaseException:  # it was cancelled
            self.close(1001, "the server is stopping")
            raise

    # What ends the collecting runs where the callbacks run, behind the events that are on their
    # way; a coroutine may run elsewhere, and begin to iterate at any time.

    def _opened(self) -> None:
        """The coroutine of onWSOpen is done."""
        self._release()
        with _switching:
            inbox = self.inbox
            if inbox is None or (self.reader is not None and not self.reader.done()):
                return
            # Nobody iterates any more, so the client must not wait for that.
            self.inbox = None
        self.handed += len(inbox)
        self._settle()

    def release_soon(self) -> None:
        """Give what was held to the callbacks."""
        if self.held:
            self.socket.call_soon(self._release)

    def _release(self) -> None:
        with _switching:
            inbox = self.inbox
            if not self.held or inbox is None:
                return  # somebody iterates
            self.inbox = None
            self.held = False
        self.socket.consumed(len(inbox))
        for message in inbox:
            self._deliver(isinstance(message, bytes), message)
            if self.closing and not self.closed:
                break  # by a callback
        if self.closed:
            self._finish()

    def collect(self) -> None:
        """Somebody iterates."""
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
        from asyncio import current_task

        self._settle()
        self.reader = current_task()
        while True:
            self.collect()
            inbox = self.inbox
            if inbox:
                self.handed += 1
                return inbox.popleft()
            if self.closed:
                return None
            # Looked at once more behind this: who changes something then wakes the waiters.
            future = self._waiter()
            try:
                if not self.inbox and not self.closed:
                    await future
            finally:
                self._discard(future)

    def _settle(self) -> None:
        """Who asks for the next message is done with the one before, and has answered it."""
        self.socket.consumed(self.handed)
        self.handed = 0

    def __await__(self) -> Generator[Any, None, None]:
        if not self.closing and self.socket.outstanding() > _HIGH_WATER:
            yield from self._room().__await__()

    async def _room(self) -> None:
        while not self.closing and self.socket.outstanding() > _HIGH_WATER:
            self.socket.acknowledge()
            future = self._waiter()
            try:
                if not self.closing and self.socket.outstanding() > _HIGH_WATER:
                    await future
            finally:
                self._discard(future)

    # --- waiting; the callbacks may run on another thread than the asyncio loop ---

    def _waiter(self) -> asyncio.Future[None]:
        from asyncio import get_running_loop

        if self.waiters is None:
            self.waiters = deque()
        future = get_running_loop().create_future()
        self.waiters.append(future)
        return future

    def _discard(self, future: asyncio.Future[None]) -> None:
        if self.waiters is not None:
            with contextlib.suppress(ValueError):
                self.waiters.remove(future)

    def _wake(self) -> None:
        """Have everybody look again."""
        while self.waiters:
            with contextlib.suppress(IndexError):
                _resolve(self.waiters.popleft())


#: Held while a connection changes between calling back, holding and collecting.
_switching = threading.Lock()


def _after_fork_in_child() -> None:
    global _switching
    _switching = threading.Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)


def _resolve(future: asyncio.Future[None]) -> None:
    from asyncio import get_running_loop

    def resolve() -> None:
        if not future.done():
            future.set_result(None)

    loop = future.get_loop()
    try:
        here = get_running_loop() is loop
    except RuntimeError:
        here = False
    if here:
        return resolve()
    with contextlib.suppress(RuntimeError):  # it was closed: nobody waits there
        loop.call_soon_threadsafe(resolve)


def opener(
    on_open: Callable[[WebSocket], object], start: Start
) -> Callable[[_core.Socket, dict[str, Any], str], object]:
    """What the core calls for a connection that opens; it returns the listener.

    Args:
        on_open: ``onWSOpen``.
        start: Runs a coroutine as a task of an asyncio loop, and calls a function at its end, even
            if it never began.
    """

    def open_socket(socket: _core.Socket, request: dict[str, Any], protocol: str) -> _Link:
        link = _Link(socket, request, protocol, start)
        link.open(on_open)
        return link

    return open_socket


# --- checks -------------------------------------------------------------------------------------


def _check_func(func: object) -> Any:
    if not callable(func):
        raise TypeError(f"func must be callable, not {type(func).__name__}")
    return func


def _check_code(code: object) -> int:
    number = check_int("code", code, 0, None)
    if not (1000 <= number <= 1003 or 1007 <= number <= 1014 or 3000 <= number <= 4999):
        raise ValueError(f"code must be 1000 to 1003, 1007 to 1014 or 3000 to 4999, not {number}")
    return number


def _check_reason(reason: object) -> str:
    if not isinstance(reason, str):
        raise TypeError(f"reason must be str, not {type(reason).__name__}")
    size = len(reason.encode("utf-8"))
    if size > _MAX_REASON:
        raise ValueError(f"reason must have at most {_MAX_REASON} bytes of UTF-8, not {size}")
    return reason


def check_topic(topic: object) -> str:
    """A topic.

    Raises:
        TypeError: It is not str.
    """
    if not isinstance(topic, str):
        raise TypeError(f"topic must be str, not {type(topic).__name__}")
    return topic


#: RFC 9110 section 5.6.2; what a subprotocol's name is (RFC 6455 section 4.1).
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: RFC 6454 section 6.1: scheme, host, perhaps a port, and nothing more.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.\-]*://[^/?#@\s]+", re.IGNORECASE)
_COMPRESSION = {
    True: {"deflate": True, "deflate_loopback": False},
    False: {"deflate": False, "deflate_loopback": False},
    "always": {"deflate": True, "deflate_loopback": True},
}
_OVERFLOW = ("close", "drop", "callback")


def settings(
    protocols: Sequence[str] | None,
    compression: bool | str,
    overflow: str,
    origins: Sequence[str] | None,
) -> dict[str, object]:
    """The options of ``startServer`` that concern WebSockets, as the core takes them.

    Raises:
        TypeError, ValueError: One is wrong; the message names it.
    """
    if not isinstance(compression, (bool, str)):
        raise TypeError(
            f"wsCompression must be True, False or 'always', not {type(compression).__name__}"
        )
    if compression not in _COMPRESSION:
        raise ValueError(f"wsCompression must be True, False or 'always', not {compression!r}")
    if overflow not in _OVERFLOW:
        raise ValueError(f"wsOverflow must be one of {', '.join(_OVERFLOW)}, not {overflow!r}")
    return {
        "protocols": _check_names("wsProtocols", protocols, _TOKEN, "a token"),
        "allowed_origins": _check_names(
            "allowedOrigins",
            origins,
            _ORIGIN,
            "'same', 'null' or like 'https://example.com:8080'",
            "same",
            "null",
        ),
        "overflow": overflow,
        **_COMPRESSION[compression],
    }


def _check_names(
    argument: str,
    names: Sequence[str] | None,
    pattern: re.Pattern[str],
    shape: str,
    *others: str,
) -> list[str]:
    if names is None:
        return []
    if isinstance(names, (str, bytes)) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument} must be a list of str or None, not {names!r}")
    for name in names:
        if name not in others and not pattern.fullmatch(name):
            raise ValueError(f"{argument}: each must be {shape}, not {name!r}")
    return list(names)
