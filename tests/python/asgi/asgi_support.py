"""ASGI applications, each on its own server, and what a test asks them."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpuv.asgi
from support import PATIENCE

Message = dict[str, Any]
App = Callable[[Message, Any, Any], Awaitable[None]]


class Running:
    """A server on a separate thread, with its own asyncio loop."""

    def __init__(self, app: Any, **options: Any) -> None:
        self.server = httpuv.asgi.Server(
            httpuv.asgi.Config(app, port=0, **{"timeout_graceful_shutdown": 5, **options})
        )
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        until = time.monotonic() + PATIENCE
        while not self.server.started and self.thread.is_alive() and time.monotonic() < until:
            time.sleep(0.002)
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self.server.run()
        except BaseException as error:
            self.error = error

    @property
    def port(self) -> int:
        name = self.server.servers[0].getsockname()
        assert isinstance(name, tuple)
        return name[1]

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()

    def get(self, path: str = "/", **options: Any) -> tuple[int, http.client.HTTPMessage, bytes]:
        return self.ask("GET", path, **options)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)


@contextlib.contextmanager
def running(app: Any, **options: Any) -> Iterator[Running]:
    server = Running(app, **options)
    try:
        yield server
    finally:
        server.stop()


def without_lifespan(app: App) -> App:
    """An application that has only HTTP and WebSockets."""

    async def checked(scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError("no lifespan here")
        await app(scope, receive, send)

    return checked


async def answer(send: Any, body: bytes = b"", status: int = 200, headers: Any = ()) -> None:
    """A whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


def read_until(stream: socket.socket, text: bytes) -> bytes:
    """What comes up to a text and with it."""
    got = b""
    while text not in got:
        piece = stream.recv(65536)
        assert piece, f"the connection has ended after {got!r}"
        got += piece
    return got
