"""Coroutines that begin before their task has its turn: one that never waits costs no turn at all.

Since 3.12 asyncio can do this by itself (``eager_start``). Before, the first step is taken here, in
the name of a task that goes on with the second.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
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
    begun = _Begun(coroutine)
    return begun.begin(loop, loop.create_task(begun))


class _Begun(Coroutine[Any, Any, Any]):
    """What the task runs: a coroutine whose first step has been taken."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        # The task has made its own copy already, which would lack what the first step sets.
        self._context = contextvars.copy_context()
        self._first = True  # the task has not heard of the first step
        self._yielded: Any = None
        self._error: BaseException | None = None
        self._finished = False
        self.__name__ = getattr(coroutine, "__name__", type(coroutine).__name__)
        self.__qualname__ = getattr(coroutine, "__qualname__", self.__name__)

    def begin(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> Any:
        # What a task of one's own is to do around a step: "Extending asyncio" in its manual.
        outer = asyncio.current_task(loop)
        if outer is not None:
            asyncio.tasks._leave_task(loop, outer)
        asyncio.tasks._enter_task(loop, task)
        try:
            self._yielded = self._context.run(self._coroutine.send, None)
        except StopIteration as stop:
            self._finished = True
            return stop.value
        except asyncio.CancelledError as error:
            self._error = error  # it is the task that is cancelled
        except BaseException:
            self._finished = True
            raise
        finally:
            asyncio.tasks._leave_task(loop, task)
            if outer is not None:
                asyncio.tasks._enter_task(loop, outer)
        return task

    def send(self, value: Any) -> Any:
        if self._finished:
            raise StopIteration(None)
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
        self._coroutine.close()

    def __await__(self) -> Any:
        raise TypeError("only a task can go on with this coroutine")
