"""A server for one ASGI application in an asyncio program, or as a program.

``Config`` and ``Server`` have the attributes and methods that programs use of uvicorn's.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import socket as sockets_module
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ..base.log import logger
from ..dispatch.own_loop import new_event_loop
from ..gateways.asgi.lifespan import Lifespan, LifespanError
from ..gateways.interfaces import Mount, detect, import_app
from ..options.limits import Limits
from ..options.server import DEFAULTS, DESCRIPTIONS, check_names
from ..servers.server import AdoptedServer
from ..servers.server import Server as CoreServer
from ..servers.start import startPipeServer, startServer

#: Seconds that answers under way have to finish when the server stops.
GRACE = 10.0

# Keywords of uvicorn's Config that are about what is otherwise here: accepted, without effect.
_WITHOUT_EFFECT = (
    *("loop", "http", "ws", "ws_max_queue", "interface", "headers", "use_colors"),
    *("server_header", "date_header", "proxy_headers", "forwarded_allow_ips"),
    *("reload", "reload_dirs", "reload_includes", "reload_excludes", "reload_delay"),
    *("limit_concurrency", "limit_max_requests", "limit_max_requests_jitter"),
    *("timeout_notify", "timeout_worker_healthcheck", "callback_notify"),
    *("app_dir", "env_file", "log_config", "reset_contextvars"),
)
# What this server would have to do and does not.
_NOT_SUPPORTED = ("ssl_keyfile", "ssl_certfile", "ssl_keyfile_password", "ssl_ca_certs")
_SSL_WITHOUT_EFFECT = ("ssl_version", "ssl_cert_reqs", "ssl_ciphers", "ssl_context_factory")


class Config:
    """How an ASGI application is served.

    Args:
        app: The application; or ``"module:attribute"``, which is imported.
        host: An address of this machine, or a name.
        port: The port; 0 picks a free one.
        uds: The path of a Unix domain socket instead.
        fd: The descriptor of a socket instead that others have bound.
        factory: Whether ``app`` is a function that returns the application.
        lifespan: ``"auto"``, ``"on"`` or ``"off"``.
        root_path: What a proxy in front takes away from paths.
        scheme: ``"http"`` or ``"https"``, as clients see it.
        workers: Only 1 (or None).
        log_level: The level of the logger ``httpuv``; None leaves it.
        access_log: Whether each answer is logged.
        timeout_graceful_shutdown: Seconds that answers under way have when the server stops; None:
            10.
        timeout_keep_alive: Seconds without a request on a connection.
        h11_max_incomplete_event_size: Bytes of a head.
        ws_max_size: Bytes of a WebSocket message.
        ws_ping_interval: Seconds of silence until a client gets a ping.
        ws_ping_timeout: Seconds of silence after that.
        ws_per_message_deflate: Whether WebSocket messages are compressed.
        handle_signals: Whether SIGINT and SIGTERM end the server; only on the main thread.
        options: What :func:`httpuv.startServer` takes by keyword, and ``staticPaths`` and
            ``staticPathOptions``. Further keywords of uvicorn's are accepted where nothing depends
            on them.

    Raises:
        TypeError: A keyword is unknown.
        ValueError: An option asks for what there is not.
    """

    def __init__(
        self,
        app: Any,
        host: str = "127.0.0.1",
        port: int = 8000,
        uds: str | None = None,
        fd: int | None = None,
        *,
        factory: bool = False,
        lifespan: str = "auto",
        root_path: str = "",
        scheme: str = "http",
        workers: int | None = None,
        log_level: str | int | None = None,
        access_log: bool = False,
        timeout_graceful_shutdown: float | None = None,
        timeout_keep_alive: float | None = None,
        h11_max_incomplete_event_size: int | None = None,
        ws_max_size: int | None = None,
        ws_ping_interval: float | None = None,
        ws_ping_timeout: float | None = None,
        ws_per_message_deflate: bool | str = True,
        handle_signals: bool = False,
        **options: Any,
    ) -> None:
        if workers not in (None, 1):
            raise ValueError(f"workers must be 1 or None here, not {workers!r}")
        for name in _NOT_SUPPORTED:
            if options.pop(name, None):
                raise ValueError(f"{name}: there is no TLS; let a proxy in front do that")
        for name in _SSL_WITHOUT_EFFECT:
            options.pop(name, None)
        self.app = app
        self.host = host
        self.port = port
        self.uds = uds
        self.fd = fd
        self.factory = factory
        self.lifespan = lifespan
        self.root_path = root_path
        self.scheme = scheme
        self.workers = workers or 1
        self.log_level = log_level
        self.access_log = access_log
        self.timeout_graceful_shutdown = timeout_graceful_shutdown
        self.timeout_keep_alive = timeout_keep_alive
        self.handle_signals = handle_signals
        self.reload = bool(options.get("reload", False))
        self.loaded = False
        self.loaded_app: Any = None
        for name in _WITHOUT_EFFECT:
            value = options.pop(name, None)
            if not hasattr(self, name):
                setattr(self, name, value)
        limits = options.pop("limits", None) or Limits()
        given = {
            "idle_timeout": timeout_keep_alive,
            "max_head_bytes": h11_max_incomplete_event_size,
            "ws_max_message_bytes": ws_max_size,
            "ws_ping_interval": ws_ping_interval,
            "ws_pong_timeout": ws_ping_timeout,
        }
        self.limits: Limits = dataclasses.replace(
            limits, **{name: value for name, value in given.items() if value is not None}
        )
        self.backlog = options.get("backlog", DEFAULTS["backlog"])
        self.options = {"gzip": False, "wsCompression": ws_per_message_deflate, **options}
        check_names(self.options, (*DESCRIPTIONS, "staticPaths", "staticPathOptions"))

    @property
    def is_ssl(self) -> bool:
        """Whether the server itself speaks TLS: it does not."""
        return False

    @property
    def should_reload(self) -> bool:
        """Whether a change of the sources starts it again: it does not."""
        return False

    def load(self) -> None:
        """Import the application, if that is needed.

        Raises:
            ImportError, AttributeError: There is no such application.
            TypeError: It is no ASGI application.
        """
        app = import_app(self.app) if isinstance(self.app, str) else self.app
        if not callable(app):
            raise TypeError(f"app must be an ASGI application, not {type(app).__name__}")
        try:
            interface = detect(app)
        except TypeError:  # its signature does not tell: it is what was said
            interface = "asgi"
        if interface == "wsgi":
            raise TypeError(f"{self.app!r} is a WSGI application: see httpuv.wsgi.run()")
        factory = self.factory or interface == "asgi-factory"
        self.loaded_app = app() if factory else app
        self.loaded = True

    def lifespan_class(self, config: Config) -> Lifespan:
        """The lifespan of the application of a configuration."""
        return Lifespan(config.loaded_app, config.lifespan)

    def setup_event_loop(self) -> None:
        """Nothing to do: the loop is chosen when one is made."""

    def get_loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop]:
        """What makes an event loop: uvloop's where that is installed."""
        return new_event_loop

    def bind_socket(self) -> sockets_module.socket:
        """A socket that is bound to host and port, for ``Server.run(sockets=[...])``."""
        family = sockets_module.AF_INET6 if ":" in self.host else sockets_module.AF_INET
        bound = sockets_module.socket(family, sockets_module.SOCK_STREAM)
        try:
            bound.setsockopt(sockets_module.SOL_SOCKET, sockets_module.SO_REUSEADDR, 1)
            bound.bind((self.host, self.port))
        except BaseException:
            bound.close()
            raise
        return bound


class _Listening:
    """What ``Server.servers`` has: its ``sockets`` tell their addresses."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        self._address = address
        self.sockets = [self]

    def getsockname(self) -> tuple[str, int] | str:
        """The address that is listened on."""
        return self._address


class Server:
    """Serves one ASGI application, in the asyncio loop that runs :meth:`serve`.

    Attributes:
        config: Its options.
        started: Whether it listens.
        servers: One entry, when it has started: ``servers[0].sockets[0].getsockname()``.
        server: The :class:`httpuv.WebServer` or :class:`httpuv.PipeServer`, when it has started.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.started = False
        self.servers: list[_Listening] = []
        self.server: CoreServer | None = None
        self.lifespan: Lifespan | None = None
        self._should_exit = False
        self._force_exit = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event | None = None

    # --- what ends it; may be set on any thread ---

    @property
    def should_exit(self) -> bool:
        """Set it to True to end the server when what is under way is done."""
        return self._should_exit

    @should_exit.setter
    def should_exit(self, value: bool) -> None:
        self._should_exit = value
        self._tell()

    @property
    def force_exit(self) -> bool:
        """Set it to True to end the server at once."""
        return self._force_exit

    @force_exit.setter
    def force_exit(self, value: bool) -> None:
        self._force_exit = value
        self._tell()

    def _tell(self) -> None:
        loop, changed = self._loop, self._changed
        if loop is not None and changed is not None:
            with contextlib.suppress(RuntimeError):  # it was closed
                loop.call_soon_threadsafe(changed.set)

    def handle_exit(self, sig: int, frame: object) -> None:
        """A signal handler: the first one ends the server, the second one at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        else:
            self.should_exit = True

    # --- running ---

    def run(self, sockets: list[sockets_module.socket] | None = None) -> None:
        """Serve until it is to exit, in an event loop of its own.

        Raises:
            LifespanError: The application has failed to start.
            OSError: The address cannot be listened on.
            KeyboardInterrupt: Ctrl-C; the server has been stopped.
            RuntimeError: An asyncio loop is running here: await :meth:`serve` there.
        """
        run_coroutine(self.serve(sockets))

    async def serve(self, sockets: list[sockets_module.socket] | None = None) -> None:
        """Serve until it is to exit.

        Raises:
            LifespanError, OSError: As for :meth:`run`.
        """
        with self.capture_signals():
            await self.startup(sockets)
            try:
                await self.main_loop()
            finally:
                await self.shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Have SIGINT and SIGTERM end the server, where its options ask for that."""
        if not self.config.handle_signals or (
            threading.current_thread() is not threading.main_thread()
        ):
            yield
            return
        before = {
            each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    async def startup(self, sockets: list[sockets_module.socket] | None = None) -> None:
        """Start the application, then listen.

        Raises:
            LifespanError, OSError: As for :meth:`run`.
        """
        config = self.config
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        if not config.loaded:
            config.load()
        if config.log_level is not None:
            logger.setLevel(_level(config.log_level))
        if self.lifespan is None:
            self.lifespan = config.lifespan_class(config)
        await self.lifespan.startup()
        try:
            self._listen(sockets)
        except BaseException:
            await self.lifespan.shutdown(GRACE)
            raise
        self.started = True

    def _listen(self, sockets: list[sockets_module.socket] | None) -> None:
        config = self.config
        options = dict(config.options)
        mounts = dict(options.pop("mounts", None) or {})
        mounts["/"] = Mount(
            config.loaded_app,
            "asgi",
            root_path=config.root_path,
            lifespan=self.lifespan or "off",
            scheme=config.scheme,
        )
        app = {
            "staticPaths": options.pop("staticPaths", None),
            "staticPathOptions": options.pop("staticPathOptions", None),
        }
        options = {
            "limits": config.limits,
            "accessLog": config.access_log,
            "dispatch": "asyncio",
            "mounts": mounts,
            **options,
        }
        if sockets or config.fd is not None:
            bound = _bound_socket(sockets, config.fd)
            name = bound.getsockname()
            self.server = AdoptedServer(bound.detach(), app, True, **options)
            self.servers = [_Listening(name)]
        elif config.uds is not None:
            self.server = startPipeServer(config.uds, None, app, True, **options)
            self.servers = [_Listening(config.uds)]
        else:
            server = startServer(config.host, config.port, app, True, **options)
            self.server = server
            self.servers = [_Listening((config.host, server.getPort()))]

    async def main_loop(self) -> None:
        """Return when the server is to exit, or was stopped."""
        changed = self._changed
        assert changed is not None and self.server is not None
        while not self._should_exit and not self._force_exit and self.server.isRunning():
            with contextlib.suppress(asyncio.TimeoutError):
                # stopAllServers() and its like do not tell.
                await asyncio.wait_for(changed.wait(), 0.5)
            changed.clear()

    async def shutdown(self, sockets: list[sockets_module.socket] | None = None) -> None:
        """Stop listening, wait for what is under way, stop the application.

        Streams that have no end of their own and WebSockets are told first.
        """
        server = self.server
        grace = self.config.timeout_graceful_shutdown
        timeout = 0.0 if self._force_exit else GRACE if grace is None else float(grace)
        if server is not None:
            await self._stop(server, timeout)
        for each in sockets or ():
            each.close()
        if self.lifespan is not None and not self._force_exit:
            await self.lifespan.shutdown(GRACE if grace is None else max(0.1, float(grace)))
        self.lifespan = None
        self.started = False

    async def _stop(self, server: CoreServer, timeout: float) -> None:
        changed = self._changed
        assert changed is not None
        stopping = asyncio.ensure_future(server.aclose(timeout))
        while not stopping.done():
            changed.clear()
            if self._force_exit:
                server._applications.cancel()
            forced = asyncio.ensure_future(changed.wait())
            try:
                await asyncio.wait([stopping, forced], return_when=asyncio.FIRST_COMPLETED)
            finally:
                forced.cancel()
        await stopping


def _level(level: str | int) -> int:
    if isinstance(level, int):
        return level
    name = "DEBUG" if level.upper() == "TRACE" else level.upper()
    number = logging.getLevelName(name)
    if not isinstance(number, int):
        raise ValueError(f"log_level must be the name of a level, not {level!r}")
    return number


def _bound_socket(
    sockets: list[sockets_module.socket] | None, fd: int | None
) -> sockets_module.socket:
    """A copy of a socket that others have bound; it listens."""
    if sockets:
        if len(sockets) > 1:
            raise ValueError(f"sockets must be one at most, not {len(sockets)}")
        bound = sockets[0].dup()
    else:
        assert fd is not None
        bound = sockets_module.socket(fileno=os.dup(fd))
    try:
        bound.listen(2048)
    except BaseException:
        bound.close()
        raise
    return bound


def run_coroutine(coroutine: Any) -> None:
    """``asyncio.run()``, on uvloop where that is installed."""
    if sys.version_info >= (3, 11):
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(coroutine)
        except BaseException:
            coroutine.close()
            raise
        return
    try:
        import uvloop
    except ImportError:
        asyncio.run(coroutine)
        return
    policy = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        asyncio.run(coroutine)
    finally:
        asyncio.set_event_loop_policy(policy)


def run(app: Any, *, config: Config | None = None, **options: Any) -> None:
    """Serve an ASGI application until Ctrl-C.

    Args:
        app: The application, or ``"module:attribute"``.
        config: Its options, instead of ``options``.
        options: Those of :class:`Config`.

    Raises:
        LifespanError: The application has failed to start; the message is its own.
        OSError: The address cannot be listened on.
        TypeError, ValueError: An option is wrong.
    """
    server = Server(config or Config(app, **options))
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


async def serve(app: Any, **options: Any) -> None:
    """The same in the asyncio loop that is running here; ends when it is cancelled.

    Raises:
        As for :func:`run`.
    """
    await Server(Config(app, **options)).serve()


__all__ = ["Config", "LifespanError", "Server", "run", "serve"]
