"""The classes of servers, which run from :func:`startServer` to :func:`stopServer`.

Source: manual page *startServer*, which names :class:`WebServer` and :class:`PipeServer`.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _core
from ..answers.asyncapp import Answers
from ..base import fork, log
from ..base.checks import check_int, check_seconds
from ..base.log import log_failure, log_notice
from ..brokers.protocol import Health, Keep
from ..brokers.relay import Relay
from ..dispatch import tasks
from ..dispatch.choice import choose
from ..gateways.interfaces import Applications
from ..gateways.types import AnyApp
from ..options import static_options
from ..options.limits import Limits
from ..options.mime import mime_table
from ..options.observe import host_and_port
from ..options.server import Options, WebOptions, check_names, complete, core_settings, takes
from ..options.static import StaticPath, normalize_paths, normalize_url, routes
from ..options.static_options import StaticPathOptions
from ..options.topic_options import TopicStats, check_event, check_topic, check_topics, rule_of
from ..rook import request, upload, websocket
from ..rook.app import App
from ..rook.headers import Headers
from ..rook.subscription import Gate
from . import registry, replacing, urls
from .access import AccessLog
from .embedding import Embedded
from .stats import Stats

if TYPE_CHECKING:
    from typing_extensions import Unpack

_core.register_input(request.Input)
_core.register_headers(Headers)

#: Seconds that an interrupted stop() waits for the end of the server.
_LAST_MOMENT = 0.05

_Self = TypeVar("_Self", bound="Server")


class Server(Embedded):
    """The common base of :class:`WebServer` and :class:`PipeServer`.

    A server runs from its construction until :meth:`stop`, on its own thread, which never runs
    Python. Requests that need Python wait until a thread runs the callbacks (``service()``,
    ``runServer()``). The object is a context manager, which stops the server at the end of the
    block. All methods may be called on any thread, and inside a callback.
    """

    def __init__(self, app: object, **options: Unpack[WebOptions]) -> None:
        options = complete(options)
        call_timeout, apart = options["callTimeout"], options["coroutines"] == "thread"
        self._replace = options["replace"]
        self._applications = Applications(app, options["mounts"])
        self._given = app
        self._app = self._applications.app
        self._paths = self._app.staticPaths
        self._options = self._app.staticPathOptions
        self._mime = _core.MimeTable(mime_table(options["mimeTypes"]))
        self._swapping = fork.lock()
        self._routes_lock = fork.lock()
        self._changing = False  # a change of the routes runs; guarded by _routes_lock
        self._changes: deque[Callable[[], object]] = deque()  # changes that wait
        self._dispatcher = choose(options["dispatch"], self._applications.only_asgi)
        self._gate = Gate(self._app.onSubscribe)
        self._broker, self._topics = options["broker"], dict(options["topics"] or {})
        self._ready_with_broker = options["readyNeedsBroker"]
        self._relay: Relay | None = None
        self._answers = Answers(
            self._dispatcher.source,
            call_timeout,
            self._mime,
            apart,
            self._gate.enter,
            self._gate.entered,
        )
        self._expect_coroutines(self._applications)
        Embedded.__init__(self)
        self._attached: list[bool] = []  # has an entry while attached to the dispatcher
        self._stopping = fork.lock()
        self._stop_calls: list[Callable[[], object]] = []
        self._limits = options["limits"] or Limits()
        self._streams_input = options["wsgiInput"] == "stream"
        self._environ: dict[str, object] = {
            "SCRIPT_NAME": "",
            "rook.version": "1.1-0",
            "rook.url_scheme": "http" if options["tls"] is None else "https",
            "rook.errors": request.Errors(),
            "httpuv.version": _core.__version__,
        }
        self._tls = options["tls"]
        self._scheme = "http" if self._tls is None else "https"
        if self._tls is not None:
            self._environ["HTTPS"] = "on"
        self._admin = options["admin"]
        self._core = _core.Server(
            self._dispatcher.source.queue,
            on_error=log_failure,
            on_notice=log_notice,
            convert=self._answers,
            environ=self._environ,
            settings=core_settings(options),
            access_log=AccessLog() if options["accessLog"] is True else None,
            mounts=self._mounts(self._applications),
            **self._callbacks(self._app),
            topics=check_topics(options["topics"]),
            brokered=options["broker"] is not None,
        )

    def _expect_coroutines(self, applications: Applications) -> None:
        if not self._answers.apart and applications.have_coroutines:
            self._dispatcher.source.coroutines = True

    def _start(self, coroutine: Coroutine[Any, Any, None], at_end: Callable[[], object]) -> object:
        return tasks.runner(self._answers.apart).start(coroutine, at_end)

    def _callbacks(self, app: App) -> dict[str, Any]:
        """The functions that the core calls for requests outside all mounts."""
        return {
            "call": upload.prepare(app, self._answers.prepare(app.call)),
            "on_headers": app.onHeaders,
            "on_ws_open": app.onWSOpen and self._open_socket(app.onWSOpen),
            "open_upload": upload.opener(app),
            "call_first": app.streamBody,
            "ws_waits": app.wsWaits,
            "allow_connect": app.allowConnect,
        }

    def _mounts(self, applications: Applications) -> list[dict[str, Any]]:
        return applications.options(
            self._answers,
            self._limits,
            self._dispatcher.threads,
            self._streams_input,
            self._environ,
            self._answers.prepare,
            self._open_socket,
        )

    def _open_socket(self, on_open: Callable[[Any], object]) -> Callable[..., object]:
        return websocket.opener(on_open, self._start, self._gate, self._answers)

    @property
    def app(self) -> object:
        """The application, as it was given. Assigning to it calls :meth:`set_app`."""
        return self._given

    @app.setter
    def app(self, app: AnyApp) -> None:
        self.set_app(app)

    def set_app(self, app: AnyApp) -> None:
        """Replace the application while the server runs; the next request goes to the new one.

        Running callbacks continue, and open WebSockets keep their callbacks. WebSockets of an ASGI
        application are closed when its lifespan ends, after at most 3 s. Static paths of the new
        application are added, as by :meth:`setStaticPath`. Other static paths, ``mounts`` and all
        options of the server stay. The new application may have another interface.

        Args:
            app: As for :func:`startServer`.

        Raises:
            TypeError, ValueError: It is no application. The old one stays.
            ValueError: Only one of the two has ``streamBody`` or ``onBodyData``. The delivery of
                bodies cannot change in a running server; use ``startServer(..., replace=True)``.
            LifespanError: The new ASGI application has failed to start.
            RuntimeError: The server was stopped.
        """
        applications = Applications(app, None)
        new = applications.app
        with self._swapping:
            if not self.isRunning():
                raise RuntimeError(f"{self!r} is not running")
            for name in () if applications.mounts else ("streamBody", "onBodyData"):
                if bool(getattr(new, name)) != bool(getattr(self._app, name)):
                    raise ValueError(
                        f"app: {name} cannot be set or taken away while the server runs:"
                        " use startServer(..., replace=True)"
                    )
            if new.staticPaths:
                self.setStaticPath(new.staticPaths)
            if new.staticPathOptions.as_dict():
                self.setStaticPathOption(new.staticPathOptions)
            self._expect_coroutines(applications)
            root = self._mounts(applications)
            applications.startup()
            self._core.set_program(root=root, **self._callbacks(new))
            self._given = app
            if not applications.mounts:
                self._app = new
                self._gate.on_subscribe = new.onSubscribe
            self._applications.replace_root(applications, replacing.GRACE)

    def _listen(self, quiet: bool) -> None:
        """Start to listen; on failure leave nothing behind."""
        # Registered before its thread starts: a fork() in between must find the server.
        registry.servers.append(self)
        try:
            self._dispatcher.attach()
            self._attached.append(True)
            self._applications.startup()
            if self._paths:
                self._core.set_routes(routes(self._paths, self._options), self._mime)
            self._bind_admin()
            self._bind()
            if self._broker is not None:
                self._relay = Relay(
                    self._core, self._broker, self._keep_of, self._ready_with_broker
                )
                self._gate.wanted = self._relay.want
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError) and not quiet:
                log.write(logging.ERROR, "cannot start %s: %s", self._name(), error)
            raise
        if self not in registry.servers:
            self.stop()  # stop() was called during the start, when there was nothing to stop
        log.write(logging.INFO, "%r", self)

    def _bind_admin(self) -> None:
        admin = self._admin
        if isinstance(admin, int):
            self._core.listen_admin_fd(admin)
        elif admin is not None and "/" in admin:
            self._core.listen_admin_pipe(admin)
        elif admin is not None:
            host, port = self._core.listen_admin_tcp(*host_and_port("admin", admin))
            self._admin = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _bind(self) -> None:
        raise NotImplementedError

    def _name(self) -> str:
        raise NotImplementedError

    def getAdmin(self) -> str | None:
        """The address of the listener ``admin``, with the real port; None: there is none, or it is
        a descriptor.
        """
        return None if isinstance(self._admin, int) else self._admin

    def isRunning(self) -> bool:
        """Whether the server has not been stopped."""
        return self._core.running

    def stop(self, timeout: float = 0.0) -> None:
        """Stop listening and close all connections.

        The call returns when the address is free and the server has ended. It may be called twice.

        Args:
            timeout: Seconds for answers under way to finish; 0 cuts them off. Event streams end at
                once; WebSockets are closed with 1001 (Going Away) in any case.

        Raises:
            TypeError, ValueError: ``timeout`` is no number of seconds.
            KeyboardInterrupt: Ctrl-C was pressed; it is raised within 100 ms, and answers under way
                are cut off.

        Source: manual page *stopServer*.
        """
        timeout = check_seconds("timeout", timeout, zero=True)
        self._begin_stop(timeout)
        try:
            if timeout > 0 and self._dispatcher.blocked_by(threading.get_ident()):
                self._stop_and_serve(timeout)
            else:
                self._stop_core(timeout)
        finally:
            if self._core.stopped:
                self._retire()

    def _begin_stop(self, timeout: float) -> None:
        if timeout > 0:
            self._answers.end_events()
            self._applications.drain(timeout)
        self._core.begin_stop(timeout)  # also if another stop() has granted more time
        for each in self._stop_calls:
            each()

    def _on_stopping(self, func: Callable[[], object]) -> None:
        """Call a function on any thread when the server begins to stop. It must not raise.

        The caller checks :meth:`isRunning` afterwards, because the server may have stopped before.
        """
        self._stop_calls.append(func)

    def _end_stop(self, timeout: float) -> None:
        """Wait for the end of the server, on a thread that runs no callbacks."""
        try:
            self._stop_core(timeout)
        finally:
            if self._core.stopped:
                self._retire()

    def _retire(self) -> None:
        registry.remove(self)
        if self._relay is not None:
            self._relay.close()
        self._answers.close()
        self._applications.shutdown()
        try:
            self._attached.pop()
        except IndexError:
            pass  # it was never attached, or another stop() detaches it
        else:
            self._dispatcher.detach()
        self._ended.set()
        self._dispatcher.source.wake()  # a runServer() that waits returns

    def _stop_core(self, timeout: float) -> None:
        # A second caller waits here, in Python. If a daemon thread waited in C++ at the exit of the
        # interpreter, CPython would end the thread there, and the process would crash.
        with self._stopping:
            self._core.stop(timeout)

    def _stop_and_serve(self, timeout: float) -> None:
        """Stop, and run the callbacks of answers under way meanwhile."""
        source = self._dispatcher.source

        def stop() -> None:
            self._stop_core(timeout)
            source.wake()

        stopper = threading.Thread(target=stop, name="httpuv stop", daemon=True)
        stopper.start()
        try:
            while stopper.is_alive():
                source.serve(0.05, until=lambda: not stopper.is_alive())
        except BaseException:  # Ctrl-C ends the time for answers under way
            self._core.begin_stop(0)
            stopper.join(_LAST_MOMENT)
            raise
        stopper.join()

    async def aclose(self, timeout: float = 0.0) -> None:
        """:meth:`stop` for asyncio: coroutines of this loop continue meanwhile."""
        import asyncio

        await asyncio.to_thread(self.stop, timeout)

    def stats(self) -> Stats:
        """Counters of the server, and the bytes that it holds now. May be called after its end.

        :class:`httpuv.servers.stats.Stats` describes the counters.
        """
        return {**self._core.stats(), "metrics": self._core.metrics()}

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

    def publish(
        self,
        topic: str,
        message: str | bytes | bytearray | memoryview,
        *,
        compress: bool = True,
        binary: bool | None = None,
        event: str | None = None,
    ) -> int:
        """Send a message to all subscribers of a topic.

        Subscribers are WebSockets (``ws.subscribe``) and event streams
        (``EventStream(topics=...)``). The message is framed and compressed once. The I/O thread
        sends it, in order with all other messages. The topic's ``overflow``, or ``wsOverflow``,
        decides about slow subscribers.

        Args:
            topic: The topic.
            message: What to send: str, or bytes-like.
            compress: Whether to compress the message for WebSockets that have agreed on that.
            binary: Whether WebSockets get a binary message. None: bytes are binary, str is text.
            event: The name of the event for event streams; None: ``message``.

        Returns:
            The message's offset; the first message of a topic has 1. 0: the message was not sent,
            because the server has stopped, or because the I/O thread is behind and an asyncio loop
            must not wait. With a broker it is a :class:`httpuv.brokers.Published`, which says
            whether the broker was away. The broker is asked on this thread.

        Raises:
            TypeError: ``topic`` is not str, or ``message`` neither str nor bytes-like.
            ValueError: ``event`` contains a line end, or ``binary`` is False and ``message`` is not
                UTF-8.
            UnicodeEncodeError: ``message`` has surrogates in it and cannot be UTF-8.
            httpuv.brokers.Unavailable: The broker is away.
        """
        if binary is not None and not isinstance(binary, bool):
            raise TypeError(f"binary must be bool or None, not {type(binary).__name__}")
        name, kind = check_topic(topic), check_event(event)
        if self._relay is None:
            return self._core.publish(name, message, compress, binary, kind, None)
        return self._relay.publish(name, _payload(message, binary), kind, compress)

    def _keep_of(self, topic: str) -> Keep:
        """How much of a topic a broker keeps."""
        rule = rule_of(self._topics, topic)
        return Keep(0, 0, 60.0) if rule is None else Keep(rule.history, rule.max_bytes, rule.ttl)

    def broker_health(self) -> Health:
        """The state of the broker; without a broker it is ok. Does not wait."""
        return Health(True) if self._relay is None else self._relay.health()

    def topic_stats(self, topic: str) -> TopicStats:
        """The numbers of a topic. The call asks the I/O thread.

        Raises:
            TypeError: ``topic`` is not str.
        """
        found = self._core.topic_stats(check_topic(topic))
        return TopicStats() if found is None else TopicStats(**found)

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


def _payload(message: object, binary: bool | None) -> str | bytes:
    """A message for a broker: str is text, bytes are binary."""
    if isinstance(message, str):
        return message.encode() if binary else message
    data = _core.to_bytes(message, "message")
    if binary is not False:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError("message must be UTF-8 where binary is False") from None


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
        self._host = host
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
        check_names(options, Options.__annotations__)
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
            self._core.listen_pipe(self._path, self._mask)
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


class AdoptedServer(Server):
    """A server on a socket that listens already; its descriptor is adopted, unless that fails."""

    @takes(Options)
    def __init__(
        self, fd: int, app: object, quiet: bool = False, **options: Unpack[Options]
    ) -> None:
        self._fd = check_int("fd", fd, 0, 2**31 - 1)
        self._host, self._port = "", 0
        check_names(options, Options.__annotations__)
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
