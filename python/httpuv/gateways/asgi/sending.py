"""The answer of an ASGI application: ``send`` of an HTTP exchange.

The core handles an answer in two messages; this module streams, files, trailers and early hints.

Source: ASGI specification 3.0, HTTP 2.5, and its extensions ``http.response.pathsend``,
``http.response.zerocopysend``, ``http.response.trailers`` and ``http.response.early_hint``.
"""

from __future__ import annotations

import asyncio
import os
import stat
from typing import Any, Protocol

from ... import _core
from ...answers.asyncapp import Answers
from . import ranges
from .waiting import ClientGone, Waiting

Message = dict[str, Any]

#: Bytes of an answer that may be on their way from the application to the kernel.
WINDOW = 256 * 1024
#: Bytes after which the core is asked to report that the kernel has them.
_STEP = 64 * 1024

#: The states of an answer, as in the core.
NEW, HEAD, STREAMING, DONE = range(4)


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


class Sending(Waiting, _core.Exchange):
    """The answer's half of :class:`HttpExchange`."""

    gateway: Gateway
    reply: _core.Reply | None = None
    task: asyncio.Task[Any] | None = None
    gone = False  # the client has gone
    ended = False  # the server has ended the exchange: send() fails
    events = False  # a stream of events is being sent
    trailers = False  # trailers follow the body
    sent = 0
    asked = 0
    taken = 0
    length: int | None = None  # the answer's Content-Length
    bodiless = False  # the answer has no body, whatever its Content-Length
    trailer_fields: list[tuple[bytes, bytes]] | None = None
    as_is = False

    def _reply(self) -> _core.Reply:
        reply = self.reply
        if reply is None:
            reply = self.reply = self.open()
            reply.on_abandoned = self._abandoned
            reply.on_taken = self._on_taken
        return reply

    def _complete(self) -> None:
        self.finish()
        self.task = None
        reply = self.reply
        if reply is not None:
            # Break the reference cycles with this object.
            reply.on_abandoned = reply.on_taken = None
        self._wake()

    def _abandoned(self) -> None:
        self.gone = True
        self._wake()

    def _on_taken(self, total: int) -> None:
        self.taken = total
        self._wake()

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        state = self.state
        if self.gone:
            raise ClientGone("the client has gone")
        if self.ended and state != DONE:
            raise ClientGone("the server stops")
        if state == DONE:
            raise RuntimeError(f"{kind!r} was sent after the end of the answer")
        if kind == "http.response.start":
            if state != NEW:
                raise RuntimeError("'http.response.start' was sent twice")
            self.trailers = bool(message.get("trailers", False))
            self.stash(message)
        elif kind == "http.response.early_hint":
            if state != NEW:
                raise RuntimeError(f"{kind!r} must come before 'http.response.start'")
            self._reply().inform(103, [(b"link", link) for link in message["links"]])
        elif state == NEW:
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
        if self.state == HEAD and self.status == 200 and self.events_of:
            if body:
                raise RuntimeError("an answer that topics feed has no body")
            if not more:
                self._feed()
            return
        if self.state == HEAD and not more and not self.trailers:
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
        if self.state == HEAD:
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
                    self.sent - self.taken < WINDOW or self.gone or self.ended or self.state == DONE
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
        if self.state != HEAD:
            raise RuntimeError("'http.response.pathsend' must follow 'http.response.start'")
        fd = os.open(message["path"], os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(f"not a regular file: {message['path']!r}")
            file = _core.FilePart(fd, *self._asked_part(status.st_size))
        except BaseException:
            os.close(fd)
            raise
        self.respond(file)
        self._complete()

    def _asked_part(self, size: int) -> tuple[int, int]:
        """Offset and length of what the client gets of a file: a range, if it has asked for one."""
        if self.status != 200 or self.field("content-range") or self.scope["method"] != "GET":
            return (0, size)
        answer = ranges.asked(
            dict(self.scope["headers"]), size, self.field("etag"), self.field("last-modified")
        )
        if answer is None:
            return (0, size)
        self.amend(answer.status, [("Content-Range", answer.content_range)])
        return (answer.offset, answer.length)

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
        if self.state == HEAD and not more and not self.trailers:
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
