"""A server on a TCP port."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from ..base.checks import check_int, check_utf8
from ..gateways.types import AnyApp
from ..options.option import takes
from ..options.server import WebOptions
from . import replacing, urls
from .server import Server

if TYPE_CHECKING:
    from typing_extensions import Unpack


class WebServer(Server):
    """A server on a TCP port; :func:`startServer` describes the arguments."""

    @takes(WebOptions)
    def __init__(
        self,
        host: str,
        port: int,
        app: AnyApp,
        quiet: bool = False,
        **options: Unpack[WebOptions],
    ) -> None:
        if not isinstance(host, str):
            raise TypeError(f"host must be str, not {type(host).__name__}")
        self._host = check_utf8("host", host)
        self._port = check_int("port", port, 0, 65535)
        self._fd = options.get("fd")
        super().__init__(app, **options)
        self._listen(quiet)

    def _bind(self) -> None:
        if self._fd is not None:
            self._host, self._port = self._core.listen_fd(self._fd)
            return
        if self._replace and self._port:
            for old in replacing.holders(self, self._has_my_address):
                if replacing.take_over(self, old) is not None:
                    return
        try:
            _, self._port = self._core.listen_tcp(self._host, self._port)
        except OSError as error:
            ours = replacing.holders(self, lambda each: each._port == self._port)
            if not self._replace or error.errno != errno.EADDRINUSE or not ours:
                raise replacing.in_use(error, ours) from None
            # Its host is another one, so its sockets cannot be taken over.
            for each in ours:
                each.stop()
            _, self._port = self._core.listen_tcp(self._host, self._port)

    def _has_my_address(self, other: WebServer) -> bool:
        return other._host == self._host and other._port == self._port

    def _name(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    @property
    def url(self) -> str:
        """The URL of the server for a browser. It is the address of this machine, or that of the
        proxy of a hosted notebook (Codespaces, VS Code, Colab, JupyterHub) if the environment names
        one.
        """
        return urls.url(self._host, self._port, self._scheme)

    def getHost(self) -> str:
        """The host as it was given."""
        return self._host

    def getPort(self) -> int:
        """The port; the real one if 0 was given."""
        return self._port
