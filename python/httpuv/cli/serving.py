"""Serve an application on the main thread until the process must end."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ..asgi.config import Config
from ..asgi.server import Server as AsgiServer
from ..brokers.hub import SHARED
from ..brokers.worker import Worker
from ..gateways.asgi.lifespan import LifespanError
from ..gateways.interfaces import Mount
from ..options.limits import Limits
from ..options.proxies import THIS_MACHINE
from ..options.static import normalize_paths
from ..options.topic_options import Topic
from ..rook.app import normalize_app
from ..servers import start
from ..servers.adopted import AdoptedServer
from ..servers.server import Server
from ..servers.urls import local_url
from ..servers.web import WebServer
from .console import Mistake, complain
from .failures import not_started
from .life import times_of
from .load import Application
from .options.settings import Settings
from .tls import of_settings

#: Called with the server when it listens.
Started = Callable[[Server], None]


class Serving(Protocol):
    """A served application."""

    def run(self) -> None:
        """Serve until stopped.

        Raises:
            Mistake: The server cannot be started.
        """

    def stop(self) -> None:
        """Stop after answers under way. Returns at once; on any thread and in handlers."""


def run_to_the_end(served: Serving) -> None:
    """Serve until stopped; say so if the application itself ends the process.

    Raises:
        Mistake: The server cannot be started.
        SystemExit: A callback has called sys.exit().
    """
    try:
        served.run()
    except SystemExit as error:
        complain(f"the application has called sys.exit({error.code!r}), which ends this process")
        raise


def serving(
    application: Application,
    settings: Settings,
    started: Started,
    fd: int | None = None,
    multiprocess: bool = False,
) -> Serving:
    """Create the object that serves an application.

    Args:
        application: The application.
        settings: The settings of the command.
        started: Called when the server listens, on the thread that serves.
        fd: A listening socket, also for ``--uds``; None: the settings have host and port.
        multiprocess: Whether other processes serve the same application.

    Raises:
        Mistake: An option does not fit the application.
    """
    if application.interface == "asgi":
        return _Asgi(application.app, settings, started, fd, multiprocess)
    return _Blocking(application, settings, started, fd, multiprocess)


def _common(settings: Settings, multiprocess: bool) -> dict[str, Any]:
    path = os.environ.get(SHARED) if multiprocess else None
    return {
        # The workers share topics through the process that has started them.
        **({} if path is None else {"broker": Worker(path), "topics": {"*": Topic()}}),
        "tls": of_settings(settings),
        "limits": Limits(**settings.limits),  # type: ignore[arg-type]  # by name
        "ioThreads": settings.io_threads,
        "backlog": settings.backlog,
        "accessLog": settings.log_format if settings.access_log else False,
        "accessLogFile": settings.access_log_file if settings.access_log else None,
        "allowedHosts": settings.allowed_host or None,
        "forwardedAllowIps": settings.forwarded_allow_ips
        or (THIS_MACHINE if settings.proxy_headers else None),
        "proxyProtocol": settings.proxy_protocol,
        "health": settings.health,
        "ready": settings.ready,
        "readyMaxWait": settings.ready_max_wait,
        "metrics": settings.metrics,
        "admin": settings.admin,
    }


def _static(settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in settings.static:
        url, path = each.split("=", 1)
        try:
            ((url, static),) = normalize_paths({url: path}).items()
        except OSError as error:
            raise Mistake(f"--static {each}: {error.strerror}") from None
        except ValueError as error:
            raise Mistake(f"--static {each}: {error}") from None
        if url in found:
            raise Mistake(f"--static {each}: {url} was given before")
        found[url] = static
    return found


class _Asgi:
    """An ASGI application, in a new asyncio loop on this thread."""

    def __init__(
        self,
        app: Any,
        settings: Settings,
        started: Started,
        fd: int | None,
        multiprocess: bool,
    ) -> None:
        self._settings = settings
        options = _common(settings, multiprocess)
        self._server = _ToldServer(
            Config(
                app,
                settings.host,
                settings.port,
                fd=fd,
                lifespan=settings.lifespan,
                root_path=settings.root_path,
                timeout_graceful_shutdown=times_of(settings.graceful_timeout),
                backlog=options.pop("backlog"),
                staticPaths=_static(settings),
                **options,
            ),
            settings,
            started,
        )
        self._server.config.loaded_app = app
        self._server.config.loaded = True

    def run(self) -> None:
        try:
            self._server.run()
        except LifespanError as error:
            raise Mistake(f"the application has failed to start: {error}") from None

    def stop(self) -> None:
        self._server.should_exit = True


class _ToldServer(AsgiServer):
    """Reports when it listens."""

    def __init__(self, config: Config, settings: Settings, started: Started) -> None:
        super().__init__(config)
        self._settings = settings
        self._when_started = started

    def _listen(self, sockets: list[socket.socket] | None) -> None:
        try:
            super()._listen(sockets)
        except (OSError, TypeError, ValueError) as error:
            raise not_started(error, self._settings) from None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert self.server is not None
        self._when_started(self.server)


@dataclass
class _Blocking:
    """A WSGI or Rook application. With ``--threads 1`` it runs on this thread."""

    application: Application
    settings: Settings
    started: Started
    fd: int | None
    multiprocess: bool

    def __post_init__(self) -> None:
        self._server: Server | None = None
        # A SimpleQueue: a signal handler may call put() at any time.
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._stopped = threading.Event()

    def run(self) -> None:
        settings = self.settings
        try:
            self._server = server = self._start()
        except (OSError, TypeError, ValueError) as error:
            raise not_started(error, settings) from None
        stopper = threading.Thread(target=self._stop, name="httpuv stop", daemon=True)
        stopper.start()
        try:
            self.started(server)
            source = server._dispatcher.source
            if server._dispatcher.threads == 1:
                # A call of interrupt() by the application ends it as well.
                source.serve(None, until=self._stopped.is_set)
            else:
                self._stopped.wait()
        finally:
            self._asked.put(None)
            if server._dispatcher.threads == 1:
                server._dispatcher.source.serve(None, until=self._stopped.is_set)
            stopper.join()

    def _stop(self) -> None:
        """Wait for the order to stop, then stop; this thread runs the last callbacks."""
        server = self._server
        assert server is not None
        self._asked.get()
        try:
            server.stop(times_of(self.settings.graceful_timeout))
        finally:
            self._stopped.set()
            server._dispatcher.source.wake()

    def stop(self) -> None:
        self._asked.put(None)

    def _start(self) -> Server:
        settings, app = self.settings, self.application.app
        options = _common(settings, self.multiprocess)
        if settings.wsgi_input == "stream" and settings.threads == 1:
            raise Mistake(
                "--wsgi-input stream needs --threads: a thread that waits for a slow client must"
                " not be the only one"
            )
        options["dispatch"] = "service" if settings.threads == 1 else settings.threads
        if self.application.interface == "wsgi":
            mount = Mount(app, "wsgi", root_path=settings.root_path, multiprocess=self.multiprocess)
            options.update(gzip=False, mounts={"/": mount}, wsgiInput=settings.wsgi_input)
            app = {"staticPaths": _static(settings)}
        else:
            app = normalize_app(app)
            app = dataclasses.replace(app, staticPaths={**app.staticPaths, **_static(settings)})
        if self.fd is not None:
            return _adopted(os.dup(self.fd), app, options)
        return start.startServer(settings.host, settings.port, app, True, **options)


def _adopted(fd: int, app: object, options: dict[str, Any]) -> Server:
    try:
        return AdoptedServer(fd, app, True, **options)
    except BaseException:
        with contextlib.suppress(OSError):  # it was adopted and closed
            os.close(fd)
        raise


def address_of(server: Server) -> str:
    """The address of a server, for messages."""
    if isinstance(server, AdoptedServer) and server.getPort() == 0:
        return "a Unix socket"
    assert isinstance(server, (WebServer, AdoptedServer))
    return local_url(server.getHost(), server.getPort(), server._scheme)
