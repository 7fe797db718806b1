"""Callbacks while a prompt waits for input: Python's own, with and without readline, and IPython's.

Both call a function while nothing is typed. It stays until there is input, and runs what comes in
the meantime on the thread of the prompt; so callbacks and what is typed never run at once. For
Python's own prompt the core has that function.
"""

from __future__ import annotations

import importlib
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Any

from .. import _core
from ..log import log_failure
from . import queue
from .base import Dispatcher


class PromptDispatcher(Dispatcher):
    """Runs callbacks at the prompt, and in ``service()``."""

    def __init__(self) -> None:
        super().__init__(queue.default())
        self._uninstall: Callable[[], object] | None = None

    watched = False  # what is typed may take its time

    def start(self) -> None:
        """Have the prompt call."""
        shell = _ipython()
        self._uninstall = _into_ipython(self, shell) if shell is not None else _into_repl(self)

    def stop(self) -> None:
        """Have it not."""
        uninstall, self._uninstall = self._uninstall, None
        if uninstall is not None:
            uninstall()

    def run_until_readable(self, fd: int) -> None:
        """Run callbacks until there is input."""
        while True:
            ready, _, _ = select.select([fd, self.fileno()], [], [], self.timeout())
            if fd in ready:
                return
            self.run()


_dispatcher: PromptDispatcher | None = None


def dispatcher() -> PromptDispatcher:
    """The dispatcher of the prompt; there is one."""
    global _dispatcher
    if _dispatcher is None or _dispatcher.source is not queue.default():
        _dispatcher = PromptDispatcher()
    return _dispatcher


# --- Python's own prompt ------------------------------------------------------------------------


def _into_repl(dispatcher: PromptDispatcher) -> Callable[[], object]:
    def run() -> float | None:
        try:
            dispatcher.run()
        except KeyboardInterrupt:
            raise  # Ctrl-C while a callback ran: the prompt's
        except BaseException as error:
            log_failure("a callback", None, error)
        return -1.0 if _typed_ahead() else dispatcher.timeout()

    _core.set_input_hook(sys.stdin.fileno(), dispatcher.fileno(), run)
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
os.register_at_fork(after_in_child=_core.clear_input_hook)


# --- IPython's ----------------------------------------------------------------------------------


def _ipython() -> Any:
    """The IPython shell of this terminal, if there is one with a prompt of its own.

    Its simple prompt is Python's input().
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if getattr(shell, "pt_app", None) is not None else None


def available() -> bool:
    """Whether there is a prompt whose idle time can be used."""
    if threading.current_thread() is not threading.main_thread():
        return False
    if _ipython() is not None:
        return True
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and not hasattr(shell, "pt_app"):
        return False  # a kernel: its loop is asyncio's
    try:
        sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return False
    return queue.interactive()


def _into_ipython(dispatcher: PromptDispatcher, shell: Any) -> Callable[[], object]:
    pt_inputhooks: Any = importlib.import_module("IPython.terminal.pt_inputhooks")

    def hook(context: Any) -> None:
        dispatcher.run_until_readable(context.fileno())

    before = shell.active_eventloop
    pt_inputhooks.register("httpuv", hook)
    shell.enable_gui("httpuv")

    def uninstall() -> None:
        if shell.active_eventloop == "httpuv":
            shell.enable_gui(before)

    return uninstall
