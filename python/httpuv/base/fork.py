"""The package's hooks for fork(); no other module installs any.

The core handles its own threads and descriptors (``cpp/python/runtime/fork_guard.h``). This module
handles the state of Python modules. The child has one thread only: locks that another thread held
are created again, and modules drop what belongs to the parent.
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
    """A lock that a forked child never finds locked by a thread of the parent.

    It is reentrant, because a signal handler may interrupt its holder and take it again on the same
    thread. The guarded code must allow that.
    """
    made = threading.RLock()
    _locks.add(made)
    return made


def in_child(function: Callable[[], object]) -> None:
    """Register a function to call in each forked child, after those registered before."""
    _forgetting.append(function)


def _after_fork_in_child() -> None:
    made: Any
    for made in list(_locks):
        if not made._is_owned():  # this thread, the only one, releases its own locks itself
            made._at_fork_reinit()
    for forget in _forgetting:
        forget()


os.register_at_fork(after_in_child=_after_fork_in_child)
