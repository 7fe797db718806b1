"""runStaticServer: serve one directory."""

from __future__ import annotations

import errno
import inspect
import os
import socket
import webbrowser
from collections.abc import Mapping, Sequence
from typing import Any

from ..base import stderr
from ..base.names import check_names
from ..dispatch.queue import interactive
from ..gateways.types import AnyApp
from ..options.allowed import can_match
from ..options.limits import Limits
from ..options.static import staticPath
from ..options.static_options import DESCRIPTIONS as STATIC_OPTIONS
from ..options.tls import TLS
from ..servers.ports import randomPort
from ..servers.start import run_until_stopped, startServer
from ..servers.urls import EVERY_ADDRESS, local_url
from ..servers.web import WebServer
from .lan import lan_url
from .qr import qr_lines
from .site import Features, Site

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
    mimeTypes: Mapping[str, str] | None = None,
    allowedHosts: Sequence[str] | None = None,
    accessLog: bool = False,
    spa: bool = False,
    auth: str | None = None,
    upload: bool = False,
    overwrite: bool = False,
    archive: bool = False,
    qr: bool | None = False,
    tls: TLS | None = None,
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
        mimeTypes: Media types by file extension, as for :func:`startServer`.
        allowedHosts: Names that the Host field may have, besides IP addresses; others get 403, so
            that no web page can reach the files by its own name (DNS rebinding). None:
            localhost, ``host``, and the names of this machine if it listens on all addresses.
            ``["*"]``: any.
        accessLog: Whether each answer is logged, as for :func:`startServer`.
        spa: Whether page navigations that lead to no file are answered with the index page. What a
            page asks for besides (a script that is missing) stays 404.
        auth: ``"user:password"`` that clients must give (Basic authentication: without TLS it can
            be read on the way); None: none.
        upload: Whether clients may put files into the directory: ``PUT /folder/name``, or with the
            listing in a browser.
        overwrite: Whether uploads may replace files.
        archive: Whether folders can be had as ZIP archives; listings have a link to them.
        qr: Whether a QR code of the address is shown, for a phone in the same network. None: if
            the server can be reached from there, and standard error is a terminal.
        tls: HTTPS instead of HTTP, as for :func:`startServer`.
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
    if not isinstance(dir, (str, os.PathLike)):
        raise TypeError(f"dir must be str or a path object, not {type(dir).__name__}")
    own = inspect.signature(runStaticServer).parameters
    check_names(options, [*own, *STATIC_OPTIONS])
    features = Features(spa, auth, upload, overwrite, archive)
    options.setdefault("listing", True)
    root = staticPath(dir, **options)
    if not os.path.isdir(root.path):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), root.path)

    if browse is None:
        browse = interactive()
    if allowedHosts is None:
        allowedHosts = _own_names(host)
    settings = {
        "limits": limits,
        "mimeTypes": mimeTypes,
        "allowedHosts": allowedHosts,
        "accessLog": accessLog,
        "tls": tls,
    }
    server = _start(host, port, Site(root, features), settings)
    if background:
        _announce(server, root.path, "Stop it with stopServer() or stopAllServers().", browse, qr)
        return server
    try:
        with server:
            _announce(server, root.path, "Press Ctrl-C to stop.", browse, qr)
            run_until_stopped(server)
    except KeyboardInterrupt:
        _say("")
    return None


def _announce(
    server: WebServer, path: str, how_to_stop: str, browse: bool, qr: bool | None
) -> None:
    url = url_of(server)
    _say(f"Serving {path}")
    _say(f"at {url}")
    far = lan_url(server.getHost(), server.getPort(), server._scheme)
    if far is not None:
        _say(f"and {far} for other machines of the network")
    if qr or (qr is None and far is not None and stderr.is_terminal()):
        for line in qr_lines(far or url):
            _say(line)
    _say(how_to_stop)
    if browse:
        webbrowser.open(url)


def _start(host: str, port: int | None, app: AnyApp, settings: dict[str, Any]) -> WebServer:
    # Quiet: in the foreground the exception is seen, and need not be logged as well.
    if port is not None:
        return startServer(host, port, app, quiet=True, **settings)
    try:
        return startServer(host, DEFAULT_PORT, app, quiet=True, **settings)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    return startServer(host, randomPort(host=host), app, quiet=True, **settings)


def _own_names(host: str) -> list[str]:
    """What browsers may call a server that listens on ``host``."""
    names = ["localhost"]
    if host in EVERY_ADDRESS:
        name = socket.gethostname()
        names += [name, name.partition(".")[0] + ".local"]
    else:
        names.append(host)
    # A machine may have a name that no browser can send.
    return [name for name in names if can_match(name)]


def url_of(server: WebServer) -> str:
    """The URL of a server's root for a browser on this machine."""
    return local_url(server.getHost(), server.getPort(), server._scheme)


def _say(text: str) -> None:
    stderr.write(text + "\n")
