"""Bodies that the application gets while they come: onBodyData, and streamBody for asyncio."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import httpuv
import pytest
from httpuv.rook.upload import BodyReader
from starting import Start, leaves
from support import PATIENCE, Wire, address, chunked, fetch, request


def ok(body: object = "fine") -> dict[str, Any]:
    return {"status": 200, "body": str(body)}


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


# --- onBodyData ---------------------------------------------------------------------------------


def collecting() -> dict[str, Any]:
    """An application that answers with the pieces it was given, and what was left for call."""

    def on_data(req: dict[str, Any], data: bytes) -> None:
        assert type(data) is bytes and data
        req.setdefault("pieces", []).append(data)

    def call(req: dict[str, Any]) -> dict[str, Any]:
        pieces = req.get("pieces", [])
        rest = req["rook.input"].read()
        return ok(f"{len(pieces)} {sum(map(len, pieces))} {len(rest)}")

    return {"onBodyData": on_data, "call": call}


def test_pieces_come_before_call(start: Start) -> None:
    with start(collecting()) as server, Wire(address(server)) as wire:
        wire.send(request())
        assert wire.response().body == b"0 0 0"
        wire.send(request(method="PUT", body=b"x"))
        assert wire.response().body == b"1 1 0"
        wire.send(request(method="PUT", body=b"x" * 3_000_000))
        count, total, rest = wire.response().body.split()
        assert (int(total), rest) == (3_000_000, b"0")
        assert int(count) > 10
        wire.send(request("/", "Transfer-Encoding: chunked", method="PUT"), chunked(b"ab", b"c"))
        assert wire.response().body.endswith(b" 3 0")


def test_a_piece_is_seen_before_the_next_is_sent(start: Start) -> None:
    seen: list[bytes] = []

    def on_data(req: dict[str, Any], data: bytes) -> None:
        seen.append(data)

    app = {"onBodyData": on_data, "call": lambda req: ok(req["PATH_INFO"])}
    with start(app) as server, Wire(address(server)) as wire:
        wire.send(request("/p", "Content-Length: 6", method="PUT"))
        for piece in (b"abc", b"def"):
            wire.send(piece)
            until(lambda piece=piece: b"".join(seen).endswith(piece))  # type: ignore[misc]
        assert wire.response().body == b"/p"


def test_on_headers_comes_first_and_may_refuse(start: Start) -> None:
    order: list[str] = []

    def on_headers(req: dict[str, Any]) -> dict[str, Any] | None:
        order.append("onHeaders")
        return {"status": 403} if req["PATH_INFO"] == "/no" else None

    def on_data(req: dict[str, Any], data: bytes) -> None:
        order.append(data.decode())

    def call(req: dict[str, Any]) -> dict[str, Any]:
        order.append("call")
        return ok()

    app = {"onHeaders": on_headers, "onBodyData": on_data, "call": call}
    with start(app) as server:
        with Wire(address(server)) as wire:
            wire.send(request("/", "Expect: 100-continue", "Content-Length: 3", method="PUT"))
            assert wire.head().status == 100
            wire.send(b"abc")
            assert wire.response().status == 200
        assert order == ["onHeaders", "abc", "call"]
        order.clear()
        refused = fetch(address(server), request("/no", method="PUT", body=b"x"))
        assert (refused.status, order) == (403, ["onHeaders"])
        assert fetch(address(server), request()).status == 200
        assert order == ["onHeaders", "onHeaders", "call"]


def test_an_exception_is_answered_and_the_rest_not_read(start: Start, log: Any) -> None:
    pieces: list[bytes] = []

    def on_data(req: dict[str, Any], data: bytes) -> None:
        pieces.append(data)
        raise ValueError("enough of it")

    def call(req: dict[str, Any]) -> dict[str, Any]:
        pieces.append(b"call")
        return ok()

    with start({"onBodyData": on_data, "call": call}) as server, Wire(address(server)) as wire:
        wire.send(request("/up", "Content-Length: 1000000", method="PUT"), b"some")
        answer = wire.response()
        assert (answer.status, answer.body) == (500, b"Internal Server Error")
        assert answer.get("Connection") == "close"
        log.expect("onBodyData failed for PUT /up", "enough of it", "Traceback")
        assert pieces == [b"some"]
        assert fetch(address(server), request()).status == 200
        assert pieces == [b"some", b"call"]


@leaves
def test_a_client_that_leaves_in_the_middle(start: Start, leave: Callable[[Wire], None]) -> None:
    begun, called = threading.Event(), threading.Event()
    gone: list[Any] = []

    def on_data(req: dict[str, Any], data: bytes) -> None:
        gone.append(req["httpuv.disconnected"])
        begun.set()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        called.set()
        return ok()

    with start({"onBodyData": on_data, "call": call}) as server:
        wire = Wire(address(server))
        wire.send(request("/", "Content-Length: 1000000", method="PUT"), b"some")
        assert begun.wait(PATIENCE)
        assert not gone[0]
        leave(wire)
        assert gone[0].wait(PATIENCE)
        assert not called.is_set()
        wire.close()


def test_limits_hold(start: Start) -> None:
    limits = httpuv.Limits(max_body_bytes=10, body_timeout=0.2)
    with start(collecting(), limits=limits) as server:
        too_long = request("/", "Transfer-Encoding: chunked", method="PUT")
        assert fetch(address(server), too_long + chunked(b"x" * 6, b"x" * 6)).status == 413
        stalled = request("/", "Content-Length: 9", method="PUT") + b"x"
        assert fetch(address(server), stalled).status == 408


def test_a_slow_callback_has_its_client_wait(start: Start) -> None:
    go, begun = threading.Event(), threading.Event()
    total = [0]

    def on_data(req: dict[str, Any], data: bytes) -> None:
        begun.set()
        assert go.wait(PATIENCE)
        total[0] += len(data)

    size = 64 * 1024 * 1024
    app = {"onBodyData": on_data, "call": lambda req: ok(total[0])}
    with start(app) as server, Wire(address(server)) as wire:
        wire.send(request("/", f"Content-Length: {size}", method="PUT"))
        wire.socket.setblocking(False)
        sent, quiet = 0, 0
        piece = b"x" * 65536
        while quiet < 20:  # until the kernel takes no more for a while
            try:
                sent += wire.socket.send(piece[: size - sent])
                quiet = 0
            except BlockingIOError:
                quiet += begun.is_set()
                time.sleep(0.01)
        assert sent < size
        go.set()
        wire.socket.settimeout(PATIENCE)
        while sent < size:
            sent += wire.socket.send(piece[: size - sent])
        assert wire.response().body == str(size).encode()


def test_static_paths_that_fall_through(start: Start, tmp_path: Any) -> None:
    app = {
        **collecting(),
        "staticPaths": {"/": httpuv.staticPath(str(tmp_path), fallthrough=True)},
    }
    with start(app) as server:
        for size in (0, 10, 200_000):
            answer = fetch(address(server), request("/none", method="PUT", body=b"x" * size))
            assert answer.body.split()[1:] == [str(size).encode(), b"0"]


def test_what_does_not_go_together() -> None:
    async def wrong(req: dict[str, Any], data: bytes) -> None: ...

    for app in (
        {"onBodyData": wrong, "call": ok},
        {"onBodyData": 5, "call": ok},
        {"streamBody": "yes", "call": ok},
    ):
        with pytest.raises(TypeError, match="app: "):
            httpuv.startServer("127.0.0.1", 0, app)
    with pytest.raises(ValueError, match="exclude each other"):
        httpuv.startServer(
            "127.0.0.1", 0, {"onBodyData": lambda *_: None, "streamBody": True, "call": ok}
        )


# --- streamBody ---------------------------------------------------------------------------------


def streamed(call: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    return {"call": call, "streamBody": True}


def test_async_for(start: Start) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        body = req["rook.input"]
        assert isinstance(body, BodyReader)
        pieces = [piece async for piece in body]
        assert all(pieces)
        assert await body.read() == await body.read(5) == b""
        return ok(f"{sum(map(len, pieces))}")

    with start(streamed(call)) as server, Wire(address(server)) as wire:
        for size in (0, 1, 65_536, 3_000_000):
            wire.send(request(method="PUT", body=b"x" * size))
            assert wire.response().body == str(size).encode()
        wire.send(request("/", "Transfer-Encoding: chunked", method="PUT"), chunked(b"ab", b"c"))
        assert wire.response().body == b"3"


def test_read(start: Start) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        body = req["rook.input"]
        assert await body.read(0) == b""
        parts = []
        while part := await body.read(1000):
            assert len(part) <= 1000
            parts.append(part)
        return {"status": 200, "body": b"".join(parts)}

    data = bytes(range(256)) * 700
    with start(streamed(call)) as server, Wire(address(server)) as wire:
        wire.send(request(method="PUT", body=data), request(method="PUT", body=b"next"))
        assert wire.response().body == data
        assert wire.response().body == b"next"


def test_an_echo_that_answers_while_it_reads(start: Start) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        return {"status": 200, "body": req["rook.input"]}

    with start(streamed(call)) as server, Wire(address(server)) as wire:
        wire.send(request("/", "Content-Length: 6", method="PUT"))
        assert wire.head().get("Transfer-Encoding") == "chunked"
        wire.send(b"abc")
        assert wire._until(b"abc\r\n")
        wire.send(b"def")
        assert wire._until(b"0\r\n\r\n").endswith(b"def\r\n0\r\n\r\n")


def test_continue_is_said_when_the_application_reads(start: Start) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        if req["PATH_INFO"] == "/no":
            return {"status": 403}
        return ok(await req["rook.input"].read())

    expecting = ("Expect: 100-continue", "Content-Length: 3")
    with start(streamed(call)) as server:
        with Wire(address(server)) as wire:
            wire.send(request("/", *expecting, method="PUT"))
            assert wire.head().status == 100
            wire.send(b"abc")
            assert wire.response().body == b"b'abc'"
        with Wire(address(server)) as wire:
            wire.send(request("/no", *expecting, method="PUT"))
            answer = wire.response()
            assert (answer.status, answer.informational) == (403, [])
            assert wire.at_end()


def test_an_answer_without_reading(start: Start) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        return ok()

    with start(streamed(call)) as server, Wire(address(server)) as wire:
        for _ in range(3):
            wire.send(request(method="PUT", body=b"short"))
            assert wire.response().status == 200
        wire.send(request("/", "Content-Length: 10000000", method="PUT"), b"x" * 1000)
        assert wire.response().get("Connection") == "close"


def test_a_slow_reader_has_its_client_wait(start: Start) -> None:
    reading = threading.Event()
    go = threading.Event()

    async def call(req: dict[str, Any]) -> dict[str, Any]:
        body = req["rook.input"]
        total = len(await body.read(1))
        reading.set()
        while not go.is_set():
            await asyncio.sleep(0.01)
        assert len(body._pieces) <= 3  # what waits is bounded
        async for piece in body:
            total += len(piece)
        return ok(total)

    size = 64 * 1024 * 1024
    with start(streamed(call)) as server, Wire(address(server)) as wire:
        wire.send(request("/", f"Content-Length: {size}", method="PUT"))
        sending = threading.Thread(target=wire.send, args=(b"x" * size,))
        sending.start()
        assert reading.wait(PATIENCE)
        sending.join(0.3)
        assert sending.is_alive()
        go.set()
        assert wire.response().body == str(size).encode()
        sending.join()


@leaves
def test_a_client_that_leaves_while_it_is_read(start: Start, leave: Callable[[Wire], None]) -> None:
    begun, ended = threading.Event(), threading.Event()
    seen: list[BaseException] = []

    async def call(req: dict[str, Any]) -> dict[str, Any]:
        body = req["rook.input"]

        async def elsewhere() -> None:
            try:
                async for _ in body:
                    begun.set()
            except ConnectionError as error:
                seen.append(error)
            finally:
                ended.set()

        task = asyncio.create_task(elsewhere())
        req["task"] = task
        await asyncio.shield(task)
        return ok()

    with start(streamed(call)) as server:
        wire = Wire(address(server))
        wire.send(request("/", "Content-Length: 1000000", method="PUT"), b"some")
        assert begun.wait(PATIENCE)
        leave(wire)
        assert ended.wait(PATIENCE)
        assert "the client has gone" in str(seen[0])
        wire.close()


def test_who_reads_on_behind_the_answer_is_told(start: Start) -> None:
    told = threading.Event()

    async def call(req: dict[str, Any]) -> dict[str, Any]:
        body = req["rook.input"]
        await body.read(1)

        async def on() -> None:
            try:
                await body.read()
            except ConnectionError:
                told.set()

        req["task"] = asyncio.create_task(on())
        await asyncio.sleep(0)
        return ok()

    with start(streamed(call)) as server, Wire(address(server)) as wire:
        wire.send(request("/", "Content-Length: 1000000", method="PUT"), b"some")
        assert wire.response().status == 200
        assert told.wait(PATIENCE)


def test_one_reader_at_a_time(start: Start) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        body = req["rook.input"]
        other = asyncio.create_task(body.read())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await body.read()
        other.cancel()
        return ok()

    with start(streamed(call)) as server, Wire(address(server)) as wire:
        wire.send(request("/", "Content-Length: 1000", method="PUT"))
        assert wire.response().status == 200


def test_a_reader_that_fails(start: Start, log: Any) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        await req["rook.input"].read(1)
        raise ValueError("cannot use it")

    with start(streamed(call)) as server:
        request_ = request("/", "Content-Length: 1000000", method="PUT") + b"some"
        assert fetch(address(server), request_).status == 500
        log.expect("cannot use it")


def test_static_paths_that_fall_through_to_a_reader(start: Start, tmp_path: Any) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        total = 0
        async for piece in req["rook.input"]:
            total += len(piece)
        return ok(total)

    app = {
        **streamed(call),
        "staticPaths": {"/": httpuv.staticPath(str(tmp_path), fallthrough=True)},
    }
    with start(app) as server:
        for size in (0, 10, 200_000):
            answer = fetch(address(server), request("/none", method="PUT", body=b"x" * size))
            assert answer.body == str(size).encode()


def test_stopped_while_it_is_read(start: Start) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def call(req: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        try:
            return ok(await req["rook.input"].read())
        finally:
            ended.set()

    server = start(streamed(call))
    with Wire(address(server)) as wire:
        wire.send(request("/", "Content-Length: 1000", method="PUT"), b"some")
        assert begun.wait(PATIENCE)
        server.stop()
        assert ended.wait(PATIENCE)
