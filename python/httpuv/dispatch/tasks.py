"""Coroutines that callbacks return."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

# The loop itself would forget a task that nobody waits for.
_tasks: set[asyncio.Task[None]] = set()


def start(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine as a task of the asyncio loop that is running here.

    Raises:
        RuntimeError: None is.
    """
    import asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "a callback is a coroutine function, and no asyncio loop runs the callbacks"
        ) from None
    task = loop.create_task(coroutine)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
