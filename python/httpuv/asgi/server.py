"""A server for one ASGI application in an asyncio program, or as a program.

``Config`` and ``Server`` have the attributes and methods that programs use of uvicorn's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket as sockets_module
import sys
import threading
from collections.abc import Iterator
from typing import Any

from ..base.log import logger
from ..dispatch.own_loop import new_event_loop
from ..gateways.asgi.lifespan import Lifespan, LifespanError
from ..gateways.interfaces import Mount
from ..servers.adopted import AdoptedServer
from ..servers.server import Server as CoreServer
from ..servers.start import announce, startPipeServer, startServer
from .config import Config, level_number

#: Seconds for answers under way to finish when the server stops.
GRACE = 10.0


class _Listening:
    """An entry of ``Server.servers``; its ``sockets`` have the addresses."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        self._address = address
        self.sockets = [self]

    def getsockname(self) -> tuple[str, int] | str:
        """The address of the listener."""
        return self._address


class Server:
    """Serves one ASGI application, in the asyncio loop that runs :meth:`serve`.

    Attributes:
        config: Its options.
        started: Whether the server has started. It stays True when the server has ended.
        servers: One entry after the start: ``servers[0].sockets[0].getsockname()``.
        server: The :class:`httpuv.WebServer` or :class:`httpuv.PipeServer`, after the start.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.started = False
        self.servers: list[_Listening] = []
        self.server: CoreServer | None = None
        self.lifespan: Lifespan | None = None
        self._announced = False
        self._should_exit = False
        self._force_exit = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event | None = None

    # --- these end the server; they may be set on any thread ---

    @property
    def should_exit(self) -> bool:
        """Set it to True to end the server after the answers under way."""
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
        """A signal handler: the first signal ends the server gracefully, the second at once."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        else:
            self.should_exit = True

    # --- running ---

    def run(self, sockets: list[sockets_module.socket] | None = None) -> None:
        """Serve until :attr:`should_exit` is set, in a new event loop.

        Raises:
            LifespanError: The application has failed to start.
            OSError: The address cannot be listened on.
            KeyboardInterrupt: Ctrl-C was pressed. The server is stopped then.
            RuntimeError: An asyncio loop runs here; await :meth:`serve` instead.
        """
        run_coroutine(self.serve(sockets))

    async def serve(self, sockets: list[sockets_module.socket] | None = None) -> None:
        """Serve until :attr:`should_exit` is set.

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
        """Let SIGINT and SIGTERM end the server, if ``handle_signals`` is set."""
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
            logger.setLevel(level_number(config.log_level))
        if self.lifespan is None:
            self.lifespan = config.lifespan_class(config)
        await self.lifespan.startup()
        try:
            self._listen(sockets)
        except BaseException:
            await self.lifespan.shutdown(GRACE)
            raise
        self.started = True
        if self._announced and self.server is not None:
            announce(self.server)

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
        """Return when the server must exit, or was stopped."""
        changed = self._changed
        assert changed is not None and self.server is not None
        self.server._on_stopping(self._tell)  # stop() and stopAllServers()
        while not self._should_exit and not self._force_exit and self.server.isRunning():
            await changed.wait()
            changed.clear()

    async def shutdown(self, sockets: list[sockets_module.socket] | None = None) -> None:
        """Stop listening, wait for answers under way, stop the application.

        Event streams and WebSockets are told first.
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


def _bound_socket(
    sockets: list[sockets_module.socket] | None, fd: int | None
) -> sockets_module.socket:
    """A listening copy of a bound socket."""
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
    """``asyncio.run()``, with uvloop if that is installed."""
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

    It prints its address, unless ``log_level`` is above ``"info"``. With ``handle_signals=True``
    SIGTERM ends it, too; both then let answers under way finish.

    Args:
        app: The application, or ``"module:attribute"``.
        config: Its options, instead of ``options``.
        options: Those of :class:`Config`.

    Raises:
        LifespanError: The application has failed to start; the message is the application's.
        OSError: The address cannot be listened on.
        TypeError, ValueError: An option is wrong.
    """
    server = Server(config or Config(app, **options))
    level = server.config.log_level
    server._announced = level is None or level_number(level) <= logging.INFO
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


async def serve(app: Any, **options: Any) -> None:
    """The same in the running asyncio loop; it ends when it is cancelled.

    Raises:
        As for :func:`run`.
    """
    await Server(Config(app, **options)).serve()


__all__ = ["Config", "LifespanError", "Server", "run", "serve"]
