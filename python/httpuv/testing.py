"""Clients for tests of applications: ``pip install 'httpuv[testing]'``.

>>> import httpuv.testing
>>> with httpuv.testing.client(lambda req: {"status": 200, "body": "hello"}) as client:
...     client.get("/").text
'hello'

Each client has its own server on a free port of 127.0.0.1. So requests pass the network, the parser
and the limits as in production. The clients are those of httpx; WebSockets are those of the package
websockets.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

try:
    import httpx
except ImportError as error:
    raise ImportError(
        "httpuv.testing needs httpx: pip install 'httpuv[testing]'", name=error.name
    ) from error

from .dispatch import tasks
from .servers.start import startServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack
    from websockets.asyncio.client import connect as AsyncConnect
    from websockets.sync.client import ClientConnection

    from .gateways.types import AnyApp
    from .options.server import WebOptions
    from .servers.web import WebServer

__all__ = ["AsyncClient", "Client", "async_client", "client"]

#: Seconds for answers under way when a client is closed.
_GRACE = 1.0


def client(app: AnyApp, **options: Unpack[WebOptions]) -> Client:
    """Start a server for an application on a free port; return a client of the server.

    The end of the ``with`` block, or ``close()``, stops the server.

    Args:
        app: As for :func:`httpuv.startServer`.
        options: As for :func:`httpuv.startServer`. The default of ``dispatch`` is ``"thread"``, so
            that the test can wait for answers.

    Returns:
        An :class:`httpx.Client` with the server's address: ``client.get("/path")``.

    Raises:
        TypeError, ValueError: As for :func:`httpuv.startServer`.
    """
    options.setdefault("dispatch", "thread")
    return Client(startServer("127.0.0.1", 0, app, **options))


def async_client(app: AnyApp, **options: Unpack[WebOptions]) -> AsyncClient:
    """The same for asyncio: ``async with async_client(app) as client: await client.get("/")``.

    Args:
        app: As for :func:`httpuv.startServer`.
        options: As for :func:`httpuv.startServer`. By default callbacks run in the running asyncio
            loop, or on a thread if no loop runs.

    Returns:
        An :class:`httpx.AsyncClient` with the server's address.

    Raises:
        TypeError, ValueError: As for :func:`httpuv.startServer`.
    """
    options.setdefault("dispatch", "thread" if tasks.running_loop() is None else "asyncio")
    return AsyncClient(startServer("127.0.0.1", 0, app, **options))


def _address(server: WebServer) -> str:
    return f"127.0.0.1:{server.getPort()}"


def _handshake(
    server: WebServer,
    path: str,
    subprotocols: Sequence[str] | None,
    headers: dict[str, str] | None,
) -> dict[str, Any]:
    """The arguments of ``connect()`` of the package websockets, for threads and for asyncio."""
    return {
        "uri": f"ws://{_address(server)}{path}",
        "subprotocols": subprotocols,
        "additional_headers": headers,
        "proxy": None,
    }


class Client(httpx.Client):
    """An :class:`httpx.Client` of one server; made by :func:`client`."""

    #: The server: ``client.server.publish(...)``, ``client.server.app = ...``.
    server: WebServer

    def __init__(self, server: WebServer) -> None:
        # No proxy of the environment: the server is in this process.
        super().__init__(base_url=f"http://{_address(server)}", trust_env=False)
        self.server = server

    def websocket(
        self,
        path: str = "/",
        *,
        subprotocols: Sequence[str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> ClientConnection:
        """Open a WebSocket: ``with client.websocket("/chat") as ws: ws.send("hello")``.

        Args:
            path: Path and query.
            subprotocols: The client's subprotocols, in the order of preference.
            headers: Additional header fields of the handshake.

        Raises:
            websockets.exceptions.InvalidStatus: The server refused it.
        """
        from websockets.sync.client import connect

        connection: ClientConnection = connect(
            **_handshake(self.server, path, subprotocols, headers)
        )
        return connection

    def close(self) -> None:
        """Close the connections and stop the server."""
        super().close()
        self.server.stop(_GRACE)

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self.server.stop(_GRACE)


class AsyncClient(httpx.AsyncClient):
    """An :class:`httpx.AsyncClient` of one server; made by :func:`async_client`."""

    #: The server.
    server: WebServer

    def __init__(self, server: WebServer) -> None:
        super().__init__(base_url=f"http://{_address(server)}", trust_env=False)
        self.server = server

    def websocket(
        self,
        path: str = "/",
        *,
        subprotocols: Sequence[str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> AsyncConnect:
        """Open a WebSocket: ``async with client.websocket("/chat") as ws: await ws.send("hello")``.

        Arguments and errors are those of :meth:`Client.websocket`.
        """
        from websockets.asyncio.client import connect

        return connect(**_handshake(self.server, path, subprotocols, headers))

    async def aclose(self) -> None:
        """Close the connections and stop the server."""
        await super().aclose()
        await self.server.aclose(_GRACE)

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await super().__aexit__(kind, error, trace)
        await self.server.aclose(_GRACE)
