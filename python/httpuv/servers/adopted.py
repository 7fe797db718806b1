"""A server on a socket that listens already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.checks import check_int
from ..options.option import takes
from ..options.server import Options
from .server import Server

if TYPE_CHECKING:
    from typing_extensions import Unpack


class AdoptedServer(Server):
    """A server on a socket that listens already; its descriptor is adopted, unless that fails."""

    @takes(Options)
    def __init__(
        self, fd: int, app: object, quiet: bool = False, **options: Unpack[Options]
    ) -> None:
        self._fd = check_int("fd", fd, 0, 2**31 - 1)
        self._host, self._port = "", 0
        if options.get("replace"):
            raise ValueError("replace: a server on a given descriptor takes nothing over")
        super().__init__(app, **options)
        self._listen(quiet)

    def _bind(self) -> None:
        self._host, self._port = self._core.listen_fd(self._fd)

    def _name(self) -> str:
        return f"{self._host}:{self._port}" if self._port else f"descriptor {self._fd}"

    def getHost(self) -> str:
        """The address; "" for a Unix domain socket."""
        return self._host

    def getPort(self) -> int:
        """The port; 0 for a Unix domain socket."""
        return self._port
