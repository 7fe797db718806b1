"""A server on a Unix domain socket."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ..base.checks import check_int
from ..gateways.types import AnyApp
from ..options.option import takes
from ..options.server import Options
from . import replacing
from .server import Server

if TYPE_CHECKING:
    from typing_extensions import Unpack


class PipeServer(Server):
    """A server on a Unix domain socket; :func:`startPipeServer` describes the arguments."""

    @takes(Options)
    def __init__(
        self,
        name: str | os.PathLike[str],
        mask: int | None,
        app: AnyApp,
        quiet: bool = False,
        **options: Unpack[Options],
    ) -> None:
        path = os.fspath(name) if isinstance(name, os.PathLike) else name
        if not isinstance(path, str):
            raise TypeError(f"name must be str or a path object, not {type(path).__name__}")
        if not path:
            raise ValueError("name must not be empty")
        if "\0" in path[1:]:
            raise ValueError(f"name must not have NUL in it, but at its beginning: {path!r}")
        if path == "\0":
            raise ValueError("name must have characters after its NUL")
        if path[0] == "\0" and sys.platform != "linux":
            raise ValueError(f"name: abstract ones, such as {path!r}, are Linux's only")
        self._path = path
        # The manual: negative is like None.
        number = None if mask is None else check_int("mask", mask, -(2**31), 0o777)
        self._mask = None if number is None or number < 0 else number
        if path[0] == "\0" and self._mask is not None:
            raise ValueError(f"mask must be None: the abstract name {path!r} has no permissions")
        # Absolute, because the process may change its working directory.
        self._file = path if path[0] == "\0" else os.path.abspath(path)
        super().__init__(app, **options)
        self._listen(quiet)

    def _bind(self) -> None:
        ours = replacing.holders(self, lambda each: each._file == self._file)
        if self._replace:
            for old in ours:
                if old._mask != self._mask:
                    old.stop()  # the socket file must get other permissions
                elif replacing.take_over(self, old) is not None:
                    return
        try:
            self._core.listen_pipe(os.fsencode(self._path), self._mask)
        except OSError as error:
            raise replacing.in_use(error, ours) from None

    def _name(self) -> str:
        # ss(8) and /proc/net/unix show abstract names in this form.
        return "@" + self._path[1:] if self._path[0] == "\0" else self._path

    def getName(self) -> str:
        """The path of the socket, as it was given."""
        return self._path

    def getMask(self) -> int | None:
        """The umask that the socket was created with; None if it was the process's."""
        return self._mask
