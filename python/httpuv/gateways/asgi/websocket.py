"""One WebSocket of an ASGI application: its ``receive`` and ``send``.

Source: ASGI specification 3.0, WebSocket 2.5, and the extension ``websocket.http.response``.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from typing import Any

from ... import _core
from ...base.log import log_failure, write
from ...dispatch import eager, tasks
from ...rook.websocket import check_code, check_reason
from .sending import Gateway
from .waiting import ClientGone, Waiting, caused_by_client

Message = dict[str, Any]

_CONNECTING, _OPEN, _ANSWERING, _CLOSED = range(4)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

#: ``send()`` returns when at most this many bytes wait for the kernel.
_HIGH_WATER = 64 * 1024
_ABNORMAL = 1006


class WebSocketExchange(Waiting):
    """See the module. It is also the core's listener; the core calls the methods with an
    underscore.
    """

    def __init__(
        self,
        gateway: Gateway,
        app: Any,
        scope: Message,
        socket: _core.Socket,
        reply: _core.Reply,
    ) -> None:
        self.gateway = gateway
        self._app = app
        self.scope = scope
        self.task: asyncio.Task[Any] | None = None
        self._socket = socket
        self._reply = reply
        self._state = _CONNECTING
        self._asked = False  # the application has had websocket.connect
        self._heard = False  # it has had websocket.disconnect
        self._inbox: deque[Message] = deque()
        self._end: Message | None = None  # the last message, once the connection has ended
        self._status: tuple[int, list[tuple[bytes, bytes]]] | None = None  # of a refusal
        reply.on_abandoned = self._abandoned

    # --- the application's coroutine ---

    def _open(self) -> None:
        """Call the application in the asyncio loop of this thread, or in the private loop."""
        self.gateway.open.add(self)
        runner = tasks.runner(self.gateway.answers.apart)
        runner.call(lambda: self._begin(runner.loop))

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            result = eager.run(self._run(), loop)
        except BaseException as error:
            self._over(error)
            if not isinstance(error, Exception):
                raise
            return
        if isinstance(result, asyncio.Task) and not result.done():
            self.task = result
            tasks.keep(result)
            result.add_done_callback(self._task_done)
        else:
            self._over(None)

    async def _run(self) -> None:
        if self.gateway.not_ready is not None:
            await self.gateway.until_ready()
        await self._app(self.scope, self.receive, self.send)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._over(asyncio.CancelledError() if task.cancelled() else task.exception())

    def _over(self, error: BaseException | None) -> None:
        """The application has returned, or raised."""
        self.gateway.open.discard(self)
        cancelled = isinstance(error, asyncio.CancelledError)
        if error is not None and not cancelled and not self._is_gone(error):
            log_failure("the ASGI application", self.scope, error)
        if self._state in (_CONNECTING, _ANSWERING) and self._end is None:
            if error is None and self._state == _CONNECTING:
                write(
                    logging.ERROR,
                    "the ASGI application has neither accepted nor refused a WebSocket",
                )
            self._reply.cut()
        elif self._state == _OPEN and self._end is None:
            if cancelled:
                self._socket.close(1001, "")
            elif error is not None:
                self._socket.close(1011, "internal error")
            else:
                self._socket.close(1000, "")
        self._state = _CLOSED
        self._inbox.clear()
        self._forget_reply()

    def _is_gone(self, error: BaseException) -> bool:
        return self._end is not None and caused_by_client(error)

    def _forget_reply(self) -> None:
        self._reply.on_abandoned = self._reply.on_taken = None

    # --- from the core, on the thread that runs the callbacks ---

    def _message(self, binary: bool, message: str | bytes) -> bool:
        if self._state == _CLOSED:
            return False
        self._inbox.append({"type": "websocket.receive", "bytes" if binary else "text": message})
        self._wake()
        return True

    def _closing(self, code: int, reason: str) -> None:
        """The server closes by itself. The application gets the event of the end later."""

    def _closed(self, code: int, reason: str, clean: bool) -> None:
        if self._end is None:
            self._end = {"type": "websocket.disconnect", "code": code, "reason": reason}
        self._wake()

    def _abandoned(self) -> None:
        """The client has gone before the application has decided."""
        self._closed(_ABNORMAL, "", False)

    def _taken(self) -> None:
        self._wake()

    def _pong(self, payload: bytes) -> None:
        pass

    _drained = _dropped = _taken

    def tell_shutdown(self, last: bool = False) -> None:
        """The server stops."""
        if self._state == _OPEN:
            self._socket.close(1001, "")
        elif self._state == _CONNECTING:
            self._closed(1001, "", False)

    def is_event_stream(self) -> bool:
        """Whether the exchange has no end of its own."""
        return True

    # --- receive() ---

    async def receive(self) -> Message:
        """The next event."""
        if not self._asked:
            self._asked = True
            return {"type": "websocket.connect"}
        inbox = self._inbox
        if not inbox:
            await self._wait(lambda: bool(inbox) or self._end is not None)
        if inbox:
            message = inbox.popleft()
            self._socket.consumed(1)
            return message
        assert self._end is not None
        if self._heard:
            await asyncio.sleep(0)  # an application that goes on asking must not stop the loop
        self._heard = True
        return self._end

    # --- send() ---

    async def send(self, message: Message) -> None:
        """Send an event of the application.

        Raises:
            OSError: The client has gone.
            RuntimeError: The event is not allowed in this state.
        """
        kind = message["type"]
        if self._state == _OPEN and kind == "websocket.send":
            if self._end is not None:
                raise ClientGone("the client has gone")
            return await self._send_message(message)
        if self._end is not None and self._state != _CLOSED:
            raise ClientGone("the client has gone")
        if self._state == _CONNECTING and kind == "websocket.accept":
            self._accept(message)
        elif self._state == _CONNECTING and kind == "websocket.close":
            self._state = _CLOSED
            self._reply.send((403, [], b""))
            self._end_here()
        elif self._state == _CONNECTING and kind == "websocket.http.response.start":
            self._status = (message["status"], list(message.get("headers", ())))
            self._state = _ANSWERING
        elif self._state == _ANSWERING and kind == "websocket.http.response.body":
            self._answer(message)
        elif self._state == _OPEN and kind == "websocket.close":
            code = message.get("code")
            self._state = _CLOSED
            self._socket.close(
                *_checked_close(1000 if code is None else code, message.get("reason") or "")
            )
        else:
            state = ("is not accepted", "is open", "is being refused", "is closed")[self._state]
            raise RuntimeError(f"{kind!r} was sent while the WebSocket {state}")

    def _accept(self, message: Message) -> None:
        protocol = message.get("subprotocol")
        if protocol is not None and not _TOKEN.fullmatch(protocol):
            raise ValueError(f"subprotocol must be a token or None, not {protocol!r}")
        headers = list(message.get("headers", ()))
        for name, _ in headers:
            if bytes(name).lower() == b"sec-websocket-protocol":
                raise ValueError("the subprotocol belongs into 'subprotocol', not among headers")
        self._reply.accept("" if protocol is None else protocol, headers)
        self._state = _OPEN
        self._forget_reply()

    def _answer(self, message: Message) -> None:
        assert self._status is not None
        body = bytes(message.get("body", b""))
        more = bool(message.get("more_body", False))
        status, headers = self._status
        reply = self._reply
        if not more and not self._streams:
            reply.send((status, headers, body))
        else:
            if not self._streams:
                self._streams = True
                reply.start(status, headers, None)
            if body:
                reply.write(body)
            if not more:
                reply.end()
        if not more:
            self._state = _CLOSED
            self._end_here()

    _streams = False  # the refusal's body comes in pieces

    def _end_here(self) -> None:
        """End the exchange after a refused handshake."""
        self._end = {"type": "websocket.disconnect", "code": _ABNORMAL, "reason": ""}
        self._forget_reply()
        self._wake()

    async def _send_message(self, message: Message) -> None:
        data: Any = message.get("bytes")
        if data is None:
            data = message["text"]
            if not isinstance(data, str):
                raise TypeError(f"'text' must be str, not {type(data).__name__}")
        socket = self._socket
        socket.send(data)
        if socket.outstanding() > _HIGH_WATER:
            await self._wait(
                lambda: self._end is not None or socket.outstanding() <= _HIGH_WATER,
                ask=socket.acknowledge,
            )


def _checked_close(code: int, reason: str) -> tuple[int, str]:
    return check_code(code), check_reason(reason)
