"""ASGI over WebSocket: every state, with a client that we did not write (ASGI, WebSocket 2.5)."""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
import time
from typing import Any

import httpuv
import pytest
from asgi_support import Message, Running, read_until, running, without_lifespan
from support import PATIENCE, read_up_to
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket
from ws_support import TEXT, frame, handshake


def connect(server: Running, path: str = "/", **options: Any) -> ClientConnection:
    return open_socket(
        f"ws://127.0.0.1:{server.port}{path}",
        open_timeout=PATIENCE,
        close_timeout=PATIENCE,
        proxy=None,
        **options,
    )


@without_lifespan
async def echo(scope: Message, receive: Any, send: Any) -> None:
    assert await receive() == {"type": "websocket.connect"}
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        assert len(message) == 2
        await send({**message, "type": "websocket.send"})


def test_scope_and_echo() -> None:
    scopes: queue.Queue[Message] = queue.Queue()

    async def app(scope: Message, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            scopes.put(scope)
        await echo(scope, receive, send)

    with running(app) as server:
        with connect(server, "/a%20b?c=d", subprotocols=["p", "q"]) as client:
            for message in ("", "text", "é€", b"", b"bytes", "x" * 300_000, b"y" * 300_000):
                client.send(message)
                assert client.recv(timeout=PATIENCE) == message
        scope = scopes.get(timeout=PATIENCE)
        headers = scope.pop("headers")
        assert (b"sec-websocket-version", b"13") in headers
        assert scope.pop("client")[0] == "127.0.0.1"
        assert scope == {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": "/a b",
            "raw_path": b"/a%20b",
            "query_string": b"c=d",
            "root_path": "",
            "server": ("127.0.0.1", server.port),
            "subprotocols": ["p", "q"],
            "state": {},
            "extensions": {"websocket.http.response": {}},
        }


def test_accept_with_subprotocol_and_headers() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        accept = {"type": "websocket.accept", "subprotocol": "q"}
        await send({**accept, "headers": [(b"x-own", b"1"), (b"set-cookie", b"a=b")]})
        assert (await receive())["type"] == "websocket.connect"
        await receive()

    with (
        running(app) as server,
        connect(server, subprotocols=["p", "q"]) as client,
    ):
        assert client.subprotocol == "q"
        assert client.response is not None
        assert client.response.headers["x-own"] == "1"
        assert client.response.headers["set-cookie"] == "a=b"


@pytest.mark.parametrize(
    "wrong",
    [
        {"subprotocol": "a\r\nx: y"},
        {"headers": [(b"a", b"b\r\nc: d")]},
        {"headers": [(b"sec-websocket-protocol", b"p")]},
    ],
)
def test_what_is_accepted_is_checked(wrong: Message) -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        with pytest.raises(ValueError):
            await send({"type": "websocket.accept", **wrong})
        await send({"type": "websocket.close"})

    with running(app) as server, pytest.raises(InvalidStatus):
        connect(server).__enter__()


def test_the_handshake_waits_for_the_application() -> None:
    release = asyncio.Event()
    loops: queue.Queue[asyncio.AbstractEventLoop] = queue.Queue()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        loops.put(asyncio.get_running_loop())
        await release.wait()
        await send({"type": "websocket.close"})

    with running(app) as server:
        client = server.connect()
        client.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        loop = loops.get(timeout=PATIENCE)
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        loop.call_soon_threadsafe(release.set)
        client.settimeout(PATIENCE)
        assert client.recv(65536).startswith(b"HTTP/1.1 403 ")
        client.close()


@pytest.mark.parametrize("pieces", [1, 3])
def test_an_http_answer_instead(pieces: int) -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        start = {"type": "websocket.http.response.start", "status": 401}
        await send({**start, "headers": [(b"x-why", b"no")]})
        body = {"type": "websocket.http.response.body", "body": b"no"}
        for _ in range(pieces - 1):
            await send({**body, "more_body": True})
        await send(body)
        assert (await receive())["type"] == "websocket.disconnect"

    with running(app) as server:
        with pytest.raises(InvalidStatus) as caught:
            connect(server).__enter__()
        response = caught.value.response
        assert response.status_code == 401
        assert response.headers["x-why"] == "no"
        assert response.body == b"no" * pieces


def test_a_handshake_behind_one_that_was_refused() -> None:
    """A proxy uses a connection again: what comes belongs to the second WebSocket."""

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] == "/no":
            headers = [(b"content-length", b"2")]
            await send({"type": "websocket.http.response.start", "status": 403, "headers": headers})
            return await send({"type": "websocket.http.response.body", "body": b"no"})
        await send({"type": "websocket.accept"})
        await send({**await receive(), "type": "websocket.send"})

    with running(app) as server, server.connect() as client:
        for _ in range(2):
            client.sendall(handshake("/no"))
            read_up_to(client, b"no")
        client.sendall(handshake("/yes"))
        assert read_up_to(client, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        client.sendall(frame(TEXT, "hello"))
        read_until(client, b"\x81\x05hello")


def test_a_client_that_goes_while_it_is_accepted() -> None:
    gone: queue.Queue[Message] = queue.Queue()
    asked = threading.Event()
    left = threading.Event()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        asked.set()
        left.wait(PATIENCE)  # no other callback runs here: the accept comes too late
        await send({"type": "websocket.accept"})
        gone.put(await receive())

    with httpuv.startServer("127.0.0.1", 0, app, dispatch="thread") as server:
        with socket.create_connection(("127.0.0.1", server.getPort()), timeout=PATIENCE) as client:
            client.sendall(handshake())
            assert asked.wait(PATIENCE)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        deadline = time.monotonic() + PATIENCE
        while server.stats()["connections"] > 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        left.set()
        assert gone.get(timeout=PATIENCE)["code"] == 1006


def test_the_application_closes() -> None:
    seen: queue.Queue[Message] = queue.Queue()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "last"})
        await send({"type": "websocket.close", "code": 4001, "reason": "why"})
        with pytest.raises(RuntimeError):
            await send({"type": "websocket.send", "text": "late"})
        seen.put(await receive())

    with running(app) as server:
        with connect(server) as client:
            assert client.recv(timeout=PATIENCE) == "last"
            with pytest.raises(ConnectionClosed) as caught:
                client.recv(timeout=PATIENCE)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4001, "why")
        assert seen.get(timeout=PATIENCE)["type"] == "websocket.disconnect"


def test_the_client_closes() -> None:
    seen: queue.Queue[Any] = queue.Queue()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        seen.put(await receive())
        try:
            await send({"type": "websocket.send", "text": "late"})
        except OSError as error:
            seen.put(error)
            raise

    with running(app) as server:
        with connect(server) as client:
            client.close(4002, "bye")
        expected = {"type": "websocket.disconnect", "code": 4002, "reason": "bye"}
        assert seen.get(timeout=PATIENCE) == expected
        assert isinstance(seen.get(timeout=PATIENCE), OSError)
        with connect(server) as client:
            client.socket.shutdown(2)
        assert seen.get(timeout=PATIENCE)["code"] == 1006


@pytest.mark.parametrize(("path", "code"), [("/raises", 1011), ("/returns", 1000)])
def test_an_application_that_is_over(path: str, code: int) -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if scope["path"] == "/raises":
            raise ValueError("on purpose")

    with running(app) as server, connect(server, path) as client:
        with pytest.raises(ConnectionClosed) as caught:
            client.recv(timeout=PATIENCE)
        assert caught.value.rcvd is not None and caught.value.rcvd.code == code


def test_an_application_that_does_not_decide() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()

    with running(app) as server:
        with pytest.raises(InvalidStatus) as caught:
            connect(server).__enter__()
        assert caught.value.response.status_code == 500


def test_a_slow_client_slows_send() -> None:
    sent: queue.Queue[int] = queue.Queue()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        total = 0
        while True:
            task = asyncio.ensure_future(send({"type": "websocket.send", "bytes": bytes(100_000)}))
            done, _ = await asyncio.wait([task], timeout=1)
            if not done:
                sent.put(total)
                task.cancel()
                return
            total += 100_000

    with running(app, wsCompression=False) as server:
        client = server.connect()
        client.sendall(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert sent.get(timeout=PATIENCE) < 16 * 1024 * 1024
        client.close()
