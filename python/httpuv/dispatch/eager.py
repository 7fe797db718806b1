"""Coroutines that begin before their task has its turn: one that never waits costs no turn at all.

The core takes the first step (cpp/python/coroutine): since 3.12 by ``eager_start`` of asyncio,
before by a task in reserve, which is used up only by a coroutine that waits or that has left a
trace on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from .. import _core


def run(coroutine: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> Any:
    """Begin a coroutine in the loop that is running here.

    Returns:
        What it returned, or if it waits, its task.

    Raises:
        BaseException: What it raised before it ever waited.
    """
    return _core.begin_coroutine(coroutine, loop)
