"""Awaitables that callbacks return: the asyncio loops that run them."""

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

#: Seconds that the interpreter's exit waits for cancelled coroutines.
_EXIT_PATIENCE = 0.5

# A loop holds its tasks by weak references only.
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
    """Whether an object, or its ``__call__``, is a coroutine function."""
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(
        getattr(func, "__call__", None)  # noqa: B004
    )


def coroutine_of(result: object) -> Coroutine[Any, Any, Any] | None:
    """A callback's result as a coroutine to run; None if the result is not an awaitable.

    Awaitables are coroutines, generators of ``types.coroutine``, futures of asyncio and of
    ``concurrent``, and every object with ``__await__``.
    """
    if inspect.iscoroutine(result):
        return result
    if isinstance(result, concurrent.futures.Future):
        return _result_of_future(result)
    return result_of(result) if inspect.isawaitable(result) else None


async def result_of(awaitable: Awaitable[Any]) -> Any:
    """A coroutine that returns the result of an awaitable."""
    return await awaitable


async def _result_of_future(future: concurrent.futures.Future[Any]) -> Any:
    return await asyncio.wrap_future(future)


def refuse(where: str, result: object) -> None:
    """Reject an awaitable result of a callback that must be a plain function.

    Raises:
        TypeError: The result is an awaitable; it was closed or cancelled.
    """
    if result is None or (coroutine := coroutine_of(result)) is None:
        return
    coroutine.close()
    if coroutine is not result and callable(cancel := getattr(result, "cancel", None)):
        cancel()
    raise TypeError(f"{where} must be a plain function: it returned {type(result).__name__}")


class Runner:
    """Runs functions and coroutines of any thread in an asyncio loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        # Each function with the context of its caller, which its tasks inherit.
        self._inbox: deque[tuple[contextvars.Context, Callable[[], None]]] = deque()
        self._told = False  # the loop is scheduled to read the inbox

    def call(self, func: Callable[[], None]) -> None:
        """Call a function in the loop; at once if the loop runs here. It must not raise.

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
        """Run a coroutine; return a function that cancels it on any thread.

        Since Python 3.12, a coroutine starts at once if the loop runs on this thread.

        Args:
            coroutine: Logs its own exceptions.
            at_end: Called in the loop when the coroutine has ended, even if it never started.

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
            if self._inbox:  # a function has raised SystemExit or KeyboardInterrupt
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
            except BaseException:  # SystemExit or KeyboardInterrupt in the first step
                self.drop()
                raise
        else:
            self.task = loop.create_task(self.coroutine)
        if not self.task.done():
            keep(self.task)
        # If the task is done already, this runs after the first steps of the tasks that it started.
        self.task.add_done_callback(self._ended)

    def cancel(self) -> None:
        if self.task is None:
            return
        if inspect.getcoroutinestate(self.coroutine) == inspect.CORO_CREATED:
            # The coroutine starts first, so that it can clean up its resources.
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
    """The asyncio loop that runs on this thread; None: there is none."""
    return asyncio._get_running_loop()  # unlike get_running_loop(), it raises no exception


# --- the private loop ---------------------------------------------------------------------------


class _Private(Runner):
    """A loop on a daemon thread, for callbacks on threads without a loop."""

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
                # asyncio raises SystemExit and KeyboardInterrupt here.
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
# Loops that a forked child has inherited. Their descriptors are the parent's, so they stay open.
_inherited: list[_Private] = []


def callback_loop(apart: bool) -> asyncio.AbstractEventLoop | None:
    """The loop that runs here, if coroutines of callbacks run in it.

    Args:
        apart: Whether coroutines run on a separate thread unless the program runs a loop here.
    """
    loop = running_loop()
    return None if loop is not None and apart and own_loop.is_own(loop) else loop


def runner(apart: bool = False) -> Runner:
    """The runner for a coroutine that a callback on this thread returned.

    It uses the asyncio loop that runs here, or a private loop on a separate thread.
    """
    loop = callback_loop(apart)
    return Runner(loop) if loop is not None else private()


def private() -> Runner:
    """The shared runner of the private loop, which has its own thread."""
    global _private
    with _private_lock:
        if _private is None:
            made = _Private()
            if _private is None:
                _private = made
            else:  # a signal handler has created it meanwhile
                made.close()
        return _private


def close() -> None:
    """Cancel the tasks of the private loop, because the interpreter ends."""
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
