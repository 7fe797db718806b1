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
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from . import _core
from .dispatch import tasks
from .log import log_failure, logger
from .response import Normal, convert, head_of
from .streaming import AsyncStream, Stream, is_streamed

if TYPE_CHECKING:
    from .dispatch.queue import Dispatcher

_LATE: Normal = (
    503,
    [("Content-Type", "text/plain; charset=utf-8")],
    b"503 Service Unavailable\n",
)

_gone_lock = threading.Lock()


class Disconnected:
    """Whether the client of a request has gone: ``req["httpuv.disconnected"]``.

    Coroutine functions find it in every request; other callbacks in one that they answer with
    something to wait for or to iterate over, from their return on. True as an object once the
    client has gone; a client that will send no more counts as gone. May be used on any thread, and
    awaited in asyncio.
    """

    __slots__ = ("_gone", "_listeners")

    def __init__(self) -> None:
        self._gone = False
        self._listeners: list[Callable[[], object]] = []  # by _gone_lock

    def is_set(self) -> bool:
        """Whether the client has gone."""
        return self._gone

    __bool__ = is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the client has gone; False if so many seconds have passed before."""
        event = threading.Event()
        self._listen(event.set)
        try:
            return event.wait(timeout)
        finally:
            self._ignore(event.set)

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def resolve() -> None:
            if not future.done():
                future.set_result(None)

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed
                loop.call_soon_threadsafe(resolve)

        self._listen(wake)
        try:
            await future
        finally:
            self._ignore(wake)

    def _listen(self, func: Callable[[], object]) -> None:
        with _gone_lock:
            if not self._gone:
                self._listeners.append(func)
                return
        func()

    def _ignore(self, func: Callable[[], object]) -> None:
        with _gone_lock, contextlib.suppress(ValueError):
            self._listeners.remove(func)

    def _set(self) -> None:
        with _gone_lock:
            self._gone = True
            listeners, self._listeners = self._listeners, []
        for func in listeners:
            func()


class Answers:
    """The answers of one server that are being made.

    Args:
        source: Runs the server's callbacks.
        timeout: Seconds that an awaited answer may take to begin; beyond: 503. None: any time.
    """

    def __init__(self, source: Dispatcher, timeout: float | None) -> None:
        self.source = source
        self.timeout = timeout
        self.open: set[Answer] = set()

    def prepare(self, call: Callable[[dict[str, Any]], Any] | None) -> Any:
        """``call``; if it is a coroutine function, with requests that can tell of their clients."""
        if call is None or not (
            inspect.iscoroutinefunction(call)
            or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004
        ):
            return call

        def with_disconnected(req: dict[str, Any]) -> Any:
            req["httpuv.disconnected"] = Disconnected()
            return call(req)

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
        elif isinstance(result, concurrent.futures.Future):
            Answer(self, environ, reply).follow(result)
        elif inspect.isawaitable(result):
            Answer(self, environ, reply).wait_for(result)
        else:
            return convert(result)
        return None

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
        with _gone_lock:
            if self._over:
                return False
            self._over = True
        self.answers.open.discard(self)
        if self._cancel_timer is not None:
            self._cancel_timer()
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

    def follow(self, future: concurrent.futures.Future[Any]) -> None:
        """It is the result of a concurrent future."""
        if self.answers.timeout is not None:
            self._cancel_timer = self.answers.source.later(
                lambda: self._late(future.cancel), self.answers.timeout
            )
        self._cancel = future.cancel
        future.add_done_callback(self._done)

    def _done(self, future: concurrent.futures.Future[Any]) -> None:
        try:
            result = future.result()
        except BaseException as error:
            return self.fail(error)
        self.give(result)

    def wait_for(self, awaitable: Any) -> None:
        """It is what an awaitable gives, in an asyncio loop."""
        if isinstance(awaitable, asyncio.Future):
            runner = tasks.Runner(awaitable.get_loop())
        else:
            runner = tasks.runner()
        close = awaitable.close if inspect.iscoroutine(awaitable) else None
        self._cancelled_by(runner.start(self._wait(awaitable, runner), close))

    def _cancelled_by(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        if self._over and self.gone:
            cancel()  # it was lost in between

    async def _wait(self, awaitable: Any, runner: tasks.Runner) -> None:
        if self.answers.timeout is not None:
            task = asyncio.current_task()
            assert task is not None
            handle = runner.loop.call_later(self.answers.timeout, self._late, task.cancel)
            self._cancel_timer = lambda: runner.loop.call_soon_threadsafe(handle.cancel)
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

    def _late(self, cancel: Callable[[], object]) -> None:
        if self.finish(lambda: self.reply.send(_LATE)):
            logger.warning(
                "no answer in %g s for %s %s",
                self.answers.timeout,
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
