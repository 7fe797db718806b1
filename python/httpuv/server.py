"""Servers: start them, stop them, list them.

Source: manual pages *startServer*, *runServer*, *stopServer*, *stopAllServers*, *listServers*,
*startDaemonizedServer*, *stopDaemonizedServer*. Arguments that the manual does not have are
keyword-only.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from . import _core, request, upload, websocket
from ._checks import check_int, check_seconds
from .app import normalize_app
from .asyncapp import Answers
from .dispatch import queue, tasks
from .dispatch.base import Dispatcher
from .dispatch.choice import choose
from .limits import Limits
from .log import log_failure, logger
from .mime import mime_table
from .static import (
    StaticPath,
    StaticPathOptions,
    check_names,
    normalize_paths,
    normalize_url,
    routes,
)

_core.register_input(request.Input)

_Self = TypeVar("_Self", bound="Server")


class Server:
    """What :class:`WebServer` and :class:`PipeServer` have in common.

    A server runs from its construction until :meth:`stop`, on a thread of its own that never runs
    Python: requests that need Python wait until somebody runs the callbacks (``service()``,
    ``runServer()``). It is a context manager that stops at the end of the block. All methods may be
    called from any thread, and from inside a callback.
    """

    def __init__(
        self,
        app: object,
        limits: Limits | None,
        mimeTypes: Mapping[str, str] | None,
        allowedHosts: Sequence[str] | None,
        sockets: dict[str, object],
        dispatch: str | Dispatcher,
        callTimeout: float | None,
        gzip: bool,
    ) -> None:
        if not isinstance(gzip, bool):
            raise TypeError(f"gzip must be bool, not {type(gzip).__name__}")
        if callTimeout is not None:
            callTimeout = check_seconds("callTimeout", callTimeout)
        self._app = normalize_app(app)
        self._paths = self._app.staticPaths
        self._options = self._app.staticPathOptions
        self._mime = mime_table(mimeTypes)
        self._routes_lock = threading.Lock()
        self._dispatcher = choose(dispatch)
        self._answers = Answers(self._dispatcher.source, callTimeout)
        self._attached = False  # to the dispatcher; by _registry_lock
        if not isinstance(limits, (Limits, type(None))):
            raise TypeError(f"limits must be Limits or None, not {type(limits).__name__}")
        self._core = _core.Server(
            self._dispatcher.source.queue,
            call=upload.prepare(self._app, self._answers.prepare(self._app.call)),
            on_headers=self._app.onHeaders,
            on_error=log_failure,
            convert=self._answers,
            environ={
                "SCRIPT_NAME": "",
                "rook.version": "1.1-0",
                "rook.url_scheme": "http",
                "rook.errors": request.Errors(),
                "httpuv.version": _core.__version__,
            },
            limits=(limits or Limits()).as_dict(),
            allowed_hosts=_check_hosts(allowedHosts),
            on_ws_open=self._ws_opener(),
            websocket=sockets,
            gzip=gzip,
            open_upload=upload.opener(self._app),
            call_first=self._app.streamBody,
        )

    def _ws_opener(self) -> Callable[[_core.Socket, dict[str, Any], str], object] | None:
        on_open = self._app.onWSOpen
        if on_open is None:
            return None

        def start(coroutine: Coroutine[Any, Any, None], at_end: Callable[[], object]) -> object:
            return tasks.runner().start(coroutine, at_end)

        return websocket.opener(on_open, self._dispatcher.source.queue.post, start)

    def _listen(self, quiet: bool) -> None:
        """Start to listen; on failure leave nothing behind."""
        # Before it has a thread: a fork() in the middle must find it.
        with _registry_lock:
            _registry.append(self)
            self._attached = True
        try:
            self._dispatcher.attach()
            if self._paths:
                self._core.set_routes(routes(self._paths, self._options), self._mime)
            self._bind()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError) and not quiet:
                logger.error("cannot start %s: %s", self._name(), error)
            raise
        logger.info("%r", self)

    def _bind(self) -> None:
        raise NotImplementedError

    def _name(self) -> str:
        raise NotImplementedError

    def isRunning(self) -> bool:
        """Whether the server has not been stopped."""
        return self._core.running

    def stop(self, timeout: float = 0.0) -> None:
        """Stop listening and close all connections.

        Returns when the address is free and nothing of the server is left. Stopping twice is fine.

        Args:
            timeout: Seconds that answers under way have to finish; 0 cuts them off. Streams of
                events end at once; WebSockets are closed with 1001 (Going Away) in any case.

        Raises:
            TypeError, ValueError: ``timeout`` is no number of seconds.

        Source: manual page *stopServer*.
        """
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
            raise TypeError(f"timeout must be a number of seconds, not {timeout!r}")
        if not 0 <= timeout <= 1e9:
            raise ValueError(f"timeout must be from 0 to 1e9 seconds, not {timeout!r}")
        if timeout > 0:
            self._answers.end_events()
        if timeout > 0 and self._dispatcher.blocked_by(threading.get_ident()):
            self._stop_and_serve(float(timeout))
        else:
            self._core.stop(float(timeout))
        with _registry_lock:
            with contextlib.suppress(ValueError):
                _registry.remove(self)
            attached, self._attached = self._attached, False
        self._answers.close()
        if attached:
            self._dispatcher.detach()
        self._dispatcher.source.wake()  # a runServer() that waits is to return

    def _stop_and_serve(self, timeout: float) -> None:
        """Stop, running the callbacks that make the answers meanwhile."""
        source = self._dispatcher.source

        def stop() -> None:
            self._core.stop(timeout)
            source.wake()

        stopper = threading.Thread(target=stop, name="httpuv stop", daemon=True)
        stopper.start()
        try:
            while stopper.is_alive():
                source.serve(0.05, until=lambda: not stopper.is_alive())
        finally:
            stopper.join()

    async def aclose(self, timeout: float = 0.0) -> None:
        """:meth:`stop` for asyncio: coroutines of this loop go on meanwhile."""
        import asyncio

        await asyncio.to_thread(self.stop, timeout)

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
            TypeError, ValueError: A path is wrong; the message says how.
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
        with self._routes_lock:
            self._set_routes({**self._paths, **added}, self._options)

    def removeStaticPath(self, *paths: str | Iterable[str]) -> None:
        """Remove static paths, given by URL path, each alone or in a list.

        One that is not there does not matter.

        Raises:
            TypeError, ValueError: A URL path is wrong.
            RuntimeError: The server was stopped.
        """
        removed: set[str] = set()
        for each in paths:
            removed.update(map(normalize_url, [each] if isinstance(each, str) else each))
        with self._routes_lock:
            kept = {url: path for url, path in self._paths.items() if url not in removed}
            self._set_routes(kept, self._options)

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
        check_names(changed)
        own = StaticPathOptions(**changed)
        with self._routes_lock:
            self._set_routes(self._paths, own.inherit(self._options))

    def _set_routes(self, paths: dict[str, StaticPath], options: StaticPathOptions) -> None:
        if not self.isRunning():
            raise RuntimeError(f"{self!r} is not running")
        self._core.set_routes(routes(paths, options), self._mime)
        self._paths, self._options = paths, options

    def publish(
        self,
        topic: str,
        message: str | bytes | bytearray | memoryview,
        *,
        compress: bool = True,
    ) -> None:
        """Send a message to every WebSocket that has subscribed to a topic (``ws.subscribe``).

        It is framed and compressed once and sent by the I/O thread, in order with everything else
        that is sent; ``wsOverflow`` says what happens to those that do not read. Nothing happens
        once the server has stopped.

        Raises:
            TypeError: ``topic`` is not str, or ``message`` neither str nor bytes-like.
            UnicodeEncodeError: ``message`` has surrogates in it and cannot be UTF-8.
        """
        self._core.publish(websocket.check_topic(topic), message, compress)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "running" if self.isRunning() else "stopped"
        return f"<{type(self).__name__} {self._name()} {state}>"


class WebServer(Server):
    """A server on a TCP port; :func:`startServer` describes the arguments."""

    def __init__(
        self,
        host: str,
        port: int,
        app: object,
        quiet: bool = False,
        *,
        limits: Limits | None = None,
        mimeTypes: Mapping[str, str] | None = None,
        allowedHosts: Sequence[str] | None = None,
        allowedOrigins: Sequence[str] | None = None,
        wsProtocols: Sequence[str] | None = None,
        wsCompression: bool | str = True,
        wsOverflow: str = "close",
        dispatch: str | Dispatcher = "auto",
        callTimeout: float | None = None,
        gzip: bool = True,
    ) -> None:
        if not isinstance(host, str):
            raise TypeError(f"host must be str, not {type(host).__name__}")
        self._host = host
        self._port = check_int("port", port, 0, 65535)
        sockets = websocket.settings(wsProtocols, wsCompression, wsOverflow, allowedOrigins)
        super().__init__(app, limits, mimeTypes, allowedHosts, sockets, dispatch, callTimeout, gzip)
        self._listen(quiet)

    def _bind(self) -> None:
        _, self._port = self._core.listen_tcp(self._host, self._port)

    def _name(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    def getHost(self) -> str:
        """The host as it was given."""
        return self._host

    def getPort(self) -> int:
        """The port; the real one where 0 was given."""
        return self._port


class PipeServer(Server):
    """A server on a Unix domain socket; :func:`startPipeServer` describes the arguments."""

    def __init__(
        self,
        name: str | os.PathLike[str],
        mask: int | None,
        app: object,
        quiet: bool = False,
        *,
        limits: Limits | None = None,
        mimeTypes: Mapping[str, str] | None = None,
        allowedHosts: Sequence[str] | None = None,
        allowedOrigins: Sequence[str] | None = None,
        wsProtocols: Sequence[str] | None = None,
        wsCompression: bool | str = True,
        wsOverflow: str = "close",
        dispatch: str | Dispatcher = "auto",
        callTimeout: float | None = None,
        gzip: bool = True,
    ) -> None:
        path = os.fspath(name)
        if not isinstance(path, str):
            raise TypeError(f"name must be str, not {type(path).__name__}")
        if not path:
            raise ValueError("name must not be empty")
        if "\0" in path:
            raise ValueError(f"name must not have NUL in it: {path!r}")
        self._path = path
        # Negative: like None (manual).
        number = None if mask is None else check_int("mask", mask, -(2**31), 0o777)
        self._mask = None if number is None or number < 0 else number
        sockets = websocket.settings(wsProtocols, wsCompression, wsOverflow, allowedOrigins)
        super().__init__(app, limits, mimeTypes, allowedHosts, sockets, dispatch, callTimeout, gzip)
        self._listen(quiet)

    def _bind(self) -> None:
        self._core.listen_pipe(self._path, self._mask)

    def _name(self) -> str:
        return self._path

    def getName(self) -> str:
        """The path of the socket."""
        return self._path

    def getMask(self) -> int | None:
        """The umask that the socket was created with; None if it was the process's."""
        return self._mask


def startServer(
    host: str,
    port: int,
    app: object,
    quiet: bool = False,
    *,
    limits: Limits | None = None,
    mimeTypes: Mapping[str, str] | None = None,
    allowedHosts: Sequence[str] | None = None,
    allowedOrigins: Sequence[str] | None = None,
    wsProtocols: Sequence[str] | None = None,
    wsCompression: bool | str = True,
    wsOverflow: str = "close",
    dispatch: str | Dispatcher = "auto",
    callTimeout: float | None = None,
    gzip: bool = True,
) -> WebServer:
    """Start a server on a TCP port.

    It listens at once, on a thread of its own; ``call`` and the other callbacks run where
    ``dispatch`` says. Static paths need no Python.

    Args:
        host: An address of this machine, ``"0.0.0.0"`` for every IPv4 address, ``"::"`` or
            ``"::/0"`` for every address, or a name.
        port: The port; 0 picks a free one, which ``getPort()`` tells.
        app: The application: a dict, an object with attributes, or a function, which is ``call``.

            * ``call(req)`` answers a request: it gets the Rook environment, a dict, and returns
              ``{"status": int, "headers": dict, "body": str | bytes | None}``. Without it the
              answer is 404. An exception is logged and answered with 500. It may be a coroutine
              function, or return a :class:`concurrent.futures.Future` or anything else that can
              be awaited: then that gives the answer. A coroutine is run by the asyncio loop that
              runs the callbacks, or else by a loop on a thread that all such servers share; it is
              cancelled when the client goes or will send no more, of which
              ``req["httpuv.disconnected"]`` can tell. The body may be an iterable or asynchronous
              iterable of str or bytes, sent as they come, chunked where there is no
              Content-Length; it is closed when the client has gone, and if it raises an
              exception the connection is cut.
            * ``onHeaders(req)`` is called when only the headers have come. It returns None to go
              on, or an answer; then the body is not read, and the connection ends.
            * ``onBodyData(req, data)`` is called with each piece of a body as it comes, bytes;
              ``call`` comes after the last, and finds ``req["rook.input"]`` empty. The client
              waits while it runs behind. If it raises an exception, the client gets 500 and the
              rest is not read. ``req["httpuv.disconnected"]`` tells if the client goes.
            * ``streamBody=True`` has ``call``, a coroutine function, called when only the headers
              have come; ``req["rook.input"]`` is to be read with ``async for`` or ``await
              read(n)``, and the client waits for that.
            * ``onWSOpen(ws)`` is called with a :class:`WebSocket` when a client has opened one;
              ``onHeaders`` may refuse it before. Without it such a request is like any other.
            * ``staticPaths`` is a dict from URL paths to local paths or :func:`staticPath` objects.
            * ``staticPathOptions`` is what these inherit.
        quiet: Whether to keep a failure to start out of the log.
        limits: Bounds on sizes, times and numbers.
        mimeTypes: Media types by file extension, in addition to a built-in table or instead of it.
        allowedHosts: Names that the Host field may have; others get 403. None: any. Protects a
            server on the loopback address from web pages that point a name of theirs at it.
        allowedOrigins: Web pages that may open WebSockets here, by their origins, such as
            ``"https://example.com"``, or ``"same"`` for those from the very host that they connect
            to; others get 403. None: any. Browsers let every page connect anywhere, so where
            cookies or the network decide who is welcome, this must, too. Clients that are no
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
            server's own. ``"prompt"``: the idle time of Python's prompt or IPython's, and
            ``service()``. ``"auto"``: an asyncio loop if one is running here (so in notebooks),
            at a prompt ``"prompt"``, otherwise ``"service"``. Or a :class:`Dispatcher`.
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

    Raises:
        OSError: The address cannot be bound; ``errno`` says why, ``filename`` is the address.
        TypeError, ValueError: An argument is wrong; the message names it.
        FileNotFoundError: A static path does not exist.

    Source: manual page *startServer*.
    """
    return WebServer(
        host,
        port,
        app,
        quiet,
        limits=limits,
        mimeTypes=mimeTypes,
        allowedHosts=allowedHosts,
        allowedOrigins=allowedOrigins,
        wsProtocols=wsProtocols,
        wsCompression=wsCompression,
        wsOverflow=wsOverflow,
        dispatch=dispatch,
        callTimeout=callTimeout,
        gzip=gzip,
    )


def startPipeServer(
    name: str | os.PathLike[str],
    mask: int | None,
    app: object,
    quiet: bool = False,
    *,
    limits: Limits | None = None,
    mimeTypes: Mapping[str, str] | None = None,
    allowedHosts: Sequence[str] | None = None,
    allowedOrigins: Sequence[str] | None = None,
    wsProtocols: Sequence[str] | None = None,
    wsCompression: bool | str = True,
    wsOverflow: str = "close",
    dispatch: str | Dispatcher = "auto",
    callTimeout: float | None = None,
    gzip: bool = True,
) -> PipeServer:
    """Start a server on a Unix domain socket.

    Args:
        name: The path of the socket. One that nobody listens on any more is replaced.
        mask: The umask while the socket is created: ``0o777`` lets only root connect, ``0o117``
            owner and group. None, or a negative number, leaves the process's umask.
        app, quiet: As for :func:`startServer`.
        limits, mimeTypes, allowedHosts, allowedOrigins: As for :func:`startServer`.
        wsProtocols, wsCompression, wsOverflow: As for :func:`startServer`. Every peer of such a
            socket is on this machine.
        dispatch, callTimeout, gzip: As for :func:`startServer`.

    Raises:
        OSError: The socket cannot be bound; ``errno`` says why, ``filename`` is the path.
        TypeError, ValueError: An argument is wrong; the message names it.

    Source: manual page *startServer*.
    """
    return PipeServer(
        name,
        mask,
        app,
        quiet,
        limits=limits,
        mimeTypes=mimeTypes,
        allowedHosts=allowedHosts,
        allowedOrigins=allowedOrigins,
        wsProtocols=wsProtocols,
        wsCompression=wsCompression,
        wsOverflow=wsOverflow,
        dispatch=dispatch,
        callTimeout=callTimeout,
        gzip=gzip,
    )


def runServer(
    host: str,
    port: int,
    app: object,
    interruptIntervalMs: float | None = None,
    *,
    limits: Limits | None = None,
    mimeTypes: Mapping[str, str] | None = None,
    allowedHosts: Sequence[str] | None = None,
    allowedOrigins: Sequence[str] | None = None,
    wsProtocols: Sequence[str] | None = None,
    wsCompression: bool | str = True,
    wsOverflow: str = "close",
    callTimeout: float | None = None,
    gzip: bool = True,
) -> None:
    """Start a server, run callbacks until interrupted, stop it.

    Returns when :func:`interrupt` is called or the server is stopped.

    Args:
        interruptIntervalMs: Deprecated, without effect.
        host, port, app: As for :func:`startServer`.
        limits, mimeTypes, allowedHosts, allowedOrigins: As for :func:`startServer`.
        wsProtocols, wsCompression, wsOverflow, callTimeout, gzip: As for :func:`startServer`.

    Raises:
        KeyboardInterrupt: Ctrl-C, within 100 ms; the server has been stopped.
        OSError, TypeError, ValueError: As for :func:`startServer`.

    Source: manual page *runServer*.
    """
    if interruptIntervalMs is not None:
        warnings.warn(
            "interruptIntervalMs has no effect and will be removed",
            DeprecationWarning,
            stacklevel=2,
        )
    with startServer(
        host,
        port,
        app,
        limits=limits,
        mimeTypes=mimeTypes,
        allowedHosts=allowedHosts,
        allowedOrigins=allowedOrigins,
        wsProtocols=wsProtocols,
        wsCompression=wsCompression,
        wsOverflow=wsOverflow,
        dispatch="service",
        callTimeout=callTimeout,
        gzip=gzip,
    ) as server:
        run_until_stopped(server)


def run_until_stopped(server: Server) -> None:
    """Run callbacks until interrupted or until the server is stopped."""
    server._dispatcher.source.serve(None, until=lambda: not server.isRunning())


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
    with _registry_lock:
        servers = list(_registry)
    for server in servers:
        server.stop()


def listServers() -> list[Server]:
    """The servers that are running, in the order in which they were started.

    Source: manual page *listServers*.
    """
    with _registry_lock:
        servers = list(_registry)
    return [server for server in servers if server.isRunning()]


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


def _check_hosts(hosts: Sequence[str] | None) -> list[str]:
    if hosts is None:
        return []
    if isinstance(hosts, str) or not all(isinstance(host, str) for host in hosts):
        raise TypeError(f"allowedHosts must be a list of names or None, not {hosts!r}")
    return [host.lower() for host in hosts]


# --- the servers of this process ----------------------------------------------------------------

_registry: list[Server] = []
_registry_lock = threading.Lock()


def _at_exit() -> None:
    stopAllServers()
    tasks.close()
    queue.default().close()


def _before_fork() -> None:
    _registry_lock.acquire()
    for server in _registry:
        server._core.before_fork()


def _after_fork_in_parent() -> None:
    for server in _registry:
        server._core.after_fork_in_parent()
    _registry_lock.release()


def _after_fork_in_child() -> None:
    # The I/O threads are the parent's.
    for server in _registry:
        server._core.forget()
    _registry.clear()
    _registry_lock.release()


atexit.register(_at_exit)
os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
