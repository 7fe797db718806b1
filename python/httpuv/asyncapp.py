"""Answers that take their time: what ``call`` returned is awaited, or streamed.

For every server there is one :class:`Answers`; the core calls it with what is no plain dict. An
:class:`Answer` is one request whose answer is still being made. It begins on the thread that runs
the callbacks; its end may come from there, from an asyncio loop or from a worker's thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import inspect
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import _core
from ._checks import check_seconds
from .dispatch import eager, tasks
from .log import log_failure, logger
from .presence import Disconnected
from .response import Normal, convert, head_of
from .sse import EventStream
from .streaming import AsyncStream, Stream, is_streamed

if TYPE_CHECKING:
    from .dispatch.queue import Dispatcher

_LATE: Normal = (
    503,
    [("Content-Type", "text/plain; charset=utf-8")],
    b"503 Service Unavailable\n",
)

_over_lock = threading.Lock()


class Answers:
    """The answers of one server that are being made.

    Args:
        source: Runs the server's callbacks.
        timeout: Seconds that an awaited answer may take to begin; beyond: 503. None: any time.
            ``req["httpuv.timeout"]`` replaces it for one request.
    """

    def __init__(self, source: Dispatcher, timeout: float | None) -> None:
        self.source = source
        self.timeout = timeout
        self.open: set[Answer] = set()

    def prepare(self, call: Callable[[dict[str, Any]], Any] | None) -> Any:
        """``call``; if it is a coroutine function, with requests that can tell of their clients.

        Where the asyncio loop runs the callbacks, it is begun at once: if it never has to wait, its
        answer costs little more than that of a plain function.
        """
        if call is None or not (
            inspect.iscoroutinefunction(call)
            or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004
        ):
            return call

        def with_disconnected(req: dict[str, Any]) -> Any:
            req.setdefault("httpuv.disconnected", Disconnected())
            loop = tasks.running_loop()
            return call(req) if loop is None else eager.run(call(req), loop)

        return with_disconnected

    def __call__(
        self, result: object, environ: dict[str, Any], reply: _core.Reply
    ) -> Normal | None:
        """Answer a request with what the application returned. The core calls this."""
        if isinstance(result, Mapping):
            if not is_streamed(result.get("body")):
                return convert(result)
            answer = Answer(self, environ, reply)
            try:
                answer.stream(result)
            except Exception:
                answer.finish()  # the core logs it and answers
                raise
        elif isinstance(result, (concurrent.futures.Future, asyncio.Future)):
            Answer(self, environ, reply).follow(result)
        elif inspect.isawaitable(result):
            Answer(self, environ, reply).wait_for(result)
        else:
            return convert(result)
        return None

    def end_events(self) -> None:
        """The server is about to stop: streams of events, which would not end by themselves, do."""
        for answer in list(self.open):
            if answer.events is not None:
                answer.events.close()

    def close(self) -> None:
        """The server has stopped: nobody waits for its answers any more."""
        for answer in list(self.open):
            answer.lost()


class Answer:
    """One answer that is being made. Over when it was given, or the client has gone."""

    def __init__(self, answers: Answers, environ: dict[str, Any], reply: _core.Reply) -> None:
        self.answers = answers
        self.environ = environ
        self.reply = reply
        self.gone: Disconnected = environ.setdefault("httpuv.disconnected", Disconnected())
        self.events: EventStream | None = None
        self._over = False
        # What makes it end early: cancels a task or a future, closes a stream.
        self._cancel: Callable[[], object] | None = None
        self._cancel_timer: Callable[[], object] | None = None
        answers.open.add(self)
        reply.on_abandoned = self.lost
        reply.on_half_closed = self.lost

    @property
    def over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._over

    def finish(self, last: Callable[[], object] | None = None) -> bool:
        """It is over, and `last` the last thing to do, unless it was over before."""
        with _over_lock:
            if self._over:
                return False
            self._over = True
        self.answers.open.discard(self)
        if self._cancel_timer is not None:
            self._cancel_timer()
        if self.events is not None:
            self.events.close()  # its coroutine may never have begun
        reply = self.reply
        if last is not None:
            last()
        # They refer to this object, as it does to them.
        reply.on_abandoned = reply.on_half_closed = reply.on_taken = None
        return True

    def fail(self, error: BaseException) -> None:
        """An exception instead of an answer: 500, or a connection that is cut."""
        if self.finish(self.reply.cut):
            log_failure("call", self.environ, error)

    def lost(self) -> None:
        """The client has gone, or the server: all that makes the answer ends."""
        if self.finish(self.reply.cut):
            self.gone._set()
            if self._cancel is not None:
                self._cancel()

    # --- where the answer comes from ---

    def _timeout(self) -> float | None:
        """Seconds that this answer may take; None: any time.

        Raises:
            TypeError, ValueError: What the request says instead is no time.
        """
        timeout = self.environ.get("httpuv.timeout", self.answers.timeout)
        return None if timeout is None else check_seconds("httpuv.timeout", timeout)

    def follow(self, future: concurrent.futures.Future[Any] | asyncio.Future[Any]) -> None:
        """It is the result of a future.

        Raises:
            TypeError, ValueError: See :meth:`_timeout`.
        """
        if isinstance(future, asyncio.Future):
            loop = future.get_loop()
            cancel: Callable[[], object] = lambda: _call_in(loop, future.cancel)  # noqa: E731
        else:
            cancel = future.cancel
        try:
            timeout = self._timeout()
        except Exception:
            self.finish()  # the core logs it and answers
            cancel()
            raise
        if timeout is not None:
            self._cancel_timer = self.answers.source.later(
                lambda: self._late(timeout, cancel), timeout
            )
        self._cancel = cancel
        if isinstance(future, asyncio.Future):
            _call_in(future.get_loop(), lambda: future.add_done_callback(self._done))
        else:
            future.add_done_callback(self._done)

    def _done(self, future: concurrent.futures.Future[Any] | asyncio.Future[Any]) -> None:
        try:
            result = future.result()
        except BaseException as error:
            return self.fail(error)
        stream = self.give(result)
        if stream is not None:
            self._cancelled_by(tasks.runner().start(stream.run()))

    def wait_for(self, awaitable: Any) -> None:
        """It is what an awaitable gives, in an asyncio loop."""
        runner = tasks.runner()
        close = awaitable.close if inspect.iscoroutine(awaitable) else None
        self._cancelled_by(runner.start(self._wait(awaitable, runner), close))

    def _cancelled_by(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        if self._over and self.gone:
            cancel()  # it was lost in between

    async def _wait(self, awaitable: Any, runner: tasks.Runner) -> None:
        task = asyncio.current_task()
        assert task is not None
        # Behind its first step, which may have set a timeout of its own.
        begun = runner.loop.call_soon(self._limit, runner, task)
        try:
            result = await awaitable
        except Exception as error:
            self.fail(error)
        except BaseException as error:
            self.fail(error)
            raise
        else:
            stream = self.give(result)
            if stream is not None:
                await stream.run()
        finally:
            begun.cancel()

    def _limit(self, runner: tasks.Runner, task: asyncio.Task[Any]) -> None:
        try:
            timeout = self._timeout()
        except Exception as error:
            self.fail(error)
            task.cancel()
            return
        if timeout is not None and not self._over:
            handle = runner.loop.call_later(timeout, self._late, timeout, task.cancel)
            self._cancel_timer = lambda: _call_in(runner.loop, handle.cancel)

    def _late(self, timeout: float, cancel: Callable[[], object]) -> None:
        if self.finish(lambda: self.reply.send(_LATE)):
            logger.warning(
                "no answer in %g s for %s %s",
                timeout,
                self.environ.get("REQUEST_METHOD"),
                self.environ.get("REQUEST_URI"),
            )
            cancel()

    # --- what it is ---

    def give(self, result: object) -> AsyncStream | None:
        """This is the answer. Returns an asynchronous stream, which is then to be run."""
        try:
            if isinstance(result, Mapping) and is_streamed(result.get("body")):
                return self.stream(result, in_task=True)
            normal = convert(result)
            self.finish(lambda: self.reply.send(normal))
        except Exception as error:
            self.fail(error)
        return None

    def stream(self, result: Mapping[Any, Any], in_task: bool = False) -> AsyncStream | None:
        """Send the pieces of the body as they come.

        Raises:
            TypeError, ValueError: Status or headers are wrong.
        """
        body: Any = result["body"]
        status, headers, length = head_of(result)
        if isinstance(body, EventStream) and length is None:
            self.events = body
            self.reply.start(status, headers, None, body.filler)
        else:
            self.reply.start(status, headers, length)
        if self._cancel_timer is not None:
            self._cancel_timer()  # it has begun
        empty = self.environ.get("REQUEST_METHOD") == "HEAD" or status in (204, 304)
        if hasattr(body, "__aiter__"):
            stream = AsyncStream(self, body, length, empty)
            if in_task:
                return stream
            self._cancelled_by(tasks.runner().start(stream.run()))
        else:
            sync = Stream(self, body, length, empty)
            self._cancelled_by(sync.leave)
            sync.begin()
        return None


def _call_in(loop: asyncio.AbstractEventLoop, func: Callable[[], object]) -> None:
    """Call a function on the thread of a loop: at once, if that is this one."""
    if tasks.running_loop() is loop:
        func()
        return
    with contextlib.suppress(RuntimeError):  # it was closed
        loop.call_soon_threadsafe(func)
