"""Real frameworks on httpuv: each application on its own server and thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpuv
import httpuv.asgi
import httpx
import pytest

PATIENCE = 30.0


class Site:
    """A running application and a client of it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)

    def websocket(self, path: str, **options: Any) -> Any:
        from websockets.sync.client import connect

        return connect(
            f"ws://127.0.0.1:{self.port}{path}", proxy=None, open_timeout=PATIENCE, **options
        )


@pytest.fixture
def asgi() -> Iterator[Callable[..., Site]]:
    """Serve an ASGI application until the test ends."""
    running: list[tuple[httpuv.asgi.Server, threading.Thread, Site]] = []

    def serve(app: Any, **options: Any) -> Site:
        server = httpuv.asgi.Server(httpuv.asgi.Config(app, port=0, **options))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        until = time.monotonic() + PATIENCE
        while not server.started:
            assert thread.is_alive() and time.monotonic() < until, "it has not started"
            time.sleep(0.002)
        name = server.servers[0].getsockname()
        site = Site(int(name[1]))
        running.append((server, thread, site))
        return site

    yield serve
    for server, thread, site in running:
        site.http.close()
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def wsgi() -> Iterator[Callable[..., Site]]:
    """Serve a WSGI application until the test ends."""
    running: list[tuple[httpuv.WebServer, Site]] = []

    def serve(app: Any, threads: int = 1, **options: Any) -> Site:
        server = httpuv.startServer(
            "127.0.0.1", 0, httpuv.Mount(app, "wsgi"), dispatch=threads, **options
        )
        site = Site(server.getPort())
        running.append((server, site))
        return site

    yield serve
    for server, site in running:
        site.http.close()
        server.stop()
