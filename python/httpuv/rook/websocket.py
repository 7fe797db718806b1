"""WebSockets: the class that ``onWSOpen`` gets.

Source: manual page *WebSocket*; RFC 6455, RFC 7692. Names that the manual does not have are those
of browsers, if browsers have them. The I/O thread handles the protocol (handshake, frames, pings,
compression, limits, the closing handshake) and reports messages and the end. :class:`httpuv.Limits`
lists the limits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from .. import _core
from ..answers.asyncapp import Answers
from ..base.checks import check_int
from ..options.topic_options import check_topic
from .handshake import Handshake
from .subscription import Gate, Since, Subscription, subscribe
from .websocket_link import Link, Message, Start
from .websocket_sending import Sending

_Func = TypeVar("_Func", bound=Callable[..., Any])

#: A control frame carries at most 125 bytes (RFC 6455 section 5.5); a Close has two for its code.
_MAX_PING = 125
_MAX_REASON = 123


class WebSocket:
    """One connection, from ``onWSOpen(ws)`` to its end. The server creates the objects.

    ::

        def onWSOpen(ws):
            @ws.onMessage
            def echo(binary, message):
                ws.send(message)

    Callbacks run where ``dispatch`` says, in the order in which they were registered. If a callback
    fails, the traceback is logged and the connection is closed with 1011. Every method may be
    called on any thread.

    Callbacks may be coroutine functions, or return another awaitable. Each call is then a task, in
    the asyncio loop that runs the callbacks or in a loop on a separate thread. A connection is also
    an asynchronous iterator, and ``await ws.send(...)`` waits for a client that reads slowly::

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

    def __init__(self, handle: Link, req: dict[str, Any]) -> None:
        self._link = handle
        self.request = req

    # --- callbacks ---

    def onMessage(self, func: _Func) -> _Func:
        """Call ``func(binary, message)`` for every message.

        ``binary`` is True for bytes and False for str. The method returns ``func``, so it is also a
        decorator, like the other methods that register callbacks.

        Raises:
            TypeError: ``func`` cannot be called.
        """
        self._link.on_message += (_check_func(func),)
        self._link.release_soon()
        return func

    def onClose(self, func: _Func) -> _Func:
        """Call ``func()`` once when the connection has ended.

        ``closeCode``, ``closeReason`` and ``wasClean`` are set then. If the connection has already
        ended, ``func`` is never called.
        """
        self._link.on_close += (_check_func(func),)
        return func

    def onPong(self, func: _Func) -> _Func:
        """Call ``func(payload)`` for every pong after the first :meth:`ping`."""
        self._link.on_pong += (_check_func(func),)
        return func

    def onDrain(self, func: _Func) -> _Func:
        """Call ``func()`` when a slow client has taken all that was sent."""
        self._link.on_drain += (_check_func(func),)
        return func

    def onDropped(self, func: _Func) -> _Func:
        """Call ``func()`` for every message that was dropped because the client is slow.

        This needs ``wsOverflow="callback"``, or a topic with ``overflow`` "drop" or "latest". For
        such topics ``func`` is called once until the client has taken all.
        """
        self._link.on_dropped += (_check_func(func),)
        return func

    def onReset(self, func: _Func) -> _Func:
        """Call ``func(topic, epoch, offset)`` when messages of a topic may be missing.

        This happens only if a broker has lost the topic's history, or if the history does not reach
        back to an outage of the broker. The next message comes after ``offset``, and may be on its
        way to the client before ``func`` is called. A client that is to begin anew leaves the topic
        and joins it again: see the page on topics.
        """
        self._link.on_reset += (_check_func(func),)
        return func

    # --- opening ---

    def accept(self) -> None:
        """Open the connection before ``onWSOpen`` returns, if the handshake waits (``wsWaits``).

        Sending, closing, subscribing and reading do that, too. Does nothing on one that is open.
        """
        self._link.accept()

    # --- sending ---

    def send(
        self, message: str | bytes | bytearray | memoryview, *, compress: bool = True
    ) -> Sending:
        """Send a message: str as text, bytes and other objects with a buffer as binary.

        When the connection closes, the message is dropped without an error, because a client may
        leave at any time.

        Args:
            message: What to send.
            compress: Whether to compress the message, if client and server have agreed on that.

        Returns:
            A coroutine for asyncio, which need not be awaited; ``create_task()`` and ``TaskGroup``
            accept it. It lets the loop run other tasks, and waits until the client has taken enough
            of what was sent. It raises :class:`ConnectionClosed` if the connection is closing or
            closed, or closes while it waits. This exception is not logged if it ends a callback of
            the same connection.

        Raises:
            TypeError: ``message`` is neither str nor bytes-like.
            UnicodeEncodeError: ``message`` has surrogates in it and cannot be UTF-8.
        """
        link = self._link
        if link.closing:
            return Sending(link, False)
        link.socket.send(message, compress)
        return Sending(link, True)

    def ping(self, payload: bytes = b"") -> None:
        """Send a ping of the application; :meth:`onPong` reports its answer.

        The I/O thread sends its own pings to detect clients that are gone.

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
        """Close the connection with the closing handshake, after all messages sent before.

        A client that does not answer is cut off after ``Limits.ws_close_timeout``. Closing a closed
        connection does nothing.

        Args:
            code: 1000 (normal), 1001 to 1003, 1007 to 1014 as the IANA registers them, or 3000 to
                4999, which are for libraries and applications (RFC 6455 section 7.4).
            reason: A text for the log of the client, at most 123 bytes of UTF-8.

        Raises:
            TypeError: ``code`` is no whole number, or ``reason`` no str.
            ValueError: ``code`` may not be sent, or ``reason`` is too long or cannot be UTF-8.
        """
        self._link.close(check_code(code), check_reason(reason))

    def subscribe(self, topic: str, since: Since = None) -> Subscription:
        """Send the messages of ``server.publish(topic, ...)`` to this client until it closes.

        Args:
            topic: The topic.
            since: The last message that the client has, as ``(epoch, offset)``. Later messages are
                sent first, in order, if the history has all of them. ``0``: the whole history is
                sent first. None: only messages that are published from now on.

        Returns:
            The start position in the topic: ``epoch``, ``offset``, and ``recovered``, which says
            whether no message is missing. Offsets are consecutive. So a client can count messages
            and name its position when it reconnects.

        Raises:
            TypeError, ValueError: An argument is wrong; the message names it.
            PermissionError: ``onSubscribe`` of the application returned False.
        """
        return subscribe(self._link.gate, self._link.socket, self, topic, since)

    def unsubscribe(self, topic: str) -> None:
        """Stop sending the messages of a topic to this client."""
        self._link.socket.unsubscribe(check_topic(topic))

    # --- state ---

    @property
    def readyState(self) -> int:
        """``WebSocket.OPEN``, ``.CLOSING`` or ``.CLOSED``; 1, 2, 3 as in browsers.

        ``CONNECTING``, 0, while its handshake waits for ``onWSOpen`` (``wsWaits``).
        """
        link = self._link
        if link.handshake is not None and not link.handshake.over and not link.closing:
            return self.CONNECTING
        return self.CLOSED if link.closed else self.CLOSING if link.closing else self.OPEN

    @property
    def protocol(self) -> str:
        """The negotiated subprotocol, one of ``wsProtocols``; ``""`` if there is none."""
        return self._link.protocol

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The topics of this client. The call asks the I/O thread."""
        return () if self._link.closed else tuple(self._link.socket.subscriptions())

    @property
    def bufferedAmount(self) -> int:
        """Bytes of sent messages that the kernel has not taken. The call asks the I/O thread."""
        return 0 if self._link.closed else self._link.socket.buffered()

    @property
    def closeCode(self) -> int | None:
        """The close code; None while the connection is open.

        It is the code that the client sent; 1005 if it sent none, 1006 if it left without a Close
        frame. If the server closed because the client broke the protocol, it is the server's code:
        1002, 1007 or 1009.
        """
        return self._link.code

    @property
    def closeReason(self) -> str:
        """The text of the Close frame with :attr:`closeCode`."""
        return self._link.reason

    @property
    def wasClean(self) -> bool | None:
        """Whether both sides sent a Close frame; None while the connection is open."""
        return self._link.clean

    def clone(self, deep: bool = False) -> WebSocket:
        """Another object for the same connection.

        Args:
            deep: Whether the new object's ``request`` is a copy.
        """
        other = type(self)(self._link, self.request)
        other.__dict__.update(self.__dict__)
        if deep:
            other.request = dict(self.request)
        return other

    # --- asyncio ---

    def __aiter__(self) -> WebSocket:
        """Iterate over the messages: str and bytes, until the connection has closed.

        Messages are kept from now on; if ``onWSOpen`` is a coroutine function, from the start of
        the connection. Beyond ``Limits.ws_unread_bytes`` the server does not read from the client.
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


def opener(
    on_open: Callable[[WebSocket], object], start: Start, gate: Gate, answers: Answers
) -> Callable[[_core.Socket, dict[str, Any], str, _core.Reply | None], object]:
    """The function that the core calls for a new connection; it returns the listener.

    The listener calls ``onWSOpen`` after the core has registered it. So ``onWSOpen`` may run other
    callbacks without losing those of its own connection.

    Args:
        on_open: ``onWSOpen``.
        start: Runs the coroutine of ``onWSOpen``.
        gate: Checks subscriptions.
        answers: Converts the response that refuses a handshake.
    """

    def open_socket(
        socket: _core.Socket, request: dict[str, Any], protocol: str, reply: _core.Reply | None
    ) -> Link:
        link = Link(socket, request, protocol, start, gate)
        if reply is not None:  # the handshake waits
            Handshake(link, reply, answers)
        link.on_open = lambda: on_open(WebSocket(link, request))
        return link

    return open_socket


# --- checks -------------------------------------------------------------------------------------


def _check_func(func: object) -> Any:
    if not callable(func):
        raise TypeError(f"func must be callable, not {type(func).__name__}")
    return func


def check_code(code: object) -> int:
    number = check_int("code", code, 0, None)
    if not (1000 <= number <= 1003 or 1007 <= number <= 1014 or 3000 <= number <= 4999):
        raise ValueError(f"code must be 1000 to 1003, 1007 to 1014 or 3000 to 4999, not {number}")
    return number


def check_reason(reason: object) -> str:
    if not isinstance(reason, str):
        raise TypeError(f"reason must be str, not {type(reason).__name__}")
    size = len(reason.encode("utf-8"))
    if size > _MAX_REASON:
        raise ValueError(f"reason must have at most {_MAX_REASON} bytes of UTF-8, not {size}")
    return reason
