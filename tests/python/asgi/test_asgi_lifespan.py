"""ASGI lifespans, and how a server of an ASGI application ends."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpuv
import httpuv.asgi
import pytest
from asgi_support import Message, Running, answer, read_until, running, without_lifespan
from conftest import Log
from support import PATIENCE
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as open_socket


class App:
    """An application that does as it is told, and notes what happens."""

    def __init__(self, startup: Message, shutdown: Message | None = None) -> None:
        self.startup = startup
        self.shutdown = shutdown or {"type": "lifespan.shutdown.complete"}
        self.seen: list[str] = []

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            scope["state"]["own"] = True
            return await answer(send, repr(scope["state"]).encode())
        self.seen.append((await receive())["type"])
        scope["state"]["shared"] = "yes"
        await send(self.startup)
        self.seen.append((await receive())["type"])
        await send(self.shutdown)


def test_startup_state_and_shutdown() -> None:
    app = App({"type": "lifespan.startup.complete"})
    with running(app) as server:
        for _ in range(2):
            assert server.get()[2] == b"{'shared': 'yes', 'own': True}"
        assert app.seen == ["lifespan.startup"]
    assert app.seen == ["lifespan.startup", "lifespan.shutdown"]


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_failing_startup_ends_the_start(mode: str) -> None:
    app = App({"type": "lifespan.startup.failed", "message": "no database"})
    with pytest.raises(httpuv.asgi.LifespanError, match="no database"):
        Running(app, lifespan=mode)
    assert httpuv.listServers() == []
    with pytest.raises(httpuv.asgi.LifespanError, match="no database"):
        httpuv.startServer("127.0.0.1", 0, app)
    assert httpuv.listServers() == []


def test_no_lifespan() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await answer(send, b"ok")

    with running(app) as server:
        assert server.get()[2] == b"ok"
    with pytest.raises(httpuv.asgi.LifespanError, match="no lifespan here"):
        Running(app, lifespan="on")


def test_off() -> None:
    app = App({"type": "lifespan.startup.complete"})

    async def without_state(scope: Message, receive: Any, send: Any) -> None:
        assert "state" not in scope
        await answer(send, b"ok")

    with running(without_state, lifespan="off") as server:
        assert server.get()[2] == b"ok"
    assert app.seen == []


def test_start_server_outside_of_asyncio() -> None:
    app = App({"type": "lifespan.startup.complete"})
    with httpuv.startServer("127.0.0.1", 0, app):
        assert app.seen == ["lifespan.startup"]
    assert app.seen == ["lifespan.startup", "lifespan.shutdown"]


def test_start_server_inside_of_asyncio() -> None:
    app = App({"type": "lifespan.startup.complete"})

    async def main() -> None:
        server = httpuv.startServer("127.0.0.1", 0, app)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.getPort())
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert b"'shared': 'yes'" in await reader.read()
        writer.close()
        await server.aclose(1)
        until = time.monotonic() + PATIENCE
        while len(app.seen) < 2 and time.monotonic() < until:
            await asyncio.sleep(0.001)

    asyncio.run(main())
    assert app.seen == ["lifespan.startup", "lifespan.shutdown"]


# --- the end ------------------------------------------------------------------------------------


def test_streams_of_events_and_websockets_never_keep_it() -> None:
    ends: list[str] = []

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            ends.append((await receive())["type"])
            return
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
        ends.append((await receive())["type"])

    with running(app, timeout_graceful_shutdown=60) as server:
        client = server.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(client, b"data: x\n\n")
        with open_socket(f"ws://127.0.0.1:{server.port}/", proxy=None) as socket:
            server.stop()  # which raises an exception if it takes PATIENCE
            with pytest.raises(ConnectionClosed) as caught:
                socket.recv(timeout=PATIENCE)
        assert caught.value.rcvd is not None and caught.value.rcvd.code == 1001
        assert read_until(client, b"0\r\n\r\n")  # it has ended as it should
        client.close()
    assert sorted(ends) == ["http.disconnect", "websocket.disconnect"]


def test_an_answer_under_way_is_finished() -> None:
    begun = threading.Event()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        begun.set()
        await asyncio.sleep(0.3)
        await answer(send, b"finished")

    with running(app) as server:
        client = server.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert begun.wait(PATIENCE)
        server.stop()
        assert read_until(client, b"finished")
        client.close()


@pytest.mark.parametrize("force", [False, True])
def test_what_does_not_end_is_cancelled(force: bool) -> None:
    begun = threading.Event()
    cancelled = threading.Event()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with running(app, timeout_graceful_shutdown=3600 if force else 0.2) as server:
        client = server.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert begun.wait(PATIENCE)
        if force:
            server.server.should_exit = True
            server.server.force_exit = True
        server.stop()
        assert cancelled.wait(PATIENCE)
        client.close()


def test_two_servers_one_after_the_other_in_one_loop() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await answer(send, b"ok")

    async def main() -> None:
        for _ in range(2):
            server = httpuv.asgi.Server(httpuv.asgi.Config(app, port=0))
            await server.startup()
            assert server.started
            await server.shutdown()
            assert server.started  # programs exit with an error where it has never started
            assert server.server is not None and not server.server.isRunning()

    asyncio.run(main())


# --- Config -------------------------------------------------------------------------------------


def test_config() -> None:
    config = httpuv.asgi.Config("asgi_support:answer", port=0, log_config=None, ws="auto")
    assert (config.host, config.port, config.loaded, config.is_ssl) == (
        "127.0.0.1",
        0,
        False,
        False,
    )
    with pytest.raises(TypeError, match="unexpected keyword argument 'portt'"):
        httpuv.asgi.Config(answer, portt=1)
    with pytest.raises(ValueError, match="workers"):
        httpuv.asgi.Config(answer, workers=2)
    with pytest.raises(ValueError, match="lifespan must be"):
        httpuv.asgi.Config(answer, lifespan="maybe")
    with pytest.raises(ValueError, match="ssl_certfile"):
        httpuv.asgi.Config(answer, ssl_keyfile="x")
    with pytest.raises(ValueError, match="ssl_context_factory"):
        httpuv.asgi.Config(answer, ssl_context_factory=print)
    with pytest.raises(TypeError, match="ssl_nonsense"):
        httpuv.asgi.Config(answer, ssl_nonsense=1)
    with pytest.raises(ValueError, match="lifespan"):
        Running(App({}), lifespan="maybe")


def test_factory_and_sockets() -> None:
    def make() -> Any:
        return App({"type": "lifespan.startup.complete"})

    config = httpuv.asgi.Config(make, port=0, factory=True)
    bound = config.bind_socket()
    port = bound.getsockname()[1]
    server = httpuv.asgi.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    until = time.monotonic() + PATIENCE
    while not server.started and time.monotonic() < until:
        time.sleep(0.002)
    assert server.servers[0].sockets[0].getsockname() == ("127.0.0.1", port)
    server.should_exit = True
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert bound.fileno() == -1  # closed, as uvicorn does it


def test_options_of_uvicorn_that_only_the_command_has(log: Log) -> None:
    httpuv.asgi.Config(answer, reload=False, http2=None, loop="uvloop", log_config={})
    assert log.text() == ""
    httpuv.asgi.Config(answer, reload=True, limit_max_requests=5)
    assert "the option reload has no effect here: 'httpuv run --reload'" in log.text()
    assert "the option limit_max_requests has no effect here" in log.text()


def test_limit_concurrency() -> None:
    config = httpuv.asgi.Config(answer, limit_concurrency=7)
    assert config.limit_concurrency == config.limits.queue_requests == 7
