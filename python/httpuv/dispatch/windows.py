"""Windows of a GUI toolkit at Python's own prompt.

Tk, PyQt and other toolkits install their own hook of the prompt, which runs the toolkit's loop
until there is input. No callback would run beside it. So while servers run, the installed hook
handles the events of the windows, as often as tkinter's own hook does.
"""

from __future__ import annotations

import sys
from typing import Any

#: Seconds between two updates of the windows.
PERIOD = 0.02

_QT = ("PySide6", "PyQt6", "PyQt5", "PySide2")


def known() -> bool:
    """Whether a toolkit that is known here was imported."""
    return "_tkinter" in sys.modules or any(f"{each}.QtCore" in sys.modules for each in _QT)


def update() -> bool:
    """Handle the events of this program's windows; return whether it may have windows.

    Raises:
        BaseException: A handler raised it, and the toolkit passed it on.
    """
    return _update_tk() | _update_qt()


def _update_tk() -> bool:
    tkinter: Any = sys.modules.get("tkinter")
    root = getattr(tkinter, "_default_root", None)
    if root is None:
        return False
    while root.tk.dooneevent(2):  # TCL_DONT_WAIT: _tkinter.DONT_WAIT
        pass
    return True


def _update_qt() -> bool:
    for name in _QT:
        core: Any = sys.modules.get(f"{name}.QtCore")
        application = core.QCoreApplication.instance() if core is not None else None
        if application is not None:
            application.processEvents()
            return True
    return False
