"""ASGI over HTTP: the scope, receive() and send() (ASGI specification, HTTP 2.5)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import http.client
import os
import queue
import socket
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import httpuv
import httpuv.asgi
import pytest
from asgi_support import Message, Running, answer, read_until, running, without_lifespan
from support import PATIENCE, logged, request
from ws_support import handshake

MEBI = 1024 * 1024


def test_scope() -> None:
    scopes: queue.Queue[Message] = queue.Queue()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        scopes.put(scope)
        await answer(send)

    with running(app) as server:
        client = server.connect()
        client.sendall(
            b"GET /caf%C3%A9/a%2Fb?q=%20x HTTP/1.1\r\nHost: x\r\nX-Twice: 1\r\nUser-Agent: me\r\n"
            b"x-TWICE: 2\r\nCookie: a=1\r\n\r\n"
        )
        read_until(client, b"\r\n\r\n")
        scope = scopes.get(timeout=PATIENCE)
        peer = client.getsockname()
        client.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        read_until(client, b"\r\n\r\n")
        second = scopes.get(timeout=PATIENCE)
        client.close()
        assert scope == {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/café/a/b",
            "raw_path": b"/caf%C3%A9/a%2Fb",
            "query_string": b"q=%20x",
            "root_path": "",
            "headers": [
                (b"host", b"x"),
                (b"x-twice", b"1"),
                (b"user-agent", b"me"),
                (b"x-twice", b"2"),
                (b"cookie", b"a=1"),
            ],
            "client": ("127.0.0.1", peer[1]),
            "server": ("127.0.0.1", server.port),
            "state": {},
            "extensions": {
                "http.response.pathsend": {},
                "http.response.zerocopysend": {},
                "http.response.trailers": {},
                "http.response.early_hint": {},
                "httpuv.events": {},
            },
        }
        assert second["http_version"] == "1.0"
        assert second["query_string"] == b""
        assert second["client"] == scope["client"]
        assert second["state"] is not scope["state"]


def test_unix_socket_and_root_path(tmp_path: Path) -> None:
    scopes: queue.Queue[Message] = queue.Queue()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        scopes.put(scope)
        await answer(send)

    path = str(tmp_path / "s")
    server = Running(app, uds=path, root_path="/under", scheme="https")
    try:
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(client, b"\r\n\r\n")
        client.close()
    finally:
        server.stop()
    scope = scopes.get(timeout=PATIENCE)
    assert scope["server"] == (path, None)
    assert scope["client"] is None
    assert (scope["path"], scope["raw_path"], scope["root_path"]) == (
        "/under/x",
        b"/under/x",
        "/under",
    )
    assert scope["scheme"] == "https"


@pytest.mark.parametrize("size", [0, 10, 64 * 1024, 64 * 1024 + 1, 3 * MEBI])
def test_body(size: int) -> None:
    largest = 0

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        nonlocal largest
        digest = hashlib.sha256()
        more = True
        while more:
            message = await receive()
            assert message["type"] == "http.request"
            digest.update(message["body"])
            largest = max(largest, len(message["body"]))
            more = message["more_body"]
        await answer(send, digest.hexdigest().encode())

    body = os.urandom(size)
    with running(app) as server:
        assert server.ask("POST", "/", body)[2].decode() == hashlib.sha256(body).hexdigest()
        pieces = (body[i : i + 100_000] for i in range(0, size, 100_000))  # chunked
        assert server.ask("POST", "/", pieces)[2].decode() == hashlib.sha256(body).hexdigest()
    assert largest <= 2 * MEBI


def test_a_body_that_nobody_reads_makes_the_client_wait() -> None:
    read = threading.Event()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await asyncio.to_thread(read.wait)
        total = 0
        more = True
        while more:
            message = await receive()
            total += len(message["body"])
            more = message["more_body"]
        await answer(send, str(total).encode())

    size = 64 * MEBI
    with running(app) as server:
        client = server.connect()
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        client.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < size:
                sent += client.send(bytes(min(MEBI, size - sent)))
        assert sent < 32 * MEBI  # what the kernel's buffers hold, and 64 KiB
        read.set()
        client.settimeout(PATIENCE)
        client.sendall(bytes(size - sent))
        assert read_until(client, b"%d" % size)
        client.close()


def test_a_slow_client_slows_send() -> None:
    sent: queue.Queue[int] = queue.Queue()
    stalled = threading.Event()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        total = 0
        while total < 64 * MEBI:
            task = asyncio.ensure_future(
                send({"type": "http.response.body", "body": bytes(MEBI), "more_body": True})
            )
            done, _ = await asyncio.wait([task], timeout=1)
            if not done and not stalled.is_set():
                sent.put(total)
                stalled.set()
            await task
            total += MEBI
        await send({"type": "http.response.body", "body": b""})

    with running(app) as server:
        client = server.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert stalled.wait(PATIENCE)
        assert sent.get() < 32 * MEBI
        got = 0
        tail = b""
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            piece = client.recv(MEBI)
            assert piece
            got += len(piece)
            tail = (tail + piece)[-16:]
        assert got > 64 * MEBI
        client.close()


def test_a_disconnect_reaches_receive_and_send() -> None:
    seen: queue.Queue[Any] = queue.Queue()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "http.request"
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        seen.put(await receive())
        try:
            await send({"type": "http.response.body", "body": b"y", "more_body": True})
        except OSError as error:
            seen.put(error)
            raise

    with running(app) as server:
        client = server.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        read_until(client, b"x\r\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()  # RST
        assert seen.get(timeout=PATIENCE) == {"type": "http.disconnect"}
        assert isinstance(seen.get(timeout=PATIENCE), OSError)


def test_receive_tells_of_the_end_of_the_answer() -> None:
    seen: queue.Queue[Message] = queue.Queue()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        waiting = asyncio.ensure_future(listen(receive))
        await asyncio.sleep(0)
        await answer(send, b"done")
        await waiting
        seen.put(await receive())

    async def listen(receive: Any) -> None:
        await receive()
        seen.put(await receive())

    with running(app) as server:
        assert server.get()[2] == b"done"
        for _ in range(2):
            assert seen.get(timeout=PATIENCE) == {"type": "http.disconnect"}


def test_what_the_application_does_wrong(caplog: pytest.LogCaptureFixture) -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        kind = scope["path"][1:]
        if kind == "raises":
            raise ValueError("on purpose")
        if kind == "later":
            await asyncio.sleep(0.001)
            raise ValueError("on purpose")
        if kind == "silent":
            return
        if kind == "body-first":
            await send({"type": "http.response.body", "body": b""})
        if kind == "header":
            await answer(send, headers=[(b"a b", b"c")])
        if kind == "smuggle":
            await answer(send, headers=[(b"a", b"b\r\nc: d")])
        if kind == "twice":
            await answer(send, b"once")
            with pytest.raises(RuntimeError):
                await send({"type": "http.response.body", "body": b""})

    with running(app) as server:
        for path in ("raises", "later", "silent", "body-first", "header", "smuggle"):
            assert server.get("/" + path)[0] == 500, path
            logged(caplog, "ASGI application")
            caplog.clear()
        assert server.get("/twice")[2] == b"once"
        assert not caplog.records


def test_an_answer_that_fails_in_the_middle_is_cut() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("on purpose")

    with running(app) as server:
        client = server.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(65536):
                got += piece
        assert b"half" in got
        assert not got.endswith(b"0\r\n\r\n")
        client.close()


def test_head_and_body_leave_in_one_segment() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await answer(send, b"x" * 1000, headers=[(b"Transfer-Encoding", b"chunked")])

    with running(app) as server:
        client = server.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        got = client.recv(65536)
        assert got.endswith(b"x" * 1000)
        assert b"content-length: 1000\r\n" in got.lower()
        assert b"transfer-encoding" not in got.lower()
        client.close()


# --- extensions ---------------------------------------------------------------------------------


def test_pathsend_with_and_without_a_range(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        headers = [(b"etag", b'"v1"'), (b"content-length", b"10")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.pathsend", "path": str(path)})

    with running(app) as server:
        status, headers, body = server.get()
        assert (status, body, headers["Content-Length"]) == (200, b"0123456789", "10")
        for asked, expected, where in [
            ("bytes=2-4", b"234", "bytes 2-4/10"),
            ("bytes=7-", b"789", "bytes 7-9/10"),
            ("bytes=-3", b"789", "bytes 7-9/10"),
            ("bytes=5-100", b"56789", "bytes 5-9/10"),
        ]:
            status, headers, body = server.get(headers={"Range": asked})
            assert (status, body, headers["Content-Range"]) == (206, expected, where), asked
        status, headers, body = server.get(headers={"Range": "bytes=10-"})
        assert (status, body, headers["Content-Range"]) == (416, b"", "bytes */10")
        for other in ({"Range": "bytes=0-1,3-4"}, {"Range": "bytes=4-2"}, {"Range": "lines=1-2"}):
            assert server.get(headers=other)[::2] == (200, b"0123456789")
        stale = {"Range": "bytes=0-1", "If-Range": '"v0"'}
        assert server.get(headers=stale)[::2] == (200, b"0123456789")
        fresh = {"Range": "bytes=0-1", "If-Range": '"v1"'}
        assert server.get(headers=fresh)[::2] == (206, b"01")
        assert server.ask("HEAD", "/")[::2] == (200, b"")
        path.unlink()
        assert server.get()[0] == 500


def test_zerocopysend(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        with path.open("rb") as file:
            piece = {"type": "http.response.zerocopysend", "file": file}
            await send({"type": "http.response.start", "status": 200, "headers": []})
            if scope["path"] == "/whole":
                return await send(piece)
            if scope["path"] == "/behind":
                await send({"type": "http.response.body", "body": b"first,", "more_body": True})
            await send({**piece, "offset": 2, "count": 3, "more_body": True})
            await send({**piece, "count": 4, "more_body": True})
            await send({"type": "http.response.body", "body": b",", "more_body": True})
            await send(piece)

    with running(app) as server:
        assert server.get("/whole")[2] == b"0123456789"
        assert server.get("/parts")[2] == b"2340123,456789"
        assert server.get("/behind")[2] == b"first,2340123,456789"


def test_trailers_and_early_hints() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        links = [b"</a.css>; rel=preload"]
        await send({"type": "http.response.early_hint", "links": links})
        start = {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
        await send(start)
        await send({"type": "http.response.body", "body": b"x"})
        trailers = {"type": "http.response.trailers", "headers": [(b"x-sum", b"7")]}
        await send({**trailers, "more_trailers": True})
        await send({**trailers, "headers": [(b"x-more", b"8")]})

    with running(app) as server:
        client = server.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        got = read_until(client, b"x-more: 8\r\n\r\n")
        assert got.startswith(
            b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n"
        )
        assert got.endswith(b"1\r\nx\r\n0\r\nx-sum: 7\r\nx-more: 8\r\n\r\n")
        client.close()


@pytest.mark.parametrize("link", [b"a\r\nSet-Cookie: x", b"a\0"])
def test_early_hints_are_checked(link: bytes) -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        with pytest.raises(ValueError):
            await send({"type": "http.response.early_hint", "links": [link]})
        await answer(send, b"ok")

    with running(app) as server:
        assert server.get()[2] == b"ok"


# --- with other dispatchers ---------------------------------------------------------------------


@pytest.mark.parametrize("dispatch", ["auto", "thread", 3])
def test_start_server_knows_it_by_its_signature(dispatch: Any) -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        await asyncio.sleep(0.001)
        await answer(send, body + b"!")

    with httpuv.startServer("127.0.0.1", 0, app, dispatch=dispatch) as server:
        connection = Running.__new__(Running)
        connection.server = type("S", (), {"servers": [_Name(server.getPort())]})()
        assert connection.ask("POST", "/", b"abc")[2] == b"abc!"


class _Name:
    def __init__(self, port: int) -> None:
        self.port = port

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", self.port


def test_inside_of_a_running_loop() -> None:
    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.001)
        await answer(send, threading.current_thread().name.encode())

    async def main() -> bytes:
        server = httpuv.asgi.Server(httpuv.asgi.Config(app, port=0))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.001)
        name = server.servers[0].getsockname()
        reader, writer = await asyncio.open_connection(name[0], int(name[1]))
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        got = await reader.read()
        writer.close()
        server.should_exit = True
        await asyncio.wait_for(task, PATIENCE)
        return got

    assert asyncio.run(main()).endswith(threading.current_thread().name.encode())


def test_what_goes_on_behind_the_answer_watches_no_client() -> None:
    replies: list[object] = []
    done = threading.Event()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        await answer(send)
        await asyncio.sleep(0.001)
        replies.append(send.__self__.reply)
        assert await receive() == {"type": "http.disconnect"}
        done.set()

    with running(app) as server:
        assert server.get()[0] == 200
        assert done.wait(PATIENCE)
    assert replies == [None]


def test_an_application_may_return_any_awaitable(caplog: pytest.LogCaptureFixture) -> None:
    class Later:
        def __init__(self, send: Any) -> None:
            self.send = send

        def __await__(self) -> Any:
            return answer(self.send, b"later").__await__()

    def app(scope: Message, receive: Any, send: Any) -> Any:
        if scope["path"] == "/future":
            return asyncio.ensure_future(answer(send, b"future"))
        return Later(send) if scope["path"] == "/later" else None

    with running(app, lifespan="off") as server:
        assert server.get("/later")[2] == b"later"
        assert server.get("/future")[2] == b"future"
        assert server.get("/none")[0] == 500
    assert "must return something to await, not NoneType" in caplog.text


def test_a_scope_that_refers_to_its_exchange_is_collected() -> None:
    exchanges: list[weakref.ref[Any]] = []

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        scope["send"] = send
        exchanges.append(weakref.ref(send.__self__))
        await answer(send)

    with running(app) as server:
        assert server.get()[0] == 200
        until = time.monotonic() + PATIENCE
        while exchanges[0]() is not None and time.monotonic() < until:
            gc.collect()
    assert exchanges[0]() is None


def test_middleware_that_drops_what_files_are_sent_by(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"content")
    asked: list[tuple[str, str, str]] = []

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        extensions = scope["extensions"]
        asked.append((scope["method"], scope["path"], scope["root_path"]))
        scope["root_path"] += "/changed"
        assert (await receive())["type"] == "http.request"
        head: Message = {}

        async def keeps_the_head_back(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
            elif message["type"] == "http.response.body":
                await send(head)
                await send(message)

        await keeps_the_head_back({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/nothing":
            return
        if "http.response.pathsend" in extensions:
            path = str(tmp_path / "f")
            await keeps_the_head_back({"type": "http.response.pathsend", "path": path})
        else:
            await keeps_the_head_back({"type": "http.response.body", "body": b"content"})

    with running(app) as server:
        assert server.ask("POST", "/%C3%A4", b"")[0] == 500  # may not be asked twice
        assert len(asked) == 1
        assert server.get("/%C3%A4")[2] == b"content"
        assert asked[1:] == [("GET", "/ä", "")] * 2
        assert server.get("/b")[2] == b"content"
        assert len(asked) == 4
        assert server.get("/nothing")[0] == 500
        assert len(asked) == 5
    assert caplog.text.count("is not offered from now on") == 1


def test_streams_of_events_end_when_the_server_does() -> None:
    """Applications that learn of their client by send() alone, as those of Starlette."""
    ended: list[BaseException] = []

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            while True:
                await send({"type": "http.response.body", "body": b"data: 1", "more_body": True})
                await asyncio.sleep(0.001)
        except OSError as error:
            ended.append(error)
            raise

    with running(app, timeout_graceful_shutdown=2 * PATIENCE) as server:
        client = server.connect()
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        read_until(client, b"data: 1")
        server.stop()  # in less than the grace
        rest = b""
        while piece := client.recv(65536):
            rest += piece
        client.close()
    assert rest.endswith(b"0\r\n\r\n")
    assert len(ended) == 1


@pytest.mark.parametrize(("length", "what"), [(5, "longer"), (9, "shorter")])
def test_another_length_than_was_promised(
    length: int, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream that does not keep its Content-Length is an error of the application."""

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        headers = [(b"content-length", str(length).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in (b"abc", b"defg"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    with running(app) as server:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            server.get()
        logged(caplog, f"the body is {what} than its Content-Length, {length}")
        assert server.ask("HEAD", "/")[0] == 200


def test_fields_of_every_answer() -> None:
    """uvicorn's ``headers=``."""

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        headers = [(b"x-own", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x"})

    with running(app, headers=[("X-Additional", "hi there")]) as server:
        _, headers, _ = server.get()
        assert (headers["X-Additional"], headers["X-Own"]) == ("hi there", "1")
    with pytest.raises(TypeError, match="headers must be pairs of str"):
        Running(app, headers=[("X", 1)])


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_asking_again_and_again_stops_nothing(kind: str) -> None:
    """An application that does not heed a disconnect is alone with that."""
    begun, asked = threading.Event(), threading.Event()

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        if scope["path"] == "/other":
            return await answer(send)
        begun.set()
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
        while True:
            if (await receive())["type"] == f"{kind}.disconnect":
                asked.set()

    with running(app, timeout_graceful_shutdown=0.2) as server:
        with server.connect() as client:
            client.sendall(handshake() if kind == "websocket" else request())
            if kind == "websocket":
                client.recv(1000)
            assert begun.wait(PATIENCE)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert asked.wait(PATIENCE)
        assert server.get("/other")[0] == 200


def test_what_an_application_keeps_of_a_request_is_not_used_again() -> None:
    kept: list[Any] = []

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        if kept:
            assert send is not kept[-1][0] and receive is not kept[-1][1]
            assert (await kept[-1][1]())["type"] == "http.disconnect"
            kept.pop()
        await answer(send)
        if scope["path"] == "/keep":
            kept.append((send, receive))

    with running(app) as server, server.connect() as client:
        for path in ("/", "/keep", "/", "/", "/keep", "/keep", "/"):
            client.sendall(request(path))
            assert b"200 OK" in read_until(client, b"\r\n\r\n")


def test_messages_with_keys_that_were_made_at_run_time() -> None:
    def spelt(text: str) -> str:
        return "".join(list(text))  # an object of its own

    @without_lifespan
    async def app(scope: Message, receive: Any, send: Any) -> None:
        start = {"type": spelt("http.response.start"), "x": 1, spelt("status"): 201, "headers": []}
        await send({spelt(name): value for name, value in start.items()})
        done = send({spelt("body"): b"hello", "type": "http.response.body", "extra": None})
        assert await done is None
        with pytest.raises(RuntimeError):
            await done

    with running(app) as server, server.connect() as client:
        for _ in range(3):
            client.sendall(request())
            assert b"201 Created" in read_until(client, b"hello")
