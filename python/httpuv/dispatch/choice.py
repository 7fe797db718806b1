"""The ``dispatch=`` of ``startServer``: from a name to a dispatcher."""

from __future__ import annotations

import sys

from . import queue
from .base import Dispatcher
from .threads import ThreadDispatcher


class ServiceDispatcher(Dispatcher):
    """Runs callbacks in ``service()``, ``runNow()`` and ``runServer()``, and nowhere else."""


def choose(dispatch: str | Dispatcher) -> Dispatcher:
    """Find the dispatcher for a server.

    Args:
        dispatch: A dispatcher, or ``"service"``, ``"asyncio"``, ``"thread"``, ``"auto"``.

    Raises:
        TypeError, ValueError: It is none of these.
        RuntimeError: ``"asyncio"``, and no loop is running here.
    """
    if isinstance(dispatch, Dispatcher):
        return dispatch
    if not isinstance(dispatch, str):
        raise TypeError(f"dispatch must be str or a Dispatcher, not {type(dispatch).__name__}")
    if dispatch == "auto":
        dispatch = _suitable()
    if dispatch == "service":
        return ServiceDispatcher(queue.default())
    if dispatch == "thread":
        return ThreadDispatcher()
    if dispatch == "asyncio":
        from . import aio

        return aio.of_running_loop()
    raise ValueError(f"dispatch must be 'auto', 'service', 'asyncio' or 'thread', not {dispatch!r}")


def _suitable() -> str:
    """A running asyncio loop is best; without one somebody calls service()."""
    # A program that has not imported asyncio runs no loop, and need not pay for the import.
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            return "asyncio"
    return "service"
