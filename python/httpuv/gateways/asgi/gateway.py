"""The gateway of one ASGI application of a server."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ... import _core
from ...base.log import write
from ...dispatch import tasks
from .exchange import HttpExchange
from .lifespan import Lifespan, LifespanError
from .websocket import WebSocketExchange

if TYPE_CHECKING:
    from ...answers.asyncapp import Answers
    from ...options.limits import Limits

#: The extensions that every HTTP request offers.
_EXTENSIONS: dict[str, dict[str, Any]] = {
    "http.response.pathsend": {},
    "http.response.zerocopysend": {},
    "http.response.trailers": {},
    "http.response.early_hint": {},
    "httpuv.events": {},
}
#: The keys of a scope that are the same in every request.
_OF_HTTP = (
    *("type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string"),
    *("root_path", "headers", "client", "server", "state", "extensions"),
)
_WS_EXTENSIONS: dict[str, dict[str, Any]] = {"websocket.http.response": {}}


class AsgiGateway:
    """One ASGI application of one server.

    Args:
        app: The application.
        answers: The pending answers of the server.
        prefix: The path of the mount, decoded and without a slash at its end; ``""`` is the root.
        root_path: The prefix that a proxy in front removes from paths.
        lifespan: The application's lifespan; None: it has none.
        websocket: Whether the application gets WebSockets.
        scheme: ``"http"`` or ``"https"``, as clients see it.
    """

    def __init__(
        self,
        app: Any,
        answers: Answers,
        prefix: str = "",
        root_path: str = "",
        lifespan: Lifespan | None = None,
        websocket: bool = True,
        scheme: str = "http",
    ) -> None:
        self.app = app
        self.answers = answers
        self.prefix = prefix
        self.root_path = root_path
        self.lifespan = lifespan
        self.websocket = websocket
        self.scheme = scheme
        self._extensions = {name: dict(each) for name, each in _EXTENSIONS.items()}
        #: The exchanges that were not finished in their first step.
        self.open: set[HttpExchange | WebSocketExchange] = set()
        #: Whether the server starts and stops the lifespan.
        self.starts_lifespan = False
        #: Where the lifespan was started without waiting for it.
        self.loop: asyncio.AbstractEventLoop | None = None
        #: Set while the lifespan's startup goes on: requests wait for it.
        self.not_ready: asyncio.Future[None] | None = None

    def options(self, limits: Limits) -> dict[str, Any]:
        """The mount, as the core takes it."""
        spec = {"version": "3.0", "spec_version": "2.5"}
        common = {
            "asgi": spec,
            "http_version": "1.1",
            "root_path": self.root_path + self.prefix,
        }
        secure = self.scheme == "https"
        has_state = self.lifespan is not None and self.lifespan.mode != "off"
        return {
            "interface": "asgi",
            "prefix": self.prefix,
            "app": self.app,
            "exchange": type("HttpExchange", (HttpExchange,), {"gateway": self}),
            "gateway": self,
            "apart": self.answers.apart,
            "open_websocket": self._open_websocket,
            "state": self.lifespan.state if self.lifespan is not None and has_state else None,
            "path_prefix": self.root_path,
            "http_scope": {
                "type": "http",
                **common,
                "scheme": self.scheme,
                "extensions": self._extensions,
            },
            "websocket_scope": {
                "type": "websocket",
                **common,
                "scheme": "wss" if secure else "ws",
                "extensions": dict(_WS_EXTENSIONS),
            },
            "websocket": self.websocket,
            "gather_body": limits.body_memory_bytes,
        }

    def offer_no_files(self) -> None:
        """Do not offer the extension pathsend any more: a middleware does not know it."""
        for name in ("http.response.pathsend", "http.response.zerocopysend"):
            self._extensions.pop(name, None)

    def scope_again(self, scope: dict[str, Any]) -> dict[str, Any]:
        """A new copy of the scope, without changes by the application."""
        fresh = {name: scope[name] for name in _OF_HTTP if name in scope}
        fresh["root_path"] = self.root_path + self.prefix
        fresh["path"] = unquote(scope["raw_path"].decode("ascii", "replace"))
        fresh["extensions"] = dict(self._extensions)
        return fresh

    def _open_websocket(
        self, app: Any, scope: dict[str, Any], socket: _core.Socket, reply: _core.Reply
    ) -> WebSocketExchange:
        return WebSocketExchange(self, app, scope, socket, reply)

    def coroutine(self, result: object) -> Coroutine[Any, Any, Any]:
        """The result of a call of the application, as a coroutine.

        Raises:
            TypeError: It cannot be awaited.
        """
        coroutine = tasks.coroutine_of(result)
        if coroutine is None:
            raise TypeError(
                f"an ASGI application must return something to await, not {type(result).__name__}"
            )
        return coroutine

    # --- lifespan ---

    def begin_lifespan(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the application in the loop that runs here; requests wait for it."""
        assert self.lifespan is not None
        self.loop = loop
        self.not_ready = loop.create_future()
        task = loop.create_task(self._startup(self.lifespan))
        task.add_done_callback(lambda done: done.exception())

    async def _startup(self, lifespan: Lifespan) -> None:
        ready = self.not_ready
        assert ready is not None
        try:
            await lifespan.startup()
        except LifespanError as error:
            write(logging.ERROR, "the ASGI application has failed to start: %s", error)
            ready.set_exception(error)
            ready.exception()
            return
        self.not_ready = None
        ready.set_result(None)

    async def until_ready(self) -> None:
        """Wait for the lifespan's startup.

        Raises:
            LifespanError: It has failed.
        """
        if self.not_ready is not None:
            await asyncio.shield(self.not_ready)

    # --- the end ---

    async def drain(self, timeout: float) -> None:
        """Wait for running exchanges, after telling them that the server stops.

        Event streams and WebSockets are told at once, others after half of the time. Exchanges that
        still run at the end are cancelled.
        """
        for each in list(self.open):
            if each.is_event_stream():
                each.tell_shutdown()
        if not await self._until_empty(timeout / 2):
            for each in list(self.open):
                each.tell_shutdown(last=True)
            await self._until_empty(timeout / 2)
        self.cancel()
        if self.open:
            await self._until_empty(0.5)

    def cancel(self) -> None:
        """Cancel all running exchanges."""
        for each in list(self.open):
            if each.task is not None:
                each.task.cancel()

    async def _until_empty(self, timeout: float) -> bool:
        tasks = [each.task for each in self.open if each.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)
        return not self.open


class BlockingLifespan:
    """The lifespan of an application if the server is started outside asyncio.

    It runs in the loop that runs the application's coroutines.
    """

    def __init__(self, lifespan: Lifespan, loop: asyncio.AbstractEventLoop) -> None:
        self.lifespan = lifespan
        self.loop = loop

    def startup(self) -> None:
        """Start the application and wait until it has started.

        Raises:
            LifespanError: The application has failed to start.
        """
        asyncio.run_coroutine_threadsafe(self.lifespan.startup(), self.loop).result()

    def shutdown(self, timeout: float) -> None:
        """Stop the application; wait at most ``timeout`` seconds."""
        done = threading.Event()

        async def stop() -> None:
            try:
                await self.lifespan.shutdown(timeout)
            finally:
                done.set()

        coroutine = stop()
        try:
            self.loop.call_soon_threadsafe(lambda: self.loop.create_task(coroutine))
        except RuntimeError:  # it was closed
            coroutine.close()
            return
        done.wait(timeout + 1.0)
