"""Coroutines that begin before their task has its turn: one that never waits costs no turn at all.

Since 3.12 asyncio can do this by itself (``eager_start``). Before, the first step is taken here, in
the name of a task that goes on with the second. Making a task costs more than most first steps: so
there is one in reserve for each loop, which is used up only by a coroutine that waits, or that has
left a trace on it. While it is in reserve nothing knows of it.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import weakref
from collections.abc import Coroutine
from types import TracebackType
from typing import Any


def run(coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> Any:
    """Begin a coroutine in the loop that is running here.

    Returns:
        What it returned, or if it waits, its task.

    Raises:
        BaseException: What it raised before it ever waited.
    """
    if sys.version_info >= (3, 12):
        task = asyncio.Task(coroutine, loop=loop, eager_start=True)
        return task.result() if task.done() and not task.cancelled() else task
    begun, task = _take_reserve(loop)
    return begun.begin(coroutine, loop, task)


# The tasks in reserve. A task knows its loop, so held by the loop's entry both would stay for ever;
# what a task waits for holds it, until the garbage collector finds both.
_reserves: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[asyncio.Task[Any]]] = (
    weakref.WeakKeyDictionary()
)


def _take_reserve(loop: asyncio.AbstractEventLoop) -> tuple[_Begun, asyncio.Task[Any]]:
    known = _reserves.pop(loop, None)
    task = known() if known is not None else None
    if task is not None and not task.done():
        begun: Any = task.get_coro()
        return begun, task
    begun = _Begun(loop)
    # In an empty context: it would hold the variables of whoever came first.
    task = contextvars.Context().run(asyncio.Task, begun, loop=loop)
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    asyncio.tasks._unregister_task(task)
    return begun, task


class _Begun(Coroutine[Any, Any, Any]):
    """What the task runs: a coroutine whose first step has been taken, or none yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self._context: contextvars.Context | None = None
        self._parked: asyncio.Future[None] | None = None  # what the task waits for in reserve
        self._first = True  # the task has not heard of the first step
        self._yielded: Any = None
        self._error: BaseException | None = None
        self._finished = False
        self.__name__ = self.__qualname__ = "in reserve"

    def begin(
        self,
        coroutine: Coroutine[Any, Any, Any],
        loop: asyncio.AbstractEventLoop,
        task: asyncio.Task[Any],
    ) -> Any:
        self._coroutine = coroutine
        context = self._context = contextvars.copy_context()
        self.__name__ = getattr(coroutine, "__name__", type(coroutine).__name__)
        self.__qualname__ = getattr(coroutine, "__qualname__", self.__name__)
        known = sys.getrefcount(task), weakref.getweakrefcount(task), task.get_name()
        ended = False
        value: Any = None
        failure: BaseException | None = None
        # What a task of one's own is to do around a step: "Extending asyncio" in its manual.
        outer = asyncio.current_task(loop)
        if outer is not None:
            asyncio.tasks._leave_task(loop, outer)
        asyncio.tasks._enter_task(loop, task)
        try:
            self._yielded = context.run(coroutine.send, None)
        except StopIteration as stop:
            ended, value = True, stop.value
        except asyncio.CancelledError as error:
            self._error = error  # it is the task that is cancelled
        except BaseException as error:
            ended, failure = True, error
        finally:
            asyncio.tasks._leave_task(loop, task)
            if outer is not None:
                asyncio.tasks._enter_task(loop, outer)
        if not ended:
            task._log_destroy_pending = True  # type: ignore[attr-defined]
            asyncio.tasks._register_task(task)
            self._go_on()
            return task
        # It has ended in its first step. If that has left no trace on the task, that is as new.
        self._coroutine = self._context = None
        if (
            (sys.getrefcount(task), weakref.getweakrefcount(task), task.get_name()) == known
            and task._callbacks is None
            and not task._must_cancel
            and not (self._parked is not None and self._parked.done())
        ):
            _reserves[loop] = weakref.ref(task)
        else:
            self._finished = True
            self._go_on()
        if failure is None:
            return value
        try:
            raise failure
        finally:
            del failure  # which refers to this frame

    def _go_on(self) -> None:
        if self._parked is not None and not self._parked.done():
            self._parked.set_result(None)

    def send(self, value: Any) -> Any:
        if self._finished:
            raise StopIteration(None)
        if self._coroutine is None:
            parked = self._parked = self._loop.create_future()
            parked._asyncio_future_blocking = True
            return parked
        assert self._context is not None
        if self._error is not None:
            raise self._error
        if self._first:
            self._first = False
            return self._yielded
        return self._context.run(self._coroutine.send, value)

    def throw(self, kind: Any, value: Any = None, trace: TracebackType | None = None, /) -> Any:
        error: BaseException = kind if isinstance(kind, BaseException) else value or kind()
        if self._finished:
            raise StopIteration(None)
        if self._coroutine is None:  # cancelled in reserve
            self._finished = True
            raise error
        assert self._context is not None
        if self._error is not None:
            raise self._error
        if self._first:
            self._first = False
            # Cancelled before the task knew what it waits for: that is cancelled, as it would be.
            if (
                isinstance(error, asyncio.CancelledError)
                and self._yielded is not None
                and self._yielded.cancel()
            ):
                return self._yielded
        return self._context.run(self._coroutine.throw, error)

    def close(self) -> None:
        if self._coroutine is not None:
            self._coroutine.close()

    def __await__(self) -> Any:
        raise TypeError("only a task can go on with this coroutine")
