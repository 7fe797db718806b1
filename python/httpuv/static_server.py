"""runStaticServer: serve one directory."""

from __future__ import annotations

import errno
import os
import sys
import webbrowser
from typing import Any

from .dispatch.queue import interactive
from .limits import Limits
from .ports import randomPort
from .server import WebServer
from .start import run_until_stopped, startServer
from .static import check_names, staticPath

#: Where a static server listens unless told otherwise.
DEFAULT_PORT = 7446


def runStaticServer(
    dir: str | os.PathLike[str] | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    *,
    background: bool = False,
    browse: bool | None = None,
    limits: Limits | None = None,
    **options: Any,
) -> WebServer | None:
    """Serve a directory.

    A directory without an index shows what is in it, unless ``listing=False``.

    Args:
        dir: The directory; the current one if it is None.
        host: The address to listen on, as for :func:`startServer`.
        port: The port; None for 7446 if it is free and a random free one otherwise.
        background: False: return when the server has been interrupted (Ctrl-C, or
            :func:`interrupt`). True: return at once.
        browse: Whether to open the directory in a web browser; None: if Python runs a prompt.
        limits: Bounds on sizes, times and numbers.
        options: What :func:`staticPath` takes besides the path.

    Returns:
        The server if it runs in the background.

    Raises:
        NotADirectoryError, FileNotFoundError: ``dir`` is no directory.
        OSError: The address cannot be bound.
        TypeError, ValueError: An argument is wrong; the message names it.

    Source: manual page *runStaticServer*.
    """
    if dir is None:
        dir = os.getcwd()
    check_names(options)
    options.setdefault("listing", True)
    root = staticPath(dir, **options)
    if not os.path.isdir(root.path):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), root.path)

    if browse is None:
        browse = interactive()
    server = _start(host, port, {"staticPaths": {"/": root}}, limits)
    if background:
        _announce(server, root.path, "Stop it with stopServer() or stopAllServers().", browse)
        return server
    try:
        with server:
            _announce(server, root.path, "Press Ctrl-C to stop.", browse)
            run_until_stopped(server)
    except KeyboardInterrupt:
        _say("")
    return None


def _announce(server: WebServer, path: str, how_to_stop: str, browse: bool) -> None:
    url = url_of(server)
    _say(f"Serving {path}")
    _say(f"at {url}")
    _say(how_to_stop)
    if browse:
        webbrowser.open(url)


def _start(host: str, port: int | None, app: object, limits: Limits | None) -> WebServer:
    if port is not None:
        return startServer(host, port, app, limits=limits)
    try:
        return startServer(host, DEFAULT_PORT, app, quiet=True, limits=limits)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    return startServer(host, randomPort(host=host), app, limits=limits)


def url_of(server: WebServer) -> str:
    """The URL of a server's root for a browser on this machine."""
    host = server.getHost()
    if host == "0.0.0.0":
        host = "127.0.0.1"
    elif host in ("::", "::/0"):
        host = "::1"
    return f"http://{f'[{host}]' if ':' in host else host}:{server.getPort()}/"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
