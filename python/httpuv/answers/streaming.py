"""Bodies that are produced piece by piece: iterables and asynchronous iterables.

Each piece is sent as soon as it exists. A slow client slows its iterable: the next piece is
requested only while less than :data:`WINDOW` bytes wait for the kernel.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Protocol

from .. import _core
from ..base.log import log_failure
from ..dispatch import tasks

#: Bytes of a body that may be on their way from the iterable to the kernel.
WINDOW = 256 * 1024
#: Bytes after which the core is asked to report that the kernel has them.
_STEP = 64 * 1024
#: Seconds that one iterable may run before other callbacks run.
_SLICE = 0.005


class Answer(Protocol):
    """The part of the pending answer that a stream uses."""

    environ: dict[str, Any]
    reply: _core.Reply
    over: bool

    def rings(self) -> bool: ...
    def finish(self, last: Callable[[], object] | None = None) -> bool: ...
    def fail(self, error: BaseException) -> None: ...


def is_streamed(body: object) -> bool:
    """Whether a body is to be iterated over: not text, nor bytes of any kind, nor a file."""
    if body is None or isinstance(body, (str, bytes, bytearray, memoryview, Mapping)):
        return False
    if hasattr(body, "__aiter__"):
        return True
    if not hasattr(body, "__iter__"):
        return False
    try:
        memoryview(body).release()  # type: ignore[arg-type]
    except TypeError:
        return True
    return False


class _Flow:
    """Counts of a body's bytes: sent, promised by Content-Length, and taken by the kernel."""

    _send: Callable[[bytes, bool], None]

    def __init__(self, answer: Answer, length: int | None, empty: bool) -> None:
        self.answer = answer
        self.length = length
        self.empty = empty  # this answer has no body, such as an answer to HEAD
        self.sent = 0
        self._asked = 0
        self.taken = 0
        answer.reply.on_taken = self._on_taken

    def full(self) -> bool:
        """Whether the client must read before more is sent."""
        return self.sent - self.taken >= WINDOW

    def write(self, piece: object) -> None:
        """Send a piece.

        Raises:
            TypeError: It is neither str nor bytes-like.
            ValueError: The body is longer than its Content-Length.
        """
        if isinstance(piece, bytes):
            data = piece
        elif isinstance(piece, str):
            data = piece.encode()
        else:
            data = _core.to_bytes(piece, "a piece of a body")
        if not data:
            return
        self.sent += len(data)
        if self.length is not None and self.sent > self.length:
            raise ValueError(f"the body is longer than its Content-Length, {self.length}")
        ask = self.sent - self._asked >= _STEP
        if ask:
            self._asked = self.sent
        self._send(data, ask)

    def end(self) -> None:
        """The iterable has ended.

        Raises:
            ValueError: The body is shorter than its Content-Length.
        """
        if self.length is not None and self.sent < self.length and not self.empty:
            raise ValueError(
                f"the body ended after {self.sent} bytes; its Content-Length is {self.length}"
            )
        self.answer.finish(self.answer.reply.end)

    def _on_taken(self, total: int) -> None:
        self.taken = total
        if not self.full():
            self.resume()

    def resume(self) -> None:
        """Continue, because there is room again. On the thread that runs the callbacks."""
        raise NotImplementedError


class Stream(_Flow):
    """An iterable, which runs between callbacks, a few milliseconds at a time."""

    def __init__(self, answer: Answer, body: Any, length: int | None, empty: bool) -> None:
        super().__init__(answer, length, empty)
        self._send = answer.reply.write
        self._body = body
        self._iterator: Iterator[object] | None = None
        self._waiting = False  # for room
        self._running = False
        self._closed = False
        # The whole iterable runs in one context, although several callbacks request its pieces.
        # So a context variable that it sets keeps its value.
        self._context = contextvars.copy_context()

    def begin(self) -> None:
        """Schedule the first piece on the thread that runs the callbacks."""
        self._post()

    def begin_here(self) -> None:
        """Request the first pieces now, inside the callback."""
        self._step()

    def resume(self) -> None:
        """Go on."""
        if self._waiting:
            self._waiting = False
            self._step()

    def leave(self) -> None:
        """Close the iterable on the thread that runs the callbacks: the client has gone."""
        self.answer.reply.call_soon(self._close)

    def _post(self) -> None:
        self.answer.reply.call_soon(lambda: self.answer.reply.gather(self._step))

    def _step(self) -> None:
        if self._running:
            return  # the iterable itself runs callbacks at this moment
        if self.answer.over:
            self._close()
            return
        self._running = True
        try:
            self._context.run(self._advance)
        except Exception as error:
            self.answer.fail(error)
        except BaseException as error:
            self.answer.fail(error)
            raise
        finally:
            self._running = False
            if self.answer.over:
                self._close()

    def _advance(self) -> None:
        if self.empty:
            return self.end()
        if self._iterator is None:
            self._iterator = iter(self._body)
        # Few calls for each piece: there may be many, and short ones.
        answer, iterator, write, clock = self.answer, self._iterator, self.write, time.monotonic
        until = clock() + _SLICE
        while not answer.over:
            try:
                piece = next(iterator)
            except StopIteration:
                return self.end()
            write(piece)
            if self.sent - self.taken >= WINDOW:
                self._waiting = True
                return
            if clock() >= until:
                return self._post()

    def _close(self) -> None:
        """Let the iterable clean up, wherever it has stopped."""
        if self._running or self._closed:
            return
        self._closed = True
        for each in (self._iterator, self._body):
            close = getattr(each, "close", None)
            if callable(close):
                try:
                    self._context.run(close)
                except Exception as error:
                    log_failure("close() of a body", self.answer.environ, error)
                return


class AsyncStream(_Flow):
    """An asynchronous iterable, which runs as a task."""

    def __init__(self, answer: Answer, body: Any, length: int | None, empty: bool) -> None:
        super().__init__(answer, length, empty)
        self._body = body
        self._room: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Send it all."""
        iterator: AsyncIterator[object] | None = None
        try:
            if not self.empty:
                iterator = self._body.__aiter__()
                async for piece in iterator:
                    if self.answer.over:
                        return
                    self.write(piece)
                    if self.full():
                        await self._until_room()
            self.end()
        except Exception as error:
            self.answer.fail(error)
        except BaseException as error:
            self.answer.fail(error)
            raise
        finally:
            await self._close(self._body if iterator is None else iterator)

    async def _close(self, iterator: object) -> None:
        close = getattr(iterator, "aclose", None)
        if callable(close):
            try:
                await close()
            except Exception as error:
                log_failure("aclose() of a body", self.answer.environ, error)

    def _send(self, data: bytes, ask: bool) -> None:
        self.answer.reply.write(data, ask, self.answer.rings())

    async def _until_room(self) -> None:
        self._room = asyncio.get_running_loop().create_future()
        # Checked again afterwards: room that comes from here on resolves this future.
        if self.full() and not self.answer.over:
            await self._room
        self._room = None

    def resume(self) -> None:
        """Go on."""
        future = self._room
        if future is None:
            return
        tasks.resolve_soon(future)
