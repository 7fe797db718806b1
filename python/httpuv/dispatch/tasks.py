"""Awaitables that callbacks return: which asyncio loop runs them, and how they get there."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import inspect
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ..base import fork
from ..base.log import log_failure
from . import own_loop

#: How long the interpreter's exit waits for coroutines that were cancelled, in seconds.
_EXIT_PATIENCE = 0.5

# The loop itself holds tasks by weak references only.
_tasks: set[asyncio.Future[Any]] = set()


def keep(task: asyncio.Future[Any]) -> None:
    """Keep a task until it is done."""
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def resolve_soon(future: asyncio.Future[None]) -> None:
    """Resolve a future from any thread; do nothing if its loop was closed."""
    loop = future.get_loop()
    if running_loop() is loop:
        return _resolve(future)
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_resolve, future)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def is_async_function(func: object) -> bool:
    """Whether calling an object surely returns a coroutine: of it, or of its ``__call__``."""
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(
        getattr(func, "__call__", None)  # noqa: B004
    )


def coroutine_of(result: object) -> Coroutine[Any, Any, Any] | None:
    """What a callback returned, as a coroutine to run; None if it is nothing to wait for.

    Coroutines, generators of ``types.coroutine``, futures of asyncio and of ``concurrent``, and
    every object with ``__await__``.
    """
    if inspect.iscoroutine(result):
        return result
    if isinstance(result, concurrent.futures.Future):
        return _result_of_future(result)
    return result_of(result) if inspect.isawaitable(result) else None


async def result_of(awaitable: Awaitable[Any]) -> Any:
    """What an awaitable gives, as a coroutine."""
    return await awaitable


async def _result_of_future(future: concurrent.futures.Future[Any]) -> Any:
    return await asyncio.wrap_future(future)


def refuse(where: str, result: object) -> None:
    """For a callback that must be a plain function.

    Raises:
        TypeError: It returned something to wait for, which is closed or cancelled.
    """
    if result is None or (coroutine := coroutine_of(result)) is None:
        return
    coroutine.close()
    if coroutine is not result and callable(cancel := getattr(result, "cancel", None)):
        cancel()
    raise TypeError(f"{where} must be a plain function: it returned {type(result).__name__}")


class Runner:
    """Has functions and coroutines run in an asyncio loop; from any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        # Each with the context of its caller, which the tasks that it starts inherit.
        self._inbox: deque[tuple[contextvars.Context, Callable[[], None]]] = deque()
        self._told = False  # the loop will look into the inbox

    def call(self, func: Callable[[], None]) -> None:
        """Call a function in the loop: at once, if that is running here. It must not raise.

        Raises:
            RuntimeError: The loop was closed.
        """
        if running_loop() is self.loop:
            return func()
        self._inbox.append((contextvars.copy_context(), func))
        if not self._told:
            self._told = True
            try:
                self.loop.call_soon_threadsafe(self._look)
            except RuntimeError:
                self._inbox.clear()
                raise

    def start(
        self,
        coroutine: Coroutine[Any, Any, None],
        at_end: Callable[[], object] | None = None,
    ) -> Callable[[], None]:
        """Run a coroutine; return a function that cancels it, to be called on any thread.

        Where Python can (3.12), a coroutine for the loop that is running here begins at once.

        Args:
            coroutine: Logs its own exceptions.
            at_end: Called in the loop when it has ended, even if it never began.

        Raises:
            RuntimeError: The loop was closed.
        """
        job = _Job(coroutine, at_end)
        try:
            self.call(lambda: job.begin(self.loop))
        except RuntimeError:
            job.drop()
            raise
        return lambda: self._cancel(job)

    def _look(self) -> None:
        self._told = False
        try:
            while self._inbox:
                context, func = self._inbox.popleft()
                context.run(func)
        finally:
            if self._inbox:  # one has raised SystemExit or its like
                self.loop.call_soon(self._look)

    def _cancel(self, job: _Job) -> None:
        with contextlib.suppress(RuntimeError):  # it was closed
            self.call(job.cancel)


class _Job:
    __slots__ = ("at_end", "coroutine", "task")

    def __init__(
        self, coroutine: Coroutine[Any, Any, None], at_end: Callable[[], object] | None
    ) -> None:
        self.coroutine = coroutine
        self.at_end = at_end
        self.task: asyncio.Task[None] | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if sys.version_info >= (3, 12):
            try:
                self.task = asyncio.Task(self.coroutine, loop=loop, eager_start=True)
            except BaseException:  # SystemExit and its like, in its first step
                self.drop()
                raise
        else:
            self.task = loop.create_task(self.coroutine)
        if not self.task.done():
            keep(self.task)
        # If it is done already, this comes behind the first steps of the tasks that it started.
        self.task.add_done_callback(self._ended)

    def cancel(self) -> None:
        if self.task is None:
            return
        if inspect.getcoroutinestate(self.coroutine) == inspect.CORO_CREATED:
            # It begins before, as it has where that is at once: it cleans up what it holds.
            self.task.get_loop().call_soon(self.task.cancel)
        else:
            self.task.cancel()

    def drop(self) -> None:
        self.coroutine.close()
        if self.at_end is not None:
            self.at_end()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self.at_end is not None:
            self.at_end()
        if not task.cancelled() and (error := task.exception()) is not None:
            log_failure("a coroutine", None, error)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The asyncio loop that is running on this thread."""
    return asyncio._get_running_loop()  # without the exception that its better known kin raises


# --- the private loop ---------------------------------------------------------------------------


class _Private(Runner):
    """A loop on a daemon thread, for callbacks that run where there is none."""

    def __init__(self) -> None:
        super().__init__(asyncio.new_event_loop())
        self._closing = False
        self.thread = threading.Thread(target=self._run, name="httpuv asyncio", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._closing:
            try:
                self.loop.run_forever()
            except BaseException as error:
                # SystemExit and its like, which asyncio raises here.
                log_failure("a coroutine", None, error)
        self._look()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left, timeout=_EXIT_PATIENCE))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def close(self) -> None:
        self._closing = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(2 * _EXIT_PATIENCE)


_private: _Private | None = None
_private_lock = fork.lock()
# What a forked child inherited: its descriptors are the parent's, so it is not even closed.
_inherited: list[_Private] = []


def callback_loop(apart: bool) -> asyncio.AbstractEventLoop | None:
    """The loop that runs here, if coroutines of callbacks are to run in it.

    Args:
        apart: Whether they run on a thread of their own, unless the program runs a loop here.
    """
    loop = running_loop()
    return None if loop is not None and apart and own_loop.is_own(loop) else loop


def runner(apart: bool = False) -> Runner:
    """Who runs a coroutine that a callback on this thread returned.

    The asyncio loop that is running here, or else a private one on a thread of its own.
    """
    loop = callback_loop(apart)
    return Runner(loop) if loop is not None else private()


def private() -> Runner:
    """The runner of a loop on a thread of its own; all that need one share it."""
    global _private
    with _private_lock:
        if _private is None:
            made = _Private()
            if _private is None:
                _private = made
            else:  # a signal handler was here meanwhile
                made.close()
        return _private


def close() -> None:
    """The interpreter ends: cancel what the private loop runs."""
    global _private
    private, _private = _private, None
    if private is not None:
        private.close()
    own_loop.close()


def _after_fork_in_child() -> None:
    global _private
    if _private is not None:
        _inherited.append(_private)
        _private = None


fork.in_child(_after_fork_in_child)
