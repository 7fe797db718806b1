"""Answers that are not ready when ``call`` returns: they are awaited, or streamed.

Each server has one :class:`Answers`. The core calls it with every result that is not a plain dict.
An :class:`Answer` is the pending answer of one request. It starts on the thread that runs the
callbacks; it may end on that thread, in an asyncio loop or on a worker's thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import inspect
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from .. import _core
from ..base import fork, log
from ..base.checks import check_seconds
from ..base.log import log_failure
from ..dispatch import eager, tasks
from .presence import Disconnected
from .response import Normal, convert, head_of
from .sse import EventStream, last_event_id, stream_of
from .streaming import AsyncStream, Stream, is_streamed

if TYPE_CHECKING:
    from ..dispatch.queue import Dispatcher

_LATE: Normal = (
    503,
    [("Content-Type", "text/plain; charset=utf-8")],
    b"503 Service Unavailable\n",
)

_FORBIDDEN: Normal = (
    403,
    [("Content-Type", "text/plain; charset=utf-8")],
    b"403 Forbidden\n",
)

#: Seconds that an answer may wait for other answers of the same iteration of an asyncio loop.
_RING_EVERY = 0.002

_over_lock = fork.lock()


class Answers:
    """The pending answers of one server.

    Args:
        source: Runs the server's callbacks.
        timeout: Seconds until an awaited answer must have started; the client gets 503 after that.
            None: no limit. ``req["httpuv.timeout"]`` replaces it for one request.
        mime: Media types of files, by their extension.
        apart: Whether coroutines run on a thread of their own (``coroutines="thread"``).
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


class Answer:
    """One pending answer. It is over when it was sent, or when the client has gone."""

    def __init__(self, answers: Answers, environ: dict[str, Any], reply: _core.Reply) -> None:
        self.answers = answers
        self.environ = environ
        self.reply = reply
        gone = environ.get("httpuv.disconnected")
        if gone is None:
            gone = environ["httpuv.disconnected"] = Disconnected()
        self.gone: Disconnected = gone
        self.events: EventStream | None = None
        self._over = False
        # Ends the answer early: cancels a task or a future, or closes a stream.
        self._cancel: Callable[[], object] | None = None
        self._cancel_timer: Callable[[], object] | None = None
        answers.open.add(self)
        reply.on_abandoned = self.lost

    @property
    def over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._over

    def rings(self) -> bool:
        """Whether the answer that is sent now must wake the I/O thread."""
        return self.answers.rings(self.reply)

    def finish(self, last: Callable[[], object] | None = None) -> bool:
        """End the answer and call `last`, unless the answer was over before.

        Raises:
            Exception: What `last` raised. The answer is not over then.
        """
        with _over_lock:
            if self._over:
                return False
            self._over = True
        self.answers.open.discard(self)
        if self._cancel_timer is not None:
            self._cancel_timer()
        if self.events is not None:
            self.events.left(self)  # its coroutine may never have started
        reply = self.reply
        if last is not None:
            try:
                last()
            except BaseException:
                self._over = False  # the client still waits
                raise
        # Break the reference cycles with this object.
        reply.on_abandoned = reply.on_taken = None
        return True

    def fail(self, error: BaseException) -> None:
        """Report an exception: the client gets 500, or its connection is cut."""
        if self.finish(self.reply.cut):
            log_failure("call", self.environ, error)

    def lost(self) -> None:
        """End everything that makes the answer: the client or the server has gone."""
        if self.finish(self.reply.cut):
            self.gone._set()
            if self._cancel is not None:
                self._cancel()

    # --- where the answer comes from ---

    def _timeout(self) -> float | None:
        """Seconds that this answer may take; None: any time.

        Raises:
            TypeError, ValueError: ``req["httpuv.timeout"]`` is no number of seconds.
        """
        timeout = self.environ.get("httpuv.timeout", self.answers.timeout)
        return None if timeout is None else check_seconds("httpuv.timeout", timeout)

    def wait_for(self, awaitable: Any) -> None:
        """Answer with the result of an awaitable, which runs in an asyncio loop."""
        if not inspect.iscoroutine(awaitable):
            awaitable = tasks.result_of(awaitable)
        runner = tasks.runner(self.answers.apart)
        try:
            runner.call(lambda: self._begin(awaitable, runner.loop))
        except RuntimeError as error:  # the loop was closed
            awaitable.close()
            self.fail(error)

    def _begin(self, coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        # Even if the client has gone meanwhile: the coroutine may hold resources.
        try:
            result = eager.run(coroutine, loop)
        except BaseException as error:
            self.fail(error)
            if not isinstance(error, Exception):
                raise
            return
        if isinstance(result, asyncio.Task):
            self._follow_task(result)
        else:
            self._have(result)

    def follow(self, future: concurrent.futures.Future[Any] | asyncio.Future[Any]) -> None:
        """Answer with the result of a future."""
        if isinstance(future, asyncio.Future):
            return _call_in(future.get_loop(), lambda: self._follow_task(future))
        try:
            timeout = self._timeout()
        except Exception as error:
            future.cancel()
            return self.fail(error)
        if timeout is not None:
            self._cancel_timer = self.answers.source.later(
                lambda: self._late(timeout, future.cancel), timeout
            )
        self._cancelled_by(future.cancel)
        future.add_done_callback(self._done)

    def _follow_task(self, future: asyncio.Future[Any]) -> None:
        """The same on the thread of the future's loop; its task has run its first step."""
        loop = future.get_loop()
        tasks.keep(future)
        try:
            timeout = self._timeout()
        except Exception as error:
            future.cancel()
            return self.fail(error)
        if timeout is not None and not self._over:
            handle = loop.call_later(timeout, self._late, timeout, future.cancel)
            self._cancel_timer = lambda: _call_in(loop, handle.cancel)
        self._cancelled_by(lambda: _call_in(loop, future.cancel))
        future.add_done_callback(self._done)

    def _cancelled_by(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        if self._over and self.gone:
            cancel()  # the client left in between

    def _done(self, future: concurrent.futures.Future[Any] | asyncio.Future[Any]) -> None:
        try:
            result = future.result()
        except BaseException as error:
            return self.fail(error)
        self._have(result)

    def _late(self, timeout: float, cancel: Callable[[], object]) -> None:
        if self.finish(lambda: self.reply.send(_LATE)):
            log.write(
                logging.WARNING,
                "no answer in %g s for %s %s",
                timeout,
                self.environ.get("REQUEST_METHOD"),
                self.environ.get("REQUEST_URI"),
            )
            cancel()

    # --- kinds of results ---

    def _have(self, result: object) -> None:
        if isinstance(result, EventStream):
            result = result.response()
        try:
            if self.reply.send_plain(result, self.rings()):
                self.finish()
                return
            if isinstance(result, Mapping) and is_streamed(result.get("body")):
                return self.stream(result)
            normal = convert(result, self.environ, self.answers.mime)
            self.finish(lambda: self.reply.send(normal))
        except Exception as error:
            self.fail(error)

    def stream(self, result: Mapping[Any, Any], inside: bool = False) -> None:
        """Send the pieces of the body as they come.

        Args:
            result: The answer.
            inside: Whether the callback itself is still running.

        Raises:
            TypeError, ValueError: Status or headers are wrong.
        """
        body: Any = result["body"]
        status, headers, length = head_of(result)
        if isinstance(body, EventStream) and length is None:
            if body.topics and not self._admitted(body.topics):
                return
            self.events = body
            self.reply.start(status, headers, None, body.filler)
        else:
            self.reply.start(status, headers, length)
        if self._cancel_timer is not None:
            self._cancel_timer()  # the answer has started
        empty = self.environ.get("REQUEST_METHOD") == "HEAD" or status in (204, 304)
        if self.events is not None and self.events.topics:
            return self._feed(self.events, empty)
        if hasattr(body, "__aiter__"):
            stream = AsyncStream(self, body, length, empty)
            self._cancelled_by(tasks.runner(self.answers.apart).start(stream.run()))
        else:
            sync = Stream(self, body, length, empty)
            self._cancelled_by(sync.leave)
            sync.begin_here() if inside else sync.begin()

    def feed(self, events: EventStream, begin: Callable[[float, bytes], object]) -> None:
        """Let topics make the body; ``begin`` sends the head."""
        try:
            if not self._admitted(events.topics):
                return
            self.events = events
            begin(*events.filler)
        except Exception as error:
            return self.fail(error)
        method = self.environ.get("REQUEST_METHOD") or self.environ.get("method")
        self._feed(events, method == "HEAD")

    def _admitted(self, topics: list[str]) -> bool:
        """Whether the client may get the topics; if not, it gets 403."""
        try:
            for each in topics:
                self.answers.enter(self.environ, each)
        except PermissionError:
            self.finish(lambda: self.reply.send(_FORBIDDEN))
            return False
        return True

    def _feed(self, events: EventStream, empty: bool) -> None:
        if empty:
            self.end()
            return
        self.reply.feed(events.topics, last_event_id(self.environ), events.history, events.retry)
        for each in events.topics:
            self.answers.entered(each)
        events.begin(self)

    def end(self) -> None:
        """The body is complete."""
        self.finish(self.reply.end)


def _call_in(loop: asyncio.AbstractEventLoop, func: Callable[[], object]) -> None:
    """Call a function on the thread of a loop: at once, if this is that thread."""
    if tasks.running_loop() is loop:
        func()
        return
    with contextlib.suppress(RuntimeError):  # it was closed
        loop.call_soon_threadsafe(func)
