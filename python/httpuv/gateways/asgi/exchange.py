"""One HTTP exchange of an ASGI application: the call of the application, and its ``receive``.

The core handles the usual request: a body that is complete, and an answer in two messages. This
module handles the rest, with ``send`` in :mod:`httpuv.gateways.asgi.sending`: bodies in pieces, and
waiting for the end.

Source: ASGI specification 3.0, HTTP 2.5.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any

from ...base.log import log_failure, write
from ...dispatch import eager, tasks
from ...rook.request import Input
from .sending import DONE, NEW, STREAMING, Message, Sending
from .waiting import caused_by_client

#: Bytes of one message, if the body is in a file.
_PIECE = 64 * 1024


class HttpExchange(Sending):
    """See the module. The core creates it, without calling ``__init__``."""

    told = False  # the application was told that the server stops
    again = False  # the application was asked a second time
    heard = False  # the application has got http.disconnect
    begun = False  # reading the body has begun
    arrived = False  # the whole body has come
    read = False  # the application has read the whole body
    pieces: deque[bytes] | None = None

    # --- the application's coroutine ---

    def start(self, app: Any, receive: Any, send: Any) -> None:
        """Call the application in the loop that runs its coroutines, when it is ready.

        The core itself calls the application if that loop runs on this thread and is ready.
        """
        self.watch()
        runner = tasks.runner(self.gateway.answers.apart)
        runner.call(lambda: self._begin(self._later(app, receive, send), runner.loop))

    async def _later(self, app: Any, receive: Any, send: Any) -> None:
        if self.gateway.not_ready is not None:
            await self.gateway.until_ready()
        await app(self.scope, receive, send)

    def _begin(self, coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        try:
            result = eager.run(coroutine, loop)
        except BaseException as error:
            self._over(error)
            if not isinstance(error, Exception):
                raise
            return
        self.called(result if isinstance(result, asyncio.Task) else None)

    def called(self, task: asyncio.Task[Any] | None) -> None:
        """Note that the application was called: it has returned (None) or runs in a task."""
        self.watch()
        if task is None:
            self._over(None)
        elif task.done():  # the task has cancelled itself
            self._task_done(task)
        else:
            self._follow(task)

    def _follow(self, task: asyncio.Task[Any]) -> None:
        self.task = task
        tasks.keep(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._over(asyncio.CancelledError() if task.cancelled() else task.exception())

    def watch(self) -> None:
        """Watch the client while the application takes longer."""
        self.gateway.open.add(self)
        if self.state != DONE:
            self._reply()

    def _over(self, error: BaseException | None) -> None:
        """The application has returned, or raised."""
        state = self.state
        if error is None and state == NEW and not self.again and self._may_ask_again():
            self.again = True
            runner = tasks.runner(self.gateway.answers.apart)
            runner.call(lambda: self._begin(self._without_files(), runner.loop))
            return
        self.gateway.open.discard(self)
        left = self.gone or self.ended
        quiet = isinstance(error, asyncio.CancelledError) or (left and caused_by_client(error))
        if error is not None and not quiet:
            log_failure("the ASGI application", self.scope, error)
        if state != DONE:
            if error is None and not self.gone and not self.told:
                write(
                    logging.ERROR,
                    "the ASGI application has returned without %s",
                    "the end of its answer" if state == STREAMING else "an answer",
                )
            reply = self._reply()
            if state == STREAMING and self.told and (error is None or (self.events and quiet)):
                reply.end()
            else:
                reply.cut()
        self._complete()

    def _may_ask_again(self) -> bool:
        """Whether an extension may have lost the answer, so that the application is asked again.

        Middleware that does not know "http.response.pathsend" drops that message, and also the
        head that it has kept for the body (Gradio's compression, in the releases up to 6).
        """
        scope = self.scope
        return (
            not (self.gone or self.told)
            and "http.response.pathsend" in scope.get("extensions", ())
            and scope["method"] in ("GET", "HEAD")  # safe: RFC 9110 section 9.2.1
            and self.upload is None
        )

    async def _without_files(self) -> None:
        gateway = self.gateway
        gateway.offer_no_files()
        write(
            logging.WARNING,
            "the ASGI application has answered a request with nothing: a middleware may not know"
            " the extension http.response.pathsend, which is not offered from now on",
        )
        begun = False

        async def receive() -> Message:
            nonlocal begun
            if begun:
                return await self._receive()
            begun = True
            return {"type": "http.request", "body": b"", "more_body": False}

        await gateway.app(gateway.scope_again(self.scope), receive, self.send)

    # --- from the core, on the thread that runs the callbacks ---

    def data(self, piece: bytes) -> None:
        """A piece of the body has come."""
        if self.pieces is None:
            self.pieces = deque()
        self.pieces.append(piece)
        self._wake()

    def end(self) -> None:
        """The body is complete."""
        self.arrived = True
        self._wake()

    def lost(self) -> None:
        """The rest of the body will not come."""
        if self.state != DONE:
            self.gone = True
        self._wake()

    def is_event_stream(self) -> bool:
        """Whether the answer is a stream of events, which may have no end."""
        return self.state == STREAMING and self.length is None

    def tell_shutdown(self, last: bool = False) -> None:
        """Tell the application that its client has gone, because the server stops.

        Many applications notice this in send() only. In a stream of events, which has no end of its
        own, send() fails at once. Other answers may finish until the last call of this method.
        """
        self.told = True
        self.ended = last or self.events
        self._wake()

    # --- receive() ---

    async def _receive(self) -> Message:
        if self.upload is not None and self.state != DONE and not self.read:
            message = await self._receive_body()
            if message is not None:
                return message
        if self.state != DONE and not self.gone:
            self._reply()
            await self._wait(lambda: self.gone or self.told or self.state == DONE)
        if self.heard:
            await asyncio.sleep(0)  # an application that goes on asking must not stop the loop
        self.heard = True
        return {"type": "http.disconnect"}

    async def _receive_body(self) -> Message | None:
        upload = self.upload
        if isinstance(upload, Input):
            piece = upload.read(_PIECE)
            self.read = len(piece) < _PIECE
            return {"type": "http.request", "body": piece, "more_body": not self.read}
        if not self.begun:
            self.begun = True
            upload.resume()
        await self._wait(lambda: bool(self.pieces) or self.arrived or self.gone)
        if not self.pieces and not self.arrived:
            return None
        piece = self.pieces.popleft() if self.pieces else b""
        upload.consumed(len(piece))
        self.read = self.arrived and not self.pieces
        return {"type": "http.request", "body": piece, "more_body": not self.read}
