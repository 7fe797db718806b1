"""The methods of :class:`Server` for its static paths."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..base import fork
from ..options import static_options
from ..options.static import StaticPath, normalize_paths, normalize_url, routes
from ..options.static_options import StaticPathOptions

if TYPE_CHECKING:
    from .._core import MimeTable
    from .._core import Server as Core


class Routed:
    """Mixed into :class:`Server`. The routes change as a whole; the I/O threads read a copy."""

    if TYPE_CHECKING:
        _core: Core

        def isRunning(self) -> bool: ...

    def __init__(
        self, paths: dict[str, StaticPath], options: StaticPathOptions, mime: MimeTable
    ) -> None:
        self._paths, self._options, self._mime = paths, options, mime
        self._routes_lock = fork.lock()
        self._changing = False  # a change of the routes runs; guarded by _routes_lock
        self._changes: deque[Callable[[], object]] = deque()  # changes that wait

    def getStaticPaths(self) -> dict[str, StaticPath]:
        """The static paths by URL path, with the options that were given for each."""
        return dict(self._paths)

    def setStaticPath(
        self,
        paths: Mapping[str, str | os.PathLike[str] | StaticPath] | str | None = None,
        path: str | os.PathLike[str] | StaticPath | None = None,
        /,
        **named: str | os.PathLike[str] | StaticPath,
    ) -> None:
        """Add static paths, or replace those of the same URL path; the next request sees them.

        Three forms: ``setStaticPath({"/a": "dir"})``, ``setStaticPath("/a", "dir")`` and
        ``setStaticPath(a="dir")``.

        Raises:
            TypeError, ValueError: A path is wrong; the message says why.
            FileNotFoundError: A local path does not exist.
            RuntimeError: The server was stopped.
        """
        if isinstance(paths, str):
            if path is None:
                raise TypeError(f"setStaticPath({paths!r}, ...) needs a local path")
            paths = {paths: path}
        elif path is not None:
            raise TypeError("setStaticPath(): a local path needs a URL path before it")
        added = {**normalize_paths(paths), **normalize_paths(named)}
        self._change(lambda: self._set_routes({**self._paths, **added}, self._options))

    def removeStaticPath(self, *paths: str | Iterable[str]) -> None:
        """Remove static paths by their URL paths, as arguments or in lists.

        Unknown paths are ignored.

        Raises:
            TypeError, ValueError: A URL path is wrong.
            RuntimeError: The server was stopped.
        """
        removed: set[str] = set()
        for each in paths:
            removed.update(map(normalize_url, [each] if isinstance(each, str) else each))

        def change() -> None:
            kept = {url: path for url, path in self._paths.items() if url not in removed}
            self._set_routes(kept, self._options)

        self._change(change)

    def getStaticPathOptions(self) -> StaticPathOptions:
        """The options that static paths inherit."""
        return self._options

    def setStaticPathOption(
        self, options: Mapping[str, Any] | StaticPathOptions | None = None, /, **named: Any
    ) -> None:
        """Change options that static paths inherit: ``setStaticPathOption(indexhtml=False)``.

        Raises:
            TypeError, ValueError: There is no such option, or its value is wrong.
            RuntimeError: The server was stopped.
        """
        if isinstance(options, StaticPathOptions):
            changed = options.as_dict()
        else:
            changed = dict(options or {})
        changed.update(named)
        static_options.check_names(changed)
        own = StaticPathOptions(**changed)
        self._change(lambda: self._set_routes(self._paths, own.inherit(self._options)))

    def _change(self, change: Callable[[], object]) -> None:
        """Change the routes. A change by a signal handler inside another change runs after it."""
        if not self.isRunning():
            raise RuntimeError(f"{self!r} is not running")
        with self._routes_lock:
            self._changes.append(change)
            while self._changes and not self._changing:
                try:
                    self._changing = True
                    while self._changes:
                        self._changes.popleft()()
                finally:
                    self._changing = False

    def _set_routes(self, paths: dict[str, StaticPath], options: StaticPathOptions) -> None:
        self._core.set_routes(routes(paths, options), self._mime)
        self._paths, self._options = paths, options
