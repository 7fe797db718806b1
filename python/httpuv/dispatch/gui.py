"""Callbacks in the loop of a GUI toolkit: ``dispatch="qt"`` and ``dispatch="tk"``."""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from typing import Any

from . import queue
from .base import Dispatcher

#: The bindings of Qt, in the order of preference; one that the program has imported comes first.
_BINDINGS = ("PySide6", "PyQt6", "PyQt5", "PySide2")


class _GuiDispatcher(Dispatcher):
    """The common part: a stop on another thread only asks the GUI thread to end."""

    def __init__(self) -> None:
        super().__init__()
        self._ident = threading.get_ident()
        self._watching = False

    def start(self) -> None:
        """Add the queue's descriptor to the toolkit's loop."""
        if threading.get_ident() != self._ident:
            raise RuntimeError("dispatch: a server must be started on the toolkit's thread")
        self.source.active = True
        queue.adopt(self.source)
        if not self._watching:
            self._watch()
            self._watching = True
        self._ready()

    def stop(self) -> None:
        """Remove the descriptor from the toolkit's loop."""
        if threading.get_ident() == self._ident:
            self._end()
        else:
            self.source.wake()  # the GUI thread then finds no servers

    def blocked_by(self, thread: int) -> bool:
        """Whether the thread is the toolkit's."""
        return thread == self._ident

    def unserved(self) -> tuple[str, bool]:
        """Say which call runs callbacks."""
        return "the toolkit's loop runs them: app.exec() or root.mainloop()", False

    def _ready(self, *_: object) -> None:
        try:
            self.run()
        finally:
            if self._servers > 0:
                self._set_timer(self.timeout())
            else:
                self._end()

    def _end(self) -> None:
        if self._watching:
            self._watching = False
            self.source.active = False
            self._unwatch()
            self.run_rest()

    def _watch(self) -> None:
        raise NotImplementedError

    def _unwatch(self) -> None:
        raise NotImplementedError

    def _set_timer(self, seconds: float | None) -> None:
        raise NotImplementedError


class QtDispatcher(_GuiDispatcher):
    """Runs callbacks in the loop of Qt: of PySide6, PyQt6 or an older binding.

    Raises:
        RuntimeError: There is no Qt, no QCoreApplication yet, or it belongs to another thread.
    """

    def __init__(self) -> None:
        self._core = _qt_core()
        application = self._core.QCoreApplication.instance()
        if application is None:
            raise RuntimeError("dispatch='qt' needs a QApplication: create one before the server")
        if application.thread() != self._core.QThread.currentThread():
            raise RuntimeError("dispatch='qt': the QApplication is another thread's")
        super().__init__()

    def _watch(self) -> None:
        kind = self._core.QSocketNotifier
        self._notifier = kind(self.fileno(), getattr(kind, "Type", kind).Read)
        self._notifier.activated.connect(self._ready)
        self._timer = self._core.QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._ready)

    def _unwatch(self) -> None:
        self._notifier.setEnabled(False)
        self._timer.stop()

    def _set_timer(self, seconds: float | None) -> None:
        if seconds is None:
            self._timer.stop()
        else:
            self._timer.start(int(seconds * 1000) + 1)


class TkDispatcher(_GuiDispatcher):
    """Runs callbacks in the loop of tkinter's root window.

    Raises:
        RuntimeError: There is no root window yet.
    """

    def __init__(self) -> None:
        tkinter: Any = sys.modules.get("tkinter")
        root: Any = getattr(tkinter, "_default_root", None)
        if root is None:
            raise RuntimeError("dispatch='tk' needs tkinter.Tk(): create it before the server")
        self._root = root
        self._error = tkinter.TclError
        self._alarm: str | None = None
        super().__init__()

    def _watch(self) -> None:
        self._root.tk.createfilehandler(self.fileno(), 2, self._ready)  # TCL_READABLE

    def _unwatch(self) -> None:
        with contextlib.suppress(self._error):  # the window was closed
            self._set_timer(None)
            self._root.tk.deletefilehandler(self.fileno())

    def _set_timer(self, seconds: float | None) -> None:
        with contextlib.suppress(self._error):
            if self._alarm is not None:
                self._root.after_cancel(self._alarm)
            milliseconds = None if seconds is None else int(seconds * 1000) + 1
            self._alarm = (
                None if milliseconds is None else self._root.after(milliseconds, self._due)
            )

    def _due(self) -> None:
        self._alarm = None
        self._ready()


def _qt_core() -> Any:
    loaded = [each for each in _BINDINGS if f"{each}.QtCore" in sys.modules]
    for name in loaded or _BINDINGS:
        with contextlib.suppress(ImportError):
            return importlib.import_module(f"{name}.QtCore")
    raise RuntimeError("dispatch='qt' needs PySide6 or PyQt6, and neither is installed")
