"""Coroutines that start at once: a coroutine that never waits needs no iteration of the loop.

The core runs the first step (cpp/python/coroutine). Since Python 3.12 it uses ``eager_start`` of
asyncio. Before, it uses a task in reserve, which can be reused unless the coroutine waits or has
left a trace on the task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from .. import _core


def run(coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> Any:
    """Start a coroutine in the loop that runs on this thread.

    Returns:
        The coroutine's result, or its task if it waits.

    Raises:
        BaseException: The coroutine raised it before it waited for the first time.
    """
    return _core.begin_coroutine(coroutine, loop)
