"""WebSockets: the class that ``onWSOpen`` gets.

Source: manual page *WebSocket*; RFC 6455, RFC 7692. What the manual does not have is named as in
browsers where browsers have it. The I/O thread does the protocol - handshake, frames, pings,
compression, limits, the closing handshake - and tells of messages and of the end; see
:class:`httpuv.Limits` for what it grants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from .. import _core
from ..base.checks import check_int
from ..options.topic_options import check_topic
from .subscription import Gate, Since, Subscription, subscribe
from .websocket_link import Link, Message, Start
from .websocket_sending import Sending

_Func = TypeVar("_Func", bound=Callable[..., Any])

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

    Callbacks may be coroutine functions, or return anything else that can be awaited; each call is
    then a task of its own, in the asyncio loop that runs the callbacks, or else in one on a thread
    of its own. A connection is an asynchronous
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

    def __init__(self, handle: Link, req: dict[str, Any]) -> None:
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

        Where the server was started with ``wsOverflow="callback"``; and for topics whose
        ``overflow`` is "drop" or "latest", then once until the client has taken all.
        """
        self._link.on_dropped += (_check_func(func),)
        return func

    def onReset(self, func: _Func) -> _Func:
        """Have ``func(topic, epoch, offset)`` called when messages of a topic may be missing.

        Only where a broker has lost the topic's history, or it does not reach back to the broker's
        outage. What comes next is behind ``offset``.
        """
        self._link.on_reset += (_check_func(func),)
        return func

    # --- sending ---

    def send(
        self, message: str | bytes | bytearray | memoryview, *, compress: bool = True
    ) -> Sending:
        """Send a message: str as text, bytes or anything else that has a buffer as binary.

        Once the connection closes nothing is sent, quietly: a client may leave at any time.

        Args:
            message: What to send.
            compress: Whether it is worth compressing, where that was agreed on with the client.

        Returns:
            A coroutine for asyncio, which need not be awaited; ``create_task()`` and ``TaskGroup``
            take it. It gives the loop its turn, and waits until the client has taken enough of all
            that was sent to it. It raises :class:`ConnectionClosed` if the message was not sent
            because the connection is closing or closed, or if that happens while it waits. Such an
            exception that leaves a callback of the same connection is its usual end, and not
            logged.

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
        self._link.close(check_code(code), check_reason(reason))

    def subscribe(self, topic: str, since: Since = None) -> Subscription:
        """Have what ``server.publish(topic, ...)`` sends sent here, too; until it closes.

        Args:
            topic: The topic.
            since: What the client has had already, as ``(epoch, offset)``: what came behind it is
                sent first, in order, if the history has all of that. ``0``: all that the history
                has is sent first. None: only what is published from now on.

        Returns:
            Where in the topic it begins: ``epoch``, ``offset`` and ``recovered``, which says
            whether nothing is missing. Messages have consecutive offsets, so a client that counts
            them knows what to name when it comes back.

        Raises:
            TypeError, ValueError: An argument is wrong; the message names it.
            PermissionError: ``onSubscribe`` of the application returned False.
        """
        return subscribe(self._link.gate, self._link.socket, self, topic, since)

    def unsubscribe(self, topic: str) -> None:
        """Have it sent here no longer."""
        self._link.socket.unsubscribe(check_topic(topic))

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
    def subscriptions(self) -> tuple[str, ...]:
        """The topics that are sent here. Asks the I/O thread."""
        return () if self._link.closed else tuple(self._link.socket.subscriptions())

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


def opener(
    on_open: Callable[[WebSocket], object], start: Start, gate: Gate
) -> Callable[[_core.Socket, dict[str, Any], str], object]:
    """What the core calls for a connection that opens; it returns the listener.

    The listener calls ``onWSOpen`` when the core has entered it: ``onWSOpen`` may run other
    callbacks, and those of its own connection are not lost.

    Args:
        on_open: ``onWSOpen``.
        start: Runs what it returns if it is a coroutine function.
        gate: Says who may subscribe.
    """

    def open_socket(socket: _core.Socket, request: dict[str, Any], protocol: str) -> Link:
        link = Link(socket, request, protocol, start, gate)
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
