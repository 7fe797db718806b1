"""Windows of a GUI toolkit at Python's own prompt.

Tk, PyQt and others have a hook of the prompt of their own, which stays in the toolkit's loop until
there is input: beside it no callback would run. So where servers run, their windows are looked
after from the one hook that is installed, at the pace that tkinter's own hook has.
"""

from __future__ import annotations

import sys
from typing import Any

#: Seconds between two looks at the windows.
PERIOD = 0.02

_QT = ("PySide6", "PyQt6", "PyQt5", "PySide2")


def known() -> bool:
    """Whether a toolkit that is known here was imported."""
    return "_tkinter" in sys.modules or any(f"{each}.QtCore" in sys.modules for each in _QT)


def update() -> bool:
    """Handle what has happened to the windows of this program; whether it may have any.

    Raises:
        BaseException: What a handler has raised, if the toolkit lets it through.
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
