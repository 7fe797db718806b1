"""Callbacks while a prompt waits for input: Python's own, with and without readline, and IPython's.

Both call a function while nothing is typed. It stays until there is input, and runs what comes in
the meantime on the thread of the prompt; so callbacks and what is typed never run at once. For
Python's own prompt the core has that function. The windows of a GUI toolkit live meanwhile, too:
at Python's prompt they are looked after here (:mod:`httpuv.dispatch.windows`), at IPython's by the
hook that ``%gui`` has installed.

An application of Qt that is created after the server takes Python's hook for itself. The hook is
taken back when a request waits; Qt's loop leaves with the next line, and the log says so.
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
        self._repl: _Repl | None = None

    def start(self) -> None:
        """Have the prompt call."""
        shell = ipython.terminal()
        if shell is None:
            self._repl = _Repl(self)
            self._uninstall = self._repl.uninstall
        else:
            self._uninstall = ipython.install(self, shell)

    def stop(self) -> None:
        """Have it call no longer."""
        uninstall, self._uninstall = self._uninstall, None
        self._repl = None
        if uninstall is not None:
            uninstall()

    def unserved(self) -> tuple[str, bool]:
        """Say what keeps the prompt from calling; what is typed may take its time."""
        repl = self._repl
        return (repl.displaced() if repl is not None else ""), False


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


class _Repl:
    """The hook of Python's own prompt, on the thread of the prompt but for displaced()."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._displaced = ""
        if self._install() and not windows.known():
            logger.warning(
                "another package's hook of the prompt does not run until the servers stop"
                " (PyOS_InputHook): dispatch='thread' would leave it alone"
            )

    def _install(self) -> bool:
        return _core.set_input_hook(sys.stdin.fileno(), self._dispatcher.fileno(), self._run)

    def uninstall(self) -> None:
        _core.clear_input_hook()

    def displaced(self) -> str:
        """Take the hook back from a toolkit that has installed its own. On any thread.

        Returns:
            What the user is to be told, until the hook runs again.
        """
        if _core.input_hook_displaced():
            if windows.known():
                self._install()
                self._displaced = (
                    "the windows of a toolkit have taken Python's prompt: press Enter there, and"
                    " the prompt serves both"
                )
            else:
                self._displaced = (
                    "another package has taken the hook of Python's prompt (PyOS_InputHook): call"
                    " service(), or start the server with dispatch='thread'"
                )
        return self._displaced

    def _run(self) -> float | None:
        self._displaced = ""
        try:
            self._dispatcher.run()
            shown = windows.update()
        except KeyboardInterrupt:
            raise  # Ctrl-C while a callback ran: the prompt's
        except BaseException as error:
            log_failure("a callback", None, error)
            shown = False
        if _typed_ahead():
            return -1.0
        due = self._dispatcher.timeout()
        if not shown:
            return due
        return windows.PERIOD if due is None else min(due, windows.PERIOD)


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
