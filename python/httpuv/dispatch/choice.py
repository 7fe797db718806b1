"""From the value of ``dispatch=`` to a dispatcher."""

from __future__ import annotations

import sys

from ..base.checks import check_int
from . import queue
from .base import Dispatcher
from .threads import ThreadDispatcher


class ServiceDispatcher(Dispatcher):
    """Runs callbacks in ``service()``, ``runNow()`` and ``runServer()``, and nowhere else."""

    def unserved(self) -> tuple[str, bool]:
        """Say how to run callbacks, unless a thread runs them in its own asyncio loop."""
        if self.source.serves_in_loop():
            return "", False  # a coroutine is busy
        return (
            "call service(), runNow() or runServer() to run callbacks, or start the server with"
            " dispatch='thread'",
            False,
        )


def choose(dispatch: str | int | Dispatcher, coroutines: bool = False) -> Dispatcher:
    """Find the dispatcher for a server.

    Args:
        dispatch: A dispatcher, or ``"service"``, ``"asyncio"``, ``"thread"``, ``"prompt"``,
            ``"qt"``, ``"tk"`` or ``"auto"``, or a number of threads.
        coroutines: Whether all callbacks are coroutines. Then ``"auto"`` runs them where coroutines
            run, if no asyncio loop runs here.

    Raises:
        TypeError, ValueError: It is none of these.
        RuntimeError: ``"asyncio"`` without a running loop, or ``"qt"`` or ``"tk"`` without an
            application or root window.
    """
    if isinstance(dispatch, Dispatcher):
        return dispatch
    if isinstance(dispatch, int) and not isinstance(dispatch, bool):
        return ThreadDispatcher(check_int("dispatch", dispatch, 1, None))
    if not isinstance(dispatch, str):
        raise TypeError(
            "dispatch must be str, a number of threads or a Dispatcher,"
            f" not {type(dispatch).__name__}"
        )
    if dispatch == "auto":
        dispatch = _suitable()
        if coroutines and dispatch != "asyncio":
            from . import aio

            return aio.of_private_loop()
    if dispatch == "prompt":
        from . import prompt

        return prompt.dispatcher()
    if dispatch in ("qt", "tk"):
        from . import gui

        return gui.QtDispatcher() if dispatch == "qt" else gui.TkDispatcher()
    if dispatch == "service":
        return ServiceDispatcher(queue.default())
    if dispatch == "thread":
        return ThreadDispatcher()
    if dispatch == "asyncio":
        from . import aio

        return aio.of_running_loop()
    raise ValueError(
        "dispatch must be 'auto', 'service', 'asyncio', 'thread', 'prompt', 'qt', 'tk'"
        f" or a number of threads, not {dispatch!r}"
    )


def _suitable() -> str:
    """Prefer a running asyncio loop, then a prompt; otherwise the program calls service()."""
    shell = sys.modules.get("IPython")
    if shell is not None and hasattr(shell.get_ipython(), "pt_app"):
        return "prompt" if _at_prompt() else "service"  # its asyncio loop rests between inputs
    # A program that has not imported asyncio runs no loop; it is not imported for this check.
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            return "asyncio"
    return "prompt" if queue.interactive() and _at_prompt() else "service"


def _at_prompt() -> bool:
    from . import prompt

    return prompt.available()
