"""Callbacks while a prompt waits for input: Python's own, with and without readline, and IPython's.

Both prompts call a hook function while nothing is typed. The hook runs callbacks on the thread of
the prompt until there is input. So callbacks and typed lines never run at the same time. For
Python's own prompt the hook is in the core. Windows of a GUI toolkit stay alive meanwhile: at
Python's prompt :mod:`httpuv.dispatch.windows` handles their events, at IPython's prompt the hook
that ``%gui`` has installed.

A Qt application that is created after the server installs its own hook in place of ours. When a
request waits, the hook is installed again. Qt's loop returns with the next line, and the log says
so.
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

    busy = (
        "they are answered when the line that runs now has ended. A server started with"
        " dispatch='thread' answers meanwhile"
    )

    def __init__(self) -> None:
        super().__init__(queue.default())
        self._uninstall: Callable[[], object] | None = None
        self._repl: _Repl | None = None

    def start(self) -> None:
        """Install the hook."""
        shell = ipython.terminal()
        if shell is None:
            self._lend = True  # not in IPython, where Ctrl-C is for callbacks only
            self._repl = _Repl(self)
            self._uninstall = self._repl.uninstall
        else:
            self._uninstall = ipython.install(self, shell)

    def stop(self) -> None:
        """Remove the hook."""
        uninstall, self._uninstall = self._uninstall, None
        self._repl = None
        if uninstall is not None:
            uninstall()

    def unserved(self) -> tuple[str, bool]:
        """Say why the hook does not run, unless a typed line takes long (see ``busy``)."""
        repl = self._repl
        return (repl.displaced() if repl is not None else ""), False


_dispatcher: PromptDispatcher | None = None


def dispatcher() -> PromptDispatcher:
    """The dispatcher of the prompt; there is only one."""
    global _dispatcher
    if _dispatcher is None or _dispatcher.source is not queue.default():
        _dispatcher = PromptDispatcher()
    return _dispatcher


def available() -> bool:
    """Whether there is a prompt with a hook that can be used."""
    if threading.current_thread() is not threading.main_thread():
        return False
    if ipython.terminal() is not None:
        return True
    if ipython.is_kernel():
        return False  # a kernel runs an asyncio loop
    try:
        sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        return False
    return queue.interactive()


# --- Python's own prompt ------------------------------------------------------------------------


class _Repl:
    """The hook of Python's own prompt. All but displaced() run on the thread of the prompt."""

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
        """Install the hook again after a toolkit has installed its own. On any thread.

        Returns:
            The message for the user until the hook runs again.
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
            raise  # Ctrl-C while a callback ran: the prompt handles it
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

    The prompt calls the hook nevertheless. The hook must not wait then, because the descriptor has
    nothing more to read. Python has no interface for this.
    """
    prompt: Any = sys.modules.get("_pyrepl.readline")
    try:
        return bool(prompt._wrapper.reader.console.wait(0))
    except AttributeError:
        return False  # another prompt


# In a forked child: the descriptor belongs to the parent.
fork.in_child(_core.clear_input_hook)
