"""Start servers, stop them, list them.

Source: manual pages *startServer*, *runServer*, *stopServer*, *stopAllServers*, *listServers*,
*startDaemonizedServer*, *stopDaemonizedServer*. Arguments that the manual does not have are
keyword-only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..base import stderr
from ..base.checks import check_seconds
from ..dispatch import queue
from ..dispatch.choice import ServiceDispatcher
from ..dispatch.threads import ThreadDispatcher
from ..gateways.types import AnyApp
from ..options.option import takes
from ..options.server import Options, RunWebOptions, WebOptions
from . import access, registry
from .pipe import PipeServer
from .server import Server
from .web import WebServer

if TYPE_CHECKING:
    from typing_extensions import Unpack


@takes(WebOptions, described=True)
def startServer(
    host: str,
    port: int,
    app: AnyApp,
    quiet: bool = False,
    **options: Unpack[WebOptions],
) -> WebServer:
    """Start a server on a TCP port.

    The server listens at once, on its own thread. ``call`` and the other callbacks run where
    ``dispatch`` says. Static paths need no Python.

    Args:
        host: An address of this machine, ``"0.0.0.0"`` for every IPv4 address, ``"::"`` or
            ``"::/0"`` for every address, or a name.
        port: The port; 0 picks a free one, which ``getPort()`` returns.
        app: The application: a dict, an object with attributes, or a function, which is ``call``.
            Or an ASGI or WSGI application, which is recognised by its signature. :class:`Mount`
            names the interface if the signature does not decide.

            * ``call(req)`` answers a request. It gets the Rook environment, a dict, and returns
              ``{"status": int, "headers": dict, "body": str | bytes | None}``. Without ``call`` the
              answer is 404. An exception is logged and answered with 500. ``call`` may be a
              coroutine function, or return a :class:`concurrent.futures.Future` or another
              awaitable, which then gives the answer. A coroutine runs in the asyncio loop that runs
              the callbacks (see ``coroutines``). It is cancelled when the client resets the
              connection, and ``req["httpuv.disconnected"]`` reports that. The body may be an
              iterable or asynchronous iterable of str or bytes. Its pieces are sent as they come,
              chunked if there is no Content-Length. The iterable is closed when the client has
              gone. If it raises an exception, the connection is cut.
            * ``onHeaders(req)`` is called when only the headers have come. It returns None to
              continue, or an answer; after an answer the body is not read and the connection ends.
              It must not be a coroutine function.
            * ``onBodyData(req, data)`` is called with each piece of a body, bytes. ``call`` follows
              after the last piece, and ``req["rook.input"]`` is empty then. The client has to wait
              if the callback is slow. If it raises an exception, the client gets 500 and the rest
              is not read. ``req["httpuv.disconnected"]`` reports that the client has gone.
            * ``streamBody=True``: ``call``, a coroutine function, is called when only the headers
              have come. It reads ``req["rook.input"]`` with ``async for`` or ``await read(n)``, and
              the client has to wait for it.
            * ``onWSOpen(ws)`` is called with a :class:`WebSocket` when a client has opened one.
              ``onHeaders`` may refuse the handshake before. Without ``onWSOpen`` a handshake is a
              request like any other.
            * ``wsWaits=True``: the handshake waits for ``onWSOpen``. If it returns a response, a
              dict, that is the answer instead of a WebSocket. The WebSocket opens when ``onWSOpen``
              returns anything else, sends, subscribes, reads, closes, or calls ``ws.accept()``. An
              exception before that is answered with 500, and a delay beyond
              ``limits.ws_accept_timeout`` with 503.
            * ``allowConnect=True``: ``call`` gets CONNECT requests, which otherwise get 405. A 2xx
              answer has neither Content-Length nor Transfer-Encoding, and the connection ends after
              it.
            * ``staticPaths`` is a dict from URL paths to local paths or :func:`staticPath` objects.
            * ``staticPathOptions`` are the options that static paths inherit.
        quiet: Whether not to log a failure to start.
        options: Those of :class:`httpuv.options.server.Options`.

    Raises:
        OSError: The address cannot be bound; ``errno`` says why, ``filename`` is the address.
        TypeError, ValueError: An argument is wrong; the message names it.
        FileNotFoundError: A static path does not exist.

    Source: manual page *startServer*.
    """
    return WebServer(host, port, app, quiet, **options)


@takes(Options)
def startPipeServer(
    name: str | os.PathLike[str],
    mask: int | None,
    app: AnyApp,
    quiet: bool = False,
    **options: Unpack[Options],
) -> PipeServer:
    """Start a server on a Unix domain socket.

    Args:
        name: The path of the socket. A socket file without a listening process is replaced. A
            relative path is resolved now. A name that begins with a NUL is an abstract one (Linux,
            unix(7)): it has no file, and every user may connect.
        mask: The permissions that the socket file lacks. ``0o777`` lets only root connect,
            ``0o117`` owner and group. None, or a negative number: the process's umask, which is
            never changed.
        app, quiet: As for :func:`startServer`.
        options: Those of :class:`httpuv.options.server.Options`.

    Raises:
        OSError: The socket cannot be bound; ``errno`` says why, ``filename`` is the path.
        TypeError, ValueError: An argument is wrong; the message names it.

    Source: manual page *startServer*.
    """
    return PipeServer(name, mask, app, quiet, **options)


@takes(RunWebOptions)
def runServer(
    host: str,
    port: int,
    app: AnyApp,
    interruptIntervalMs: float | None = None,
    *,
    quiet: bool = False,
    grace: float = 3.0,
    **options: Unpack[RunWebOptions],
) -> None:
    """Start a server, run callbacks until interrupted, stop it.

    The call returns when Ctrl-C is pressed, SIGTERM comes (on the main thread, if the program has
    no handler of its own), :func:`interrupt` is called or the server is stopped. Callbacks of other
    servers and of :func:`later` run meanwhile. If two threads are in this function, each runs the
    callbacks of its own server.

    Args:
        interruptIntervalMs: Deprecated, without effect.
        quiet: Whether not to print the address, nor to log a failure to start.
        grace: Seconds for answers under way to finish; a second Ctrl-C cuts them off.
        host, port, app: As for :func:`startServer`.
        options: Those of :class:`httpuv.options.server.Options`.

    Raises:
        OSError, TypeError, ValueError: As for :func:`startServer`.

    Source: manual page *runServer*.
    """
    if interruptIntervalMs is not None:
        warnings.warn(
            "interruptIntervalMs has no effect and will be removed",
            DeprecationWarning,
            stacklevel=3,  # takes() is between
        )
    grace = check_seconds("grace", grace, zero=True)
    with contextlib.suppress(KeyboardInterrupt), ended_by_sigterm(), queue.loop() as source:
        dispatcher = ServiceDispatcher(source)
        server = startServer(host, port, app, quiet, dispatch=dispatcher, **options)
        run_until_stopped(server, grace, say=not quiet)


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM, which service managers send, do what Ctrl-C does."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def announce(server: Server) -> None:
    """Print the address of a server that the program runs until Ctrl-C."""
    where = getattr(server, "url", server._name())  # a Unix socket has no URL
    stderr.write(f"Serving at {where} (Ctrl-C to stop)\n")


def run_until_stopped(server: Server, grace: float = 0.0, *, say: bool = False) -> None:
    """Run callbacks until interrupted or until the server is stopped; stop it.

    If the server has threads for its callbacks, this thread only waits: Ctrl-C would interrupt a
    callback that it runs.

    Args:
        grace: Seconds for answers under way.
        say: Whether to print the address. Ctrl-C after that is no longer too early for ``grace``.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed. The server is stopped then.
    """
    source = server._dispatcher.source
    try:
        try:
            if say:
                announce(server)
            if isinstance(server._dispatcher, ThreadDispatcher):
                source.wait(until=lambda: not server.isRunning())
            else:
                source.serve(None, until=lambda: not server.isRunning())
        finally:
            server.stop(grace)
    finally:
        # Run its last callbacks, unless other servers share the queue and run them.
        if not any(each._dispatcher.source is source for each in registry.running()):
            left = source.queue.pending()
            while left > 0 and not source.closed and (ran := source.queue.run(0.0, left)) > 0:
                left -= ran
        access.flush()


def stopServer(server: Server) -> None:
    """Stop a server: close its connections and free its address.

    Raises:
        TypeError: ``server`` is no server.

    Source: manual page *stopServer*.
    """
    if not isinstance(server, Server):
        raise TypeError(f"server must be a WebServer or PipeServer, not {type(server).__name__}")
    server.stop()


def stopAllServers() -> None:
    """Stop every server of this process.

    Source: manual page *stopAllServers*.
    """
    registry.stop_all()


def listServers() -> list[Server]:
    """The running servers, in the order of their start.

    Source: manual page *listServers*.
    """
    return [each for each in registry.running() if isinstance(each, Server)]  # for type checkers


def startDaemonizedServer(host: str, port: int, app: AnyApp, quiet: bool = False) -> WebServer:
    """Deprecated: the same as :func:`startServer`.

    Source: manual page *startDaemonizedServer*.
    """
    warnings.warn(
        "startDaemonizedServer() is deprecated, use startServer()", DeprecationWarning, stacklevel=2
    )
    return startServer(host, port, app, quiet)


def stopDaemonizedServer(server: Server) -> None:
    """Deprecated: the same as :func:`stopServer`.

    Source: manual page *stopDaemonizedServer*.
    """
    warnings.warn(
        "stopDaemonizedServer() is deprecated, use stopServer()", DeprecationWarning, stacklevel=2
    )
    stopServer(server)
