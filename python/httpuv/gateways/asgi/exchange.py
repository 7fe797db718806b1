"""One HTTP exchange of an ASGI application: its ``receive`` and ``send``.

The core handles the usual request: a body that is complete, and an answer in two messages. This
module handles the rest: bodies in pieces, streams, files, trailers, early hints, and waiting for
the end.

Source: ASGI specification 3.0, HTTP 2.5, and its extensions ``http.response.pathsend``,
``http.response.zerocopysend``, ``http.response.trailers`` and ``http.response.early_hint``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import stat
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from ... import _core
from ...answers.asyncapp import Answers
from ...base.log import log_failure, write
from ...dispatch import eager, tasks
from ...rook.request import Input

Message = dict[str, Any]

#: Bytes of an answer that may be on their way from the application to the kernel.
WINDOW = 256 * 1024
#: Bytes after which the core is asked to report that the kernel has them.
_STEP = 64 * 1024
#: Bytes of one message, if the body is in a file.
_PIECE = 64 * 1024

_NEW, _HEAD, _STREAMING, _DONE = range(4)

_RANGE = re.compile(rb"bytes=(\d*)-(\d*)")


class ClientGone(ConnectionError):
    """``send()`` after the client has gone: the OSError of the ASGI specification (2.4)."""


def caused_by_client(error: BaseException | None) -> bool:
    """Whether the reason of an exception is that the client has gone."""
    while error is not None:
        if isinstance(error, ClientGone):
            return True
        error = error.__cause__ or error.__context__
    return False


class Gateway(Protocol):
    """The part of the gateway that this module uses."""

    app: Any
    open: set[Any]
    not_ready: asyncio.Future[None] | None

    @property
    def answers(self) -> Answers: ...
    async def until_ready(self) -> None: ...
    def offer_no_files(self) -> None: ...
    def scope_again(self, scope: Message) -> Message: ...


class HttpExchange(_core.Exchange):
    """See the module. The core creates it, without calling ``__init__``."""

    gateway: Gateway
    reply: _core.Reply | None = None
    task: asyncio.Task[Any] | None = None
    gone = False  # the client has gone
    told = False  # the application was told that the server stops
    ended = False  # the server has ended the exchange: send() fails
    events = False  # a stream of events is being sent
    again = False  # the application was asked a second time
    trailers = False  # trailers follow the body
    heard = False  # the application has got http.disconnect
    begun = False  # reading the body has begun
    arrived = False  # the whole body has come
    read = False  # the application has read the whole body
    sent = 0
    asked = 0
    taken = 0
    length: int | None = None  # the answer's Content-Length
    bodiless = False  # the answer has no body, whatever its Content-Length
    pieces: deque[bytes] | None = None
    waiters: list[asyncio.Future[None]] | None = None
    trailer_fields: list[tuple[bytes, bytes]] | None = None
    as_is = False

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
        if self.state != _DONE:
            self._reply()

    def _reply(self) -> _core.Reply:
        reply = self.reply
        if reply is None:
            reply = self.reply = self.open()
            reply.on_abandoned = self._abandoned
            reply.on_taken = self._on_taken
        return reply

    def _over(self, error: BaseException | None) -> None:
        """The application has returned, or raised."""
        state = self.state
        if error is None and state == _NEW and not self.again and self._may_ask_again():
            self.again = True
            runner = tasks.runner(self.gateway.answers.apart)
            runner.call(lambda: self._begin(self._without_files(), runner.loop))
            return
        self.gateway.open.discard(self)
        left = self.gone or self.ended
        quiet = isinstance(error, asyncio.CancelledError) or (left and caused_by_client(error))
        if error is not None and not quiet:
            log_failure("the ASGI application", self.scope, error)
        if state != _DONE:
            if error is None and not self.gone and not self.told:
                write(
                    logging.ERROR,
                    "the ASGI application has returned without %s",
                    "the end of its answer" if state == _STREAMING else "an answer",
                )
            reply = self._reply()
            if state == _STREAMING and self.told and (error is None or (self.events and quiet)):
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

    def _complete(self) -> None:
        self.finish()
        self.task = None
        reply = self.reply
        if reply is not None:
            # Break the reference cycles with this object.
            reply.on_abandoned = reply.on_taken = None
        self._wake()

    # --- from the core, on the thread that runs the callbacks ---

    def _abandoned(self) -> None:
        self.gone = True
        self._wake()

    def _on_taken(self, total: int) -> None:
        self.taken = total
        self._wake()

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
        if self.state != _DONE:
            self.gone = True
        self._wake()

    def is_event_stream(self) -> bool:
        """Whether the answer is a stream of events, which may have no end."""
        return self.state == _STREAMING and self.length is None

    def tell_shutdown(self, last: bool = False) -> None:
        """Tell the application that its client has gone, because the server stops.

        Many applications notice this in send() only. In a stream of events, which has no end of its
        own, send() fails at once. Other answers may finish until the last call of this method.
        """
        self.told = True
        self.ended = last or self.events
        self._wake()

    # --- waiting ---

    def _wake(self) -> None:
        waiters, self.waiters = self.waiters, None
        for each in waiters or ():
            tasks.resolve_soon(each)

    async def _wait(self, until: Callable[[], bool]) -> None:
        while not until():
            future = asyncio.get_running_loop().create_future()
            if self.waiters is None:
                self.waiters = []
            self.waiters.append(future)
            try:
                # Checked again afterwards: a change from here on resolves this future.
                if not until():
                    await future
            finally:
                if self.waiters is not None:
                    with contextlib.suppress(ValueError):
                        self.waiters.remove(future)

    # --- receive() ---

    async def _receive(self) -> Message:
        if self.upload is not None and self.state != _DONE and not self.read:
            message = await self._receive_body()
            if message is not None:
                return message
        if self.state != _DONE and not self.gone:
            self._reply()
            await self._wait(lambda: self.gone or self.told or self.state == _DONE)
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

    # --- send() ---

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        state = self.state
        if self.gone:
            raise ClientGone("the client has gone")
        if self.ended and state != _DONE:
            raise ClientGone("the server stops")
        if state == _DONE:
            raise RuntimeError(f"{kind!r} was sent after the end of the answer")
        if kind == "http.response.start":
            if state != _NEW:
                raise RuntimeError("'http.response.start' was sent twice")
            self.trailers = bool(message.get("trailers", False))
            self.stash(message)
        elif kind == "http.response.early_hint":
            if state != _NEW:
                raise RuntimeError(f"{kind!r} must come before 'http.response.start'")
            self._reply().inform(103, [(b"link", link) for link in message["links"]])
        elif state == _NEW:
            raise RuntimeError(f"'http.response.start' must be sent before {kind!r}")
        elif kind == "http.response.body":
            await self._send_body(message)
        elif kind == "http.response.pathsend":
            self._send_path(message)
        elif kind == "http.response.zerocopysend":
            await self._send_file(message)
        elif kind == "http.response.trailers":
            self._send_trailers(message)
        else:
            raise RuntimeError(f"unknown ASGI message {kind!r}")

    async def _send_body(self, message: Message) -> None:
        body = message.get("body", b"")
        if not isinstance(body, bytes):
            body = memoryview(body).tobytes()
        more = bool(message.get("more_body", False))
        if self.trailer_fields is not None:
            raise RuntimeError("the body has ended: 'http.response.trailers' is expected")
        if self.state == _HEAD and self.status == 200 and self.events_of:
            if body:
                raise RuntimeError("an answer that topics feed has no body")
            if not more:
                self._feed()
            return
        if self.state == _HEAD and not more and not self.trailers:
            self.respond(body)
            return self._complete()
        self._begin_stream()
        if body:
            self._write(body)
        if not more:
            return self._end_body()
        await self._room()

    def _feed(self) -> None:
        """Topics make the body: the application has nothing to do with it any more."""
        reply, self.reply = self._reply(), None
        reply.on_abandoned = reply.on_taken = None
        self.gateway.answers.feed(self.events_of, self.scope, reply, self.begin_events)
        self._complete()

    def _begin_stream(self, as_is: bool = False) -> None:
        if self.state == _HEAD:
            self.as_is = as_is
            self._reply()
            self.events = self.field("content-type").startswith("text/event-stream")
            self.bodiless = self.scope["method"] == "HEAD" or self.status in (204, 304)
            self.length = self.begin(as_is)

    def _write(self, data: bytes) -> None:
        reply = self._reply()
        if self.length is not None and not self.bodiless and self.sent + len(data) > self.length:
            raise RuntimeError(f"the body is longer than its Content-Length, {self.length}")
        self.sent += len(data)
        ask = self.sent - self.asked >= _STEP
        if ask:
            self.asked = self.sent
        reply.write(data, ask, self.gateway.answers.rings(reply))

    async def _room(self) -> None:
        if self.sent - self.taken >= WINDOW:
            await self._wait(
                lambda: (
                    self.sent - self.taken < WINDOW
                    or self.gone
                    or self.ended
                    or self.state == _DONE
                )
            )

    def _end_body(self) -> None:
        if self.length is not None and not self.bodiless and self.sent < self.length:
            raise RuntimeError(f"the body is shorter than its Content-Length, {self.length}")
        if self.trailers:
            self.trailer_fields = []
            return
        self._reply().end()
        self._complete()

    def _send_trailers(self, message: Message) -> None:
        if self.trailer_fields is None:
            raise RuntimeError("'http.response.trailers' must come behind the body")
        self.trailer_fields.extend(message.get("headers", ()))
        if not message.get("more_trailers", False):
            self._reply().end(self.trailer_fields)
            self._complete()

    def _send_path(self, message: Message) -> None:
        if self.state != _HEAD:
            raise RuntimeError("'http.response.pathsend' must follow 'http.response.start'")
        fd = os.open(message["path"], os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"not a regular file: {message['path']!r}")
            offset, length = self._asked_range(status.st_size)
            file = _core.FilePart(fd, offset, length)
        except BaseException:
            os.close(fd)
            raise
        self.respond(file)
        self._complete()

    def _asked_range(self, size: int) -> tuple[int, int]:
        """Offset and length of the range that the client has requested (RFC 9110 section 14)."""
        whole = (0, size)
        if self.status != 200 or self.field("content-range") or self.scope["method"] != "GET":
            return whole
        fields = dict(self.scope["headers"])
        match = _RANGE.fullmatch(fields.get(b"range", b""))
        if match is None or match.group(0) == b"bytes=-":
            return whole
        condition = fields.get(b"if-range")
        if condition is not None:
            etag = self.field("etag").encode("latin-1")
            known = [etag] if etag and not etag.startswith(b"W/") else []
            known.append(self.field("last-modified").encode("latin-1"))
            if not condition or condition not in known:
                return whole
        first, last = match.groups()
        if first:
            begin = int(first)
            end = min(int(last), size - 1) if last else size - 1
            if last and int(last) < begin:
                return whole
        else:
            begin = max(0, size - int(last))
            end = size - 1 if int(last) else -1
        if begin >= size or end < begin:
            self.amend(416, [("Content-Range", f"bytes */{size}")])
            return (0, 0)
        self.amend(206, [("Content-Range", f"bytes {begin}-{end}/{size}")])
        return (begin, end - begin + 1)

    async def _send_file(self, message: Message) -> None:
        file = message["file"]
        fd = file if isinstance(file, int) else file.fileno()
        offset, count = message.get("offset"), message.get("count")
        position = os.lseek(fd, 0, os.SEEK_CUR) if offset is None else int(offset)
        left = max(0, os.fstat(fd).st_size - position)
        length = left if count is None else min(int(count), left)
        if offset is None:
            os.lseek(fd, position + length, os.SEEK_SET)
        more = bool(message.get("more_body", False))
        if self.state == _HEAD and not more and not self.trailers:
            self.respond(_core.FilePart(os.dup(fd), position, length))
            return self._complete()
        self._begin_stream(as_is=True)
        if self.as_is:
            reply = self._reply()
            reply.write_file(_core.FilePart(os.dup(fd), position, length))
            self.sent = self.asked = self.sent + length
            reply.write(b"", True, True)
            await self._room()
        else:  # the server may still compress the pieces before
            while length > 0:
                piece = os.pread(fd, min(length, _STEP), position)
                if not piece:
                    raise OSError("the file has become shorter")
                self._write(piece)
                position += len(piece)
                length -= len(piece)
                await self._room()
        if not more:
            self._end_body()
