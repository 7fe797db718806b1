"""One answer that is not ready when ``call`` returns: it is awaited, or streamed.

It starts on the thread that runs the callbacks; it may end on that thread, in an asyncio loop or on
a worker's thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import inspect
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from .. import _core
from ..base import fork, log
from ..base.checks import check_seconds
from ..base.log import log_failure
from ..dispatch import eager, tasks
from .presence import Disconnected
from .response import Normal, convert, head_of
from .sse import EventStream, last_event_id
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

_over_lock = fork.lock()


class Owner(Protocol):
    """The part of a server's answers that one answer uses."""

    source: Dispatcher
    apart: bool
    timeout: float | None
    mime: _core.MimeTable
    open: set[Answer]
    enter: Callable[[object, str], None]
    entered: Callable[[str], None]

    def rings(self, reply: _core.Reply) -> bool: ...


class Answer:
    """One pending answer. It is over when it was sent, or when the client has gone."""

    def __init__(self, answers: Owner, environ: dict[str, Any], reply: _core.Reply) -> None:
        self.answers = answers
        self.environ = environ
        self.reply = reply
        gone = environ.get("httpuv.disconnected")
        if gone is None:
            gone = environ["httpuv.disconnected"] = Disconnected()
        self.gone: Disconnected = gone
        self.events: EventStream | None = None
        #: Nothing more is to be sent. An attribute, because a stream asks for each piece.
        self.over = False
        # Ends the answer early: cancels a task or a future, or closes a stream.
        self._cancel: Callable[[], object] | None = None
        self._cancel_timer: Callable[[], object] | None = None
        answers.open.add(self)
        reply.on_abandoned = self.lost

    def rings(self) -> bool:
        """Whether the answer that is sent now must wake the I/O thread."""
        return self.answers.rings(self.reply)

    def finish(self, last: Callable[[], object] | None = None) -> bool:
        """End the answer and call `last`, unless the answer was over before.

        Raises:
            Exception: What `last` raised. The answer is not over then.
        """
        with _over_lock:
            if self.over:
                return False
            self.over = True
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
                self.over = False  # the client still waits
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
        if timeout is not None and not self.over:
            handle = loop.call_later(timeout, self._late, timeout, future.cancel)
            self._cancel_timer = lambda: _call_in(loop, handle.cancel)
        self._cancelled_by(lambda: _call_in(loop, future.cancel))
        future.add_done_callback(self._done)

    def _cancelled_by(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        if self.over and self.gone:
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
