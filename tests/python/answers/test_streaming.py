"""Bodies that come in pieces."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from httpuv.answers.streaming import WINDOW, is_streamed
from starting import Start, leaves
from support import PATIENCE, Wire, address, fetch, request


def body(pieces: Any, **headers: str) -> dict[str, Any]:
    return {"status": 200, "headers": headers, "body": pieces}


async def later(pieces: Any) -> AsyncIterator[Any]:
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


both = pytest.mark.parametrize("make", [iter, later], ids=["iterable", "async iterable"])


@pytest.mark.parametrize(
    "value", [None, "x", b"x", bytearray(b"x"), memoryview(b"x"), {"file": "x"}, 5]
)
def test_what_is_no_stream(value: object) -> None:
    assert not is_streamed(value)


@both
def test_chunked(start: Start, make: Callable[[Any], Any]) -> None:
    pieces = ["ä", b"b", bytearray(b"c"), memoryview(b"d"), b"", "", "end"]
    with start(lambda req: body(make(pieces))) as server, Wire(address(server)) as wire:
        for _ in range(3):
            wire.send(request())
            answer = wire.response()
            assert answer.get("Transfer-Encoding") == "chunked"
            assert answer.body == "äbcdend".encode()


def test_what_says_close_closes(start: Start) -> None:
    """HTTP/1.0 has no chunks: the head of such an answer says close, to HEAD, too."""
    with start(lambda req: body(iter([b"x"]))) as server, Wire(address(server)) as wire:
        ask = request("/", "Connection: keep-alive", method="HEAD", version="1.0")
        wire.send(ask, ask)
        assert wire.response("HEAD").get("Connection") == "close"
        assert wire.at_end()


@both
def test_with_a_length(start: Start, make: Callable[[Any], Any]) -> None:
    answer = {"status": 200, "headers": {"Content-Length": 6}}
    with (
        start(lambda req: {**answer, "body": make([b"abc", b"def"])}) as server,
        Wire(address(server)) as wire,
    ):
        for _ in range(3):
            wire.send(request())
            got = wire.response()
            assert got.get("Transfer-Encoding") is None
            assert got.get("Content-Length") == "6"
            assert got.body == b"abcdef"


@both
@pytest.mark.parametrize("length", ["5", "7"])
def test_a_wrong_length_is_cut(
    start: Start, log: Any, make: Callable[[Any], Any], length: str
) -> None:
    answer = {"status": 200, "headers": {"Content-Length": length}}
    with start(lambda req: {**answer, "body": make([b"abc", b"def"])}) as server:
        with pytest.raises((EOFError, ConnectionResetError)):
            fetch(address(server), request())
        log.expect("ValueError", "Content-Length")


@pytest.mark.parametrize("length", ["-1", "x", "1, 2"])
def test_no_length(start: Start, log: Any, length: str) -> None:
    with start(lambda req: body(iter([b"x"]), **{"Content-Length": length})) as server:
        assert fetch(address(server), request()).status == 500
        log.expect("ValueError", "Content-Length")


@both
def test_http_1_0_ends_with_the_connection(start: Start, make: Callable[[Any], Any]) -> None:
    with start(lambda req: body(make([b"abc", b"def"]))) as server:
        answer = fetch(address(server), request(version="1.0"))
        assert answer.get("Transfer-Encoding") is None
        assert answer.body == b"abcdef"


@both
def test_head_takes_no_piece(start: Start, make: Callable[[Any], Any]) -> None:
    taken: list[int] = []

    def pieces() -> Iterator[bytes]:
        taken.append(1)
        yield b"x"

    with start(lambda req: body(make(pieces()))) as server, Wire(address(server)) as wire:
        wire.send(request(method="HEAD"))
        assert wire.response("HEAD").get("Transfer-Encoding") == "chunked"
        wire.send(request(method="HEAD"))
        assert wire.response("HEAD").status == 200
        assert taken == []


def test_a_coroutine_may_return_either(start: Start) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        make: Any = later if req["PATH_INFO"] == "/async" else iter
        return body(make([b"a", b"b"]))

    with start(call) as server:
        assert fetch(address(server), request("/async")).body == b"ab"
        assert fetch(address(server), request("/sync")).body == b"ab"


def test_an_asynchronous_piece_is_sent_at_once(start: Start) -> None:
    go = threading.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        while not go.is_set():
            await asyncio.sleep(0.01)
        yield b"second"

    with start(lambda req: body(pieces())) as server, Wire(address(server)) as wire:
        wire.send(request())
        wire.head()
        assert wire._until(b"first\r\n")
        go.set()
        assert wire._until(b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"


@pytest.mark.parametrize("slices", [0, 1, 3])
def test_a_piece_is_sent_before_the_next_is_made(start: Start, slices: int) -> None:
    go = threading.Event()

    def pieces() -> Iterator[bytes]:
        for _ in range(slices):  # each takes longer than its turn
            time.sleep(0.01)
            yield b""
        yield b"first"
        assert go.wait(PATIENCE)
        yield b"second"

    with start(lambda req: body(pieces())) as server, Wire(address(server)) as wire:
        wire.send(request())
        wire.head()
        assert wire._until(b"first\r\n")
        go.set()
        assert wire._until(b"0\r\n\r\n") == b"6\r\nsecond\r\n0\r\n\r\n"


def test_streams_take_turns(start: Start) -> None:
    made = threading.Event()

    def endless() -> Iterator[bytes]:
        while not made.is_set():
            yield b""

    def call(req: dict[str, Any]) -> dict[str, Any]:
        return body(endless()) if req["PATH_INFO"] == "/endless" else body(iter([b"x"]))

    with start(call) as server, Wire(address(server)) as wire:
        wire.send(request("/endless"))
        wire.head()
        assert fetch(address(server), request()).body == b"x"
        made.set()
        assert wire._until(b"0\r\n\r\n")


def chunks(count: list[int], closed: threading.Event) -> Iterator[bytes]:
    try:
        while True:
            count[0] += 1
            yield b"x" * 16384
    finally:
        closed.set()


async def achunks(count: list[int], closed: threading.Event) -> AsyncIterator[bytes]:
    try:
        while True:
            count[0] += 1
            yield b"x" * 16384
    finally:
        closed.set()


endless = pytest.mark.parametrize("make", [chunks, achunks])


@endless
def test_a_slow_client_slows_the_iterable(start: Start, make: Callable[..., Any]) -> None:
    count, closed = [0], threading.Event()
    with start(lambda req: body(make(count, closed))) as server:
        with Wire(address(server)) as wire:
            wire.send(request())
            wire.head()
            before = -1
            while count[0] != before:  # the kernel's buffers are full, and the window
                before = count[0]
                time.sleep(0.3)
            assert count[0] * 16384 < 32 * 1024 * 1024
            wire._exactly(WINDOW * 16)
            until = time.monotonic() + PATIENCE
            while count[0] == before:
                assert time.monotonic() < until, "it does not go on"
                time.sleep(0.01)
            assert fetch_ok(server)
        assert closed.wait(PATIENCE)


def fetch_ok(server: Any) -> bool:
    with Wire(address(server)) as other:
        other.send(request())
        return other.head().status == 200


@endless
@leaves
def test_closed_when_the_client_goes(
    start: Start, make: Callable[..., Any], leave: Callable[[Wire], None]
) -> None:
    count, closed = [0], threading.Event()
    with start(lambda req: body(make(count, closed))) as server:
        wire = Wire(address(server))
        wire.send(request())
        wire.head()
        wire._until(b"xx")  # it has begun, so it has something to clean up
        leave(wire)
        assert closed.wait(PATIENCE)
        wire.close()


def test_closed_when_the_client_goes_before_a_piece(start: Start) -> None:
    begun, closed = threading.Event(), threading.Event()

    async def silent() -> AsyncIterator[bytes]:
        try:
            begun.set()
            await asyncio.sleep(PATIENCE)
            yield b""
        finally:
            closed.set()

    with start(lambda req: body(silent())) as server:
        with Wire(address(server)) as wire:
            wire.send(request())
            assert wire.head().status == 200
            assert begun.wait(PATIENCE)
            wire.reset()
        assert closed.wait(PATIENCE)


@endless
def test_closed_when_the_server_stops(start: Start, make: Callable[..., Any]) -> None:
    count, closed = [0], threading.Event()
    server = start(lambda req: body(make(count, closed)))
    with Wire(address(server)) as wire:
        wire.send(request())
        wire.head()
        wire._until(b"xx")  # it has begun, so it has something to clean up
        server.stop()
        assert closed.wait(PATIENCE)


def failing() -> Iterator[Any]:
    yield b"x" * 10
    raise ValueError("midway")


async def afailing() -> AsyncIterator[Any]:
    yield b"x" * 10
    raise ValueError("midway")


def wrong() -> Iterator[Any]:
    yield b"x" * 10
    yield 5


@pytest.mark.parametrize("make", [failing, afailing, wrong])
@pytest.mark.parametrize("length", [{}, {"Content-Length": "100"}])
def test_failing_midway_cuts_the_connection(
    start: Start, log: Any, make: Callable[[], Any], length: dict[str, str]
) -> None:
    with start(lambda req: body(make(), **length)) as server:
        with pytest.raises((EOFError, ConnectionResetError)):
            fetch(address(server), request())
        log.expect("call failed for GET /", "a piece of a body must" if make is wrong else "midway")


def test_a_failing_close_is_logged(start: Start, log: Any) -> None:
    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

        def close(self) -> None:
            raise ValueError("while closing")

    with start(lambda req: body(Body())) as server:
        assert fetch(address(server), request()).body == b"x"
        log.expect("while closing")
