"""The functions of the manual that run callbacks, end such a loop, or call a function later."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import EllipsisType

from . import queue


def service(timeoutMs: float | EllipsisType | None = ...) -> None:
    """Run callbacks (requests, WebSocket messages, timers) for about this time.

    Args:
        timeoutMs: Milliseconds to run before returning. The default is 100 at a prompt and 1000
            otherwise. 0 or :data:`math.inf`: return only after :func:`interrupt`. None or
            :data:`math.nan` (R's NA): run the callbacks that wait now, and return.

    Raises:
        TypeError, ValueError: ``timeoutMs`` is no number, or negative.
        KeyboardInterrupt: Ctrl-C was pressed; it is raised within 100 ms. An :class:`Exception` of
            a callback is logged and not raised.

    Source: manual page *service*.
    """
    if timeoutMs is ...:
        timeoutMs = 100 if queue.interactive() else 1000
    elif timeoutMs is None:
        timeoutMs = math.nan
    milliseconds = _check_number("timeoutMs", timeoutMs)
    if math.isnan(milliseconds):
        queue.here().run_now(0.0, True)
    elif milliseconds < 0:
        raise ValueError(f"timeoutMs must not be negative: {timeoutMs!r}")
    elif milliseconds in (0, math.inf):
        queue.here().serve(None)
    else:
        queue.here().serve(milliseconds / 1000)


def interrupt() -> None:
    """End the running loop: ``service`` or ``runServer`` returns to its caller.

    It returns when the current callback has returned. No further callback runs before the next
    call. If no loop is running, nothing happens. May be called on any thread.

    Source: manual page *interrupt*.
    """
    queue.here().interrupt()


def later(func: Callable[[], object], delaySecs: float = 0) -> Callable[[], bool]:
    """Call a function later, on the thread that runs the callbacks.

    Its exceptions are logged. If it returns a coroutine or another awaitable, that runs as a task
    in asyncio. Functions run in the order of their times; functions with equal times run in the
    order of these calls. No server is needed. May be called on any thread.

    Args:
        func: Called without arguments.
        delaySecs: Seconds from now. The call may be later, but not earlier.

    Returns:
        A function that cancels the call. It returns True if it did so, and False if ``func`` has
        run or was cancelled before.

    Raises:
        TypeError, ValueError: ``func`` cannot be called, or ``delaySecs`` is no finite number.

    Source: package *later*, function ``later``, as the manual page *startServer* uses it.
    """
    if not callable(func):
        raise TypeError(f"func must be callable, not {type(func).__name__}")
    seconds = _check_number("delaySecs", delaySecs)
    if not math.isfinite(seconds):
        raise ValueError(f"delaySecs must be finite, not {delaySecs!r}")
    return queue.here().later(func, max(0.0, seconds))


def runNow(timeoutSecs: float = 0, all: bool = True) -> bool:
    """Run the callbacks that are ready, waiting for one if there is none.

    Args:
        timeoutSecs: Seconds to wait if no callback is ready. Negative or :data:`math.inf`: for
            ever.
        all: Whether to run all ready callbacks, or one at most.

    Returns:
        Whether any ran.

    Raises:
        TypeError, ValueError: ``timeoutSecs`` is no number.
        KeyboardInterrupt: As for :func:`service`.

    Source: package *later*, function ``run_now``, as the manual page *service* uses it.
    """
    seconds = _check_number("timeoutSecs", timeoutSecs)
    if math.isnan(seconds):
        raise ValueError("timeoutSecs must not be nan")
    return queue.here().run_now(None if seconds < 0 or seconds == math.inf else seconds, bool(all))


def _check_number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {value!r}")
    return float(value)
