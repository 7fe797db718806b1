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
from . import registry
from .server import Options, PipeServer, RunOptions, Server, WebServer, shows

if TYPE_CHECKING:
    from typing_extensions import Unpack


@shows(Options)
def startServer(
    host: str,
    port: int,
    app: object,
    quiet: bool = False,
    **options: Unpack[Options],
) -> WebServer:
    """Start a server on a TCP port.

    It listens at once, on a thread of its own; ``call`` and the other callbacks run where
    ``dispatch`` says. Static paths need no Python.

    Args:
        host: An address of this machine, ``"0.0.0.0"`` for every IPv4 address, ``"::"`` or
            ``"::/0"`` for every address, or a name.
        port: The port; 0 picks a free one, which ``getPort()`` tells.
        app: The application: a dict, an object with attributes, or a function, which is ``call``.
            Or an ASGI or WSGI application, known by its signature; :class:`Mount` says which it is
            where that does not tell.

            * ``call(req)`` answers a request: it gets the Rook environment, a dict, and returns
              ``{"status": int, "headers": dict, "body": str | bytes | None}``. Without it the
              answer is 404. An exception is logged and answered with 500. It may be a coroutine
              function, or return a :class:`concurrent.futures.Future` or anything else that can
              be awaited: then that gives the answer. A coroutine is run by the asyncio loop that
              runs the callbacks (see ``coroutines``); it is
              cancelled when the client resets the connection, of which
              ``req["httpuv.disconnected"]`` can tell. The body may be an iterable or asynchronous
              iterable of str or bytes, sent as they come, chunked where there is no
              Content-Length; it is closed when the client has gone, and if it raises an
              exception the connection is cut.
            * ``onHeaders(req)`` is called when only the headers have come. It returns None to go
              on, or an answer; then the body is not read, and the connection ends. It is no
              coroutine function.
            * ``onBodyData(req, data)`` is called with each piece of a body as it comes, bytes;
              ``call`` comes after the last, and finds ``req["rook.input"]`` empty. The client
              waits while it runs behind. If it raises an exception, the client gets 500 and the
              rest is not read. ``req["httpuv.disconnected"]`` tells if the client goes.
            * ``streamBody=True`` has ``call``, a coroutine function, called when only the headers
              have come; ``req["rook.input"]`` is to be read with ``async for`` or ``await
              read(n)``, and the client waits for that.
            * ``onWSOpen(ws)`` is called with a :class:`WebSocket` when a client has opened one;
              ``onHeaders`` may refuse it before. Without it such a request is like any other.
            * ``allowConnect=True`` has ``call`` asked about CONNECT requests, which get 405
              otherwise. A 2xx answer has neither Content-Length nor Transfer-Encoding, and the
              connection ends behind it.
            * ``staticPaths`` is a dict from URL paths to local paths or :func:`staticPath` objects.
            * ``staticPathOptions`` is what these inherit.
        quiet: Whether to keep a failure to start out of the log.
        limits: Bounds on sizes, times and numbers.
        mimeTypes: Media types by file extension, in addition to a built-in table or instead of it.
        allowedHosts: Names that the Host field may have; others get 403. None or ``["*"]``:
            any. Protects a server on the loopback address from web pages that point a name of
            theirs at it. ``"*.example.com"`` allows every name below example.com (not that one
            itself), ``"localhost:8080"`` a name with that port only. IP addresses need not be
            named: nobody can point those elsewhere.
        allowedOrigins: Web pages that may open WebSockets here, by their origins, such as
            ``"https://example.com"`` or ``"https://*.example.com"``, or ``"same"`` for those from
            the very host that they connect to; others get 403. None or ``["*"]``: any. A port that
            is the scheme's own may be left out. Browsers let every page connect anywhere, so where
            cookies or the network decide what a client may do, this must, too. Clients that are no
            browsers send no origin and are let in.
        wsProtocols: The WebSocket subprotocols that the application speaks. The first of a client's
            list that is among them becomes ``ws.protocol``.
        wsCompression: Whether WebSocket messages are compressed (RFC 7692) where the client can.
            True: unless it is on this machine, where bytes cost nothing; ``"always"``: there, too.
        wsOverflow: What becomes of a message for a WebSocket client that does not read, when
            ``limits.ws_queue_bytes`` wait for it: ``"close"`` closes the connection with 1013,
            ``"drop"`` drops the message, ``"callback"`` drops it and calls ``ws.onDropped``.
        dispatch: Who runs the callbacks. ``"service"``: :func:`service` and its like, where they
            are called. ``"asyncio"``: the loop that is running here. ``"thread"``: a thread of the
            server's own. A number: so many threads of its own, for callbacks that block; those of
            one connection run in order and one at a time. ``"prompt"``: the idle time of Python's
            prompt or IPython's, and ``service()``. ``"qt"``: the loop of the QApplication that
            there is, PySide6's or PyQt6's; ``"tk"``: that of tkinter's root window; where an
            asyncio loop runs on that thread, such as qasync's, it runs coroutines. ``"auto"``: an
            asyncio loop if one is running here (so in notebooks), at a prompt ``"prompt"``,
            otherwise ``"service"``. Or a
            :class:`Dispatcher`.
        callTimeout: Seconds that an awaited answer may take from the return of ``call`` until it
            begins; beyond, it is cancelled and the client gets 503. None: any time.
            ``req["httpuv.timeout"]`` replaces it for one request, where ``call`` sets it before it
            returns, or before its first ``await``.
        gzip: Whether the answers of ``call`` are compressed for clients that accept it: text,
            JSON and their like, streams too, of 1 KiB or of unknown length; not files, parts (206),
            streams of events, nor what has a Content-Encoding, ``Cache-Control: no-transform`` or a
            digest. The I/O thread and its pool do it. Such answers say ``Vary: Accept-Encoding``,
            and a strong ETag becomes a weak one. An answer with ``Content-Encoding: identity``
            leaves as it is, without that field; the right choice where TLS is in front and a
            secret stands beside what the client chose (the BREACH attack).
        accessLog: Whether each answer, static ones too, is logged with its client, request, status,
            bytes of body and time, by ``logging.getLogger("httpuv.access")`` at level INFO; where
            nobody has set up logging, to standard error. The records have these as attributes, too:
            ``client``, ``clientPort``, ``request`` (its first line), ``method``, ``target``,
            ``status`` (0: the connection ended before), ``size``, ``seconds``, ``referer``,
            ``userAgent``; what could end a line or its quotes is escaped in all of them. Bytes and
            time are those of the answer as it was handed to the system; a client may still have
            left in the middle of it. It is logged where the callbacks run, so handlers that are
            slow hold up callbacks; see :class:`logging.handlers.QueueHandler`. What waits to be
            logged is bounded by 8 MiB, beyond which answers are only counted.
        mounts: Applications below paths, a dict from URL paths to applications of any interface or
            :class:`Mount` objects: ``{"/api": asgi_app, "/old": wsgi_app}``. The longest path wins;
            static paths come before. One that is Rook's may have ``call`` and ``onWSOpen``.
        coroutines: Where coroutines run if no asyncio loop runs the callbacks. ``"callbacks"``: on
            the thread that runs the callbacks, in an asyncio loop that it owns (uvloop's where that
            is installed), while it serves. ``"thread"``: on a thread of their own, which callbacks
            that block do not hold up; each answer costs two switches of threads more.

    Raises:
        OSError: The address cannot be bound; ``errno`` says why, ``filename`` is the address.
        TypeError, ValueError: An argument is wrong; the message names it.
        FileNotFoundError: A static path does not exist.

    Source: manual page *startServer*.
    """
    return WebServer(host, port, app, quiet, **options)


@shows(Options)
def startPipeServer(
    name: str | os.PathLike[str],
    mask: int | None,
    app: object,
    quiet: bool = False,
    **options: Unpack[Options],
) -> PipeServer:
    """Start a server on a Unix domain socket.

    Args:
        name: The path of the socket. A socket file that no process listens on is replaced; a
            relative path means the working directory of now. A name that begins with a NUL is an
            abstract one (Linux, unix(7)): it has no file, and every user may connect.
        mask: The permissions that the socket file lacks: ``0o777`` lets only root connect,
            ``0o117`` owner and group. None, or a negative number: those in the process's umask,
            which is never changed.
        app, quiet: As for :func:`startServer`.
        limits, mimeTypes, allowedHosts, allowedOrigins: As for :func:`startServer`.
        wsProtocols, wsCompression, wsOverflow: As for :func:`startServer`. Every peer of such a
            socket is on this machine.
        dispatch, callTimeout, gzip, accessLog, mounts, coroutines: As for :func:`startServer`.

    Raises:
        OSError: The socket cannot be bound; ``errno`` says why, ``filename`` is the path.
        TypeError, ValueError: An argument is wrong; the message names it.

    Source: manual page *startServer*.
    """
    return PipeServer(name, mask, app, quiet, **options)


@shows(RunOptions)
def runServer(
    host: str,
    port: int,
    app: object,
    interruptIntervalMs: float | None = None,
    *,
    quiet: bool = False,
    grace: float = 3.0,
    **options: Unpack[RunOptions],
) -> None:
    """Start a server, run callbacks until interrupted, stop it.

    Returns when Ctrl-C is pressed, SIGTERM comes (on the main thread, where the program does not
    handle it itself), :func:`interrupt` is called or the server is stopped. Callbacks of other
    servers and of :func:`later` run meanwhile; but of two that run in two threads, each runs its
    own.

    Args:
        interruptIntervalMs: Deprecated, without effect.
        quiet: Whether to keep the address, and a failure to start, to itself.
        grace: Seconds that answers under way have to finish; a second Ctrl-C cuts them off.
        host, port, app: As for :func:`startServer`.
        limits, mimeTypes, allowedHosts, allowedOrigins: As for :func:`startServer`.
        wsProtocols, wsCompression, wsOverflow: As for :func:`startServer`.
        callTimeout, gzip, accessLog, mounts, coroutines: As for :func:`startServer`.

    Raises:
        OSError, TypeError, ValueError: As for :func:`startServer`.

    Source: manual page *runServer*.
    """
    if interruptIntervalMs is not None:
        warnings.warn(
            "interruptIntervalMs has no effect and will be removed",
            DeprecationWarning,
            stacklevel=2,
        )
    grace = check_seconds("grace", grace, zero=True)
    with contextlib.suppress(KeyboardInterrupt), _ended_by_sigterm(), queue.loop() as source:
        dispatcher = ServiceDispatcher(source)
        server = startServer(host, port, app, quiet, dispatch=dispatcher, **options)
        if not quiet:
            stderr.write(f"Serving at {server.url} (Ctrl-C to stop)\n")
        run_until_stopped(server, grace)


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Have SIGTERM, which service managers send, do what Ctrl-C does."""
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


def run_until_stopped(server: Server, grace: float = 0.0) -> None:
    """Run callbacks until interrupted or until the server is stopped; stop it.

    Args:
        grace: Seconds for answers under way.

    Raises:
        KeyboardInterrupt: Ctrl-C; the server has been stopped.
    """
    source = server._dispatcher.source
    try:
        try:
            source.serve(None, until=lambda: not server.isRunning())
        finally:
            server.stop(grace)
    finally:
        # What it said last, unless others share the queue: somebody will run theirs, and its own.
        if not any(each._dispatcher.source is source for each in registry.running()):
            left = source.queue.pending()
            while left > 0 and not source.closed and (ran := source.queue.run(0.0, left)) > 0:
                left -= ran


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
    """The servers that are running, in the order in which they were started.

    Source: manual page *listServers*.
    """
    return [each for each in registry.running() if isinstance(each, Server)]  # all are


def startDaemonizedServer(host: str, port: int, app: object, quiet: bool = False) -> WebServer:
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
