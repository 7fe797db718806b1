"""The answers of one server that are not ready when ``call`` returns.

Each server has one :class:`Answers`. The core calls it with every result that is not a plain dict.
An :class:`~httpuv.answers.pending.Answer` is the pending answer of one request.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .. import _core
from ..dispatch import eager, tasks
from .pending import Answer
from .presence import Disconnected
from .response import Normal, convert
from .sse import EventStream, stream_of
from .streaming import is_streamed

if TYPE_CHECKING:
    from ..dispatch.queue import Dispatcher

#: Seconds that an answer may wait for other answers of the same iteration of an asyncio loop.
_RING_EVERY = 0.002


class Answers:
    """The pending answers of one server.

    Args:
        source: Runs the server's callbacks.
        timeout: Seconds until an awaited answer must have started; the client gets 503 after that.
            None: no limit. ``req["httpuv.timeout"]`` replaces it for one request.
        mime: Media types of files, by their extension.
        apart: Whether coroutines run on a separate thread (``coroutines="thread"``).
        enter: Called with a request and each topic of its event stream. It raises PermissionError
            if the application refuses the subscription.
        entered: Called with each topic of an event stream once the stream has begun.
    """

    def __init__(
        self,
        source: Dispatcher,
        timeout: float | None,
        mime: _core.MimeTable,
        apart: bool = False,
        enter: Callable[[object, str], None] = lambda client, topic: None,
        entered: Callable[[str], None] = lambda topic: None,
    ) -> None:
        self.enter = enter
        self.entered = entered
        self.source = source
        self.apart = apart
        self.timeout = timeout
        self.mime = mime
        self.open: set[Answer] = set()
        # The loops that must wake the I/O thread at the end of their iteration.
        self._gathering: asyncio.AbstractEventLoop | None = None
        self._rung = 0.0  # time of the last wake-up

    def prepare(self, call: Callable[[dict[str, Any]], Any] | None) -> Any:
        """``call``. A coroutine function gets requests with ``httpuv.disconnected``.

        Where the asyncio loop runs the callbacks, the coroutine starts at once. A coroutine that
        never waits costs little more than a plain function.
        """
        if call is None or not tasks.is_async_function(call):
            return call
        if not self.apart:
            return _core.AsyncCall(call, Disconnected)

        def with_disconnected(req: dict[str, Any]) -> Any:
            if "httpuv.disconnected" not in req:
                req["httpuv.disconnected"] = Disconnected()
            loop = tasks.callback_loop(True)
            return call(req) if loop is None else eager.run(call(req), loop)

        return with_disconnected

    def __call__(
        self, result: object, environ: dict[str, Any], reply: _core.Reply
    ) -> Normal | None:
        """Answer a request with what the application returned. The core calls this."""
        if isinstance(result, EventStream):
            result = result.response()
        if inspect.iscoroutine(result):
            Answer(self, environ, reply).wait_for(result)
        elif isinstance(result, Mapping):
            if not is_streamed(result.get("body")):
                return convert(result, environ, self.mime)
            answer = Answer(self, environ, reply)
            try:
                answer.stream(result, inside=True)
            except Exception:
                answer.finish()  # the core logs it and answers
                raise
        elif isinstance(result, (concurrent.futures.Future, asyncio.Future)):
            Answer(self, environ, reply).follow(result)
        elif inspect.isawaitable(result):
            Answer(self, environ, reply).wait_for(result)
        else:
            return convert(result, environ, self.mime)
        return None

    def feed(
        self,
        token: str,
        environ: dict[str, Any],
        reply: _core.Reply,
        begin: Callable[[float, bytes], object],
    ) -> None:
        """Have topics feed an answer of an ASGI or WSGI application.

        Args:
            token: Names the stream; see :attr:`EventStream.headers`.
            environ: Of the request, or its scope.
            reply: Of an answer that has not begun.
            begin: Has its head leave; is told what is sent after so many seconds of silence.
        """
        answer = Answer(self, environ, reply)
        stream = stream_of(token)
        if stream is None:
            answer.fail(RuntimeError("Httpuv-Events names no EventStream of this process"))
        else:
            answer.feed(stream, begin)
        if reply.done:
            answer.lost()

    def rings(self, reply: _core.Reply) -> bool:
        """Whether the answer that is sent now must wake the I/O thread.

        On one core every wake-up is a context switch. So in one iteration of an asyncio loop only
        the first answer wakes it, and answers that come milliseconds later. One more wake-up at
        the end of the iteration is for the rest.
        """
        loop = tasks.running_loop()
        if loop is None:
            return True
        now = time.monotonic()
        if self._gathering is loop:
            if now - self._rung < _RING_EVERY:
                return False
        else:
            self._gathering = loop
            loop.call_soon(self._gathered, reply)
        self._rung = now
        return True

    def _gathered(self, reply: _core.Reply) -> None:
        self._gathering = None
        reply.ring()

    def end_events(self) -> None:
        """End the event streams, because the server is about to stop: they have no own end."""
        for answer in list(self.open):
            if answer.events is not None:
                answer.end() if answer.events.topics else answer.events.close()

    def close(self) -> None:
        """Abandon all pending answers, because the server has stopped."""
        for answer in list(self.open):
            answer.lost()
