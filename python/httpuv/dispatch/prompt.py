"""Callbacks while a prompt waits for input: Python's own, with and without readline, and IPython's.

Both call a function while nothing is typed. It stays until there is input, and runs what comes in
the meantime on the thread of the prompt; so callbacks and what is typed never run at once. For
Python's own prompt the core has that function. The windows of a GUI toolkit live meanwhile, too:
at Python's prompt they are looked after here (:mod:`httpuv.dispatch.windows`), at IPython's by the
hook that ``%gui`` has installed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from .. import _core
from ..base import fork
from ..base.log import log_failure, logger
from . import ipython, queue, windows
from .base import Dispatcher


class PromptDispatcher(Dispatcher):
    """Runs callbacks at the prompt, and in ``service()``."""

    def __init__(self) -> None:
        super().__init__(queue.default())
        self._uninstall: Callable[[], object] | None = None

    watched = False  # what is typed may take its time

    def start(self) -> None:
        """Have the prompt call."""
        shell = ipython.terminal()
        self._uninstall = _into_repl(self) if shell is None else ipython.install(self, shell)

    def stop(self) -> None:
        """Have it call no longer."""
        uninstall, self._uninstall = self._uninstall, None
        if uninstall is not None:
            uninstall()


_dispatcher: PromptDispatcher | None = None


def dispatcher() -> PromptDispatcher:
    """The dispatcher of the prompt; there is one."""
    global _dispatcher
    if _dispatcher is None or _dispatcher.source is not queue.default():
        _dispatcher = PromptDispatcher()
    return _dispatcher


def available() -> bool:
    """Whether there is a prompt whose idle time can be used."""
    if threading.current_thread() is not threading.main_thread():
        return False
    if ipython.terminal() is not None:
        return True
    if ipython.is_kernel():
        return False  # its loop is asyncio's
    try:
        sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return False
    return queue.interactive()


# --- Python's own prompt ------------------------------------------------------------------------


def _into_repl(dispatcher: PromptDispatcher) -> Callable[[], object]:
    def run() -> float | None:
        try:
            dispatcher.run()
            shown = windows.update()
        except KeyboardInterrupt:
            raise  # Ctrl-C while a callback ran: the prompt's
        except BaseException as error:
            log_failure("a callback", None, error)
            shown = False
        if _typed_ahead():
            return -1.0
        due = dispatcher.timeout()
        if not shown:
            return due
        return windows.PERIOD if due is None else min(due, windows.PERIOD)

    if _core.set_input_hook(sys.stdin.fileno(), dispatcher.fileno(), run) and not windows.known():
        logger.warning(
            "another package's hook of the prompt does not run until the servers stop"
            " (PyOS_InputHook): dispatch='thread' would leave it alone"
        )
    return _core.clear_input_hook


def _typed_ahead() -> bool:
    """Whether the prompt of Python 3.13 has read keys that it has not used.

    It calls the hook all the same, which must not wait then: the descriptor has nothing more to
    read. No interface tells.
    """
    prompt: Any = sys.modules.get("_pyrepl.readline")
    try:
        return bool(prompt._wrapper.reader.console.wait(0))
    except AttributeError:
        return False  # another prompt


# The descriptor is the parent's.
fork.in_child(_core.clear_input_hook)
