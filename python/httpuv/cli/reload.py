"""``--reload``: watch the sources."""

from __future__ import annotations

import fnmatch
import os
import threading
from collections.abc import Callable

from .console import MISUSED, Mistake, complain
from .options.settings import Settings


def watch(settings: Settings, changed: Callable[[], None]) -> None:
    """Call a function on a separate thread whenever sources change, until the process ends.

    Raises:
        Mistake: A directory does not exist, or watchfiles is not installed.
    """
    try:
        import watchfiles
    except ModuleNotFoundError as error:
        if error.name != "watchfiles":
            raise
        raise Mistake("--reload needs watchfiles: pip install 'httpuv[cli]'", MISUSED) from None
    folders = list(settings.reload_dir) or [settings.app_dir]
    for each in folders:
        if not os.path.isdir(each):
            raise Mistake(f"--reload-dir {each}: there is no such directory", MISUSED)
    patterns = list(settings.reload_include) or ["*.py"]
    ignored = watchfiles.DefaultFilter()

    def wanted(change: watchfiles.Change, path: str) -> bool:
        name = os.path.basename(path)
        return ignored(change, path) and any(fnmatch.fnmatch(name, each) for each in patterns)

    def run() -> None:
        try:
            for _ in watchfiles.watch(*folders, watch_filter=wanted, raise_interrupt=False):
                changed()
        except Exception as error:  # its own, such as for a name that is not UTF-8
            complain(f"sources are not watched any more: {error}; see --reload-dir")

    threading.Thread(target=run, name="httpuv reload", daemon=True).start()
