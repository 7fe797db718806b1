"""What a fork() does to this package: the only module that hooks it.

The core sees to its threads and descriptors by itself (``cpp/python/runtime/fork_guard.h``). This
is about the state of Python modules. In the child no other thread exists: locks that one of them
held are made anew, and modules forget what was the parent's.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_forgetting: list[Callable[[], object]] = []


def lock() -> AbstractContextManager[object]:
    """A lock that a forked child never finds locked by a thread that it does not have.

    It is reentrant, because a signal handler may call what the thread that it interrupts is in the
    middle of: what it guards must stand that. A handler never waits for its own thread.
    """
    made = threading.RLock()
    _locks.add(made)
    return made


def in_child(function: Callable[[], object]) -> None:
    """Have a function called in each forked child, after those that were given before."""
    _forgetting.append(function)


def _after_fork_in_child() -> None:
    made: Any
    for made in list(_locks):
        if not made._is_owned():  # by this thread, the only one: it goes on, and lets go of it
            made._at_fork_reinit()
    for forget in _forgetting:
        forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
