"""Clients that have sent all they will send still wait for their answers (RFC 9112 section 9.6)."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpuv
import pytest
from support import PATIENCE, Wire, address, request

_BODY = b"some of it, and the rest"


async def _coroutine(req: dict[str, Any], go: threading.Event) -> dict[str, Any]:
    while not go.is_set():
        await asyncio.sleep(0.001)
    assert not req["httpuv.disconnected"]
    return {"status": 200, "body": _BODY}


async def _pieces(go: threading.Event) -> AsyncIterator[bytes]:
    yield _BODY[:5]
    while not go.is_set():
        await asyncio.sleep(0.001)
    yield _BODY[5:]


def _plain_pieces(go: threading.Event) -> Iterator[bytes]:
    yield _BODY[:5]
    assert go.wait(PATIENCE)
    yield _BODY[5:]


def _wait(go: threading.Event) -> dict[str, Any]:
    assert go.wait(PATIENCE)
    return {"status": 200, "body": _BODY}


@pytest.mark.parametrize("kind", ["plain", "coroutine", "future", "stream", "generator"])
def test_is_answered(kind: str) -> None:
    go, begun = threading.Event(), threading.Event()
    gone: list[Any] = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:

        def call(req: dict[str, Any]) -> Any:
            gone.append(req)
            begun.set()
            if kind == "coroutine":
                return _coroutine(req, go)
            if kind == "future":
                return pool.submit(_wait, go)
            if kind == "stream":
                return {"status": 200, "headers": {"Content-Length": "24"}, "body": _pieces(go)}
            if kind == "generator":
                return {
                    "status": 200,
                    "headers": {"Content-Length": "24"},
                    "body": _plain_pieces(go),
                }
            return _wait(go)

        server = httpuv.startServer("127.0.0.1", 0, call, dispatch="thread")
        with server, Wire(address(server)) as wire:
            wire.send(request("/", "Connection: close"))
            wire.half_close()
            assert begun.wait(PATIENCE)
            go.set()
            answer = wire.response()
            assert (answer.status, answer.body) == (200, _BODY)
            assert wire.at_end()
    assert not gone[0].get("httpuv.disconnected")


def test_a_plain_function_is_told_that_it_is_there() -> None:
    told: list[bool] = []

    def call(req: dict[str, Any]) -> dict[str, Any]:
        told.append(httpuv.disconnected())
        return {"status": 200}

    server = httpuv.startServer("127.0.0.1", 0, call, dispatch="thread")
    with server, Wire(address(server)) as wire:
        wire.send(request())
        wire.half_close()
        assert wire.response().status == 200
    assert told == [False]


@pytest.mark.parametrize("late", [False, True])
def test_an_upload_is_answered(late: bool) -> None:
    """The body is whole when the client ends; it may be read before or after that."""
    go = threading.Event()

    async def call(req: dict[str, Any]) -> dict[str, Any]:
        while late and not go.is_set():
            await asyncio.sleep(0.001)
        size = 0
        async for piece in req["rook.input"]:
            size += len(piece)
        await asyncio.sleep(0.01)
        assert not req["httpuv.disconnected"]
        return {"status": 200, "body": str(size)}

    app = {"call": call, "streamBody": True}
    server = httpuv.startServer("127.0.0.1", 0, app, dispatch="thread")
    with server, Wire(address(server)) as wire:
        wire.send(request("/", method="POST", body=b"x" * 200_000))
        wire.half_close()
        go.set()
        answer = wire.response()
        assert (answer.status, answer.body) == (200, b"200000")
        assert wire.at_end()


def test_pieces_of_an_upload_are_answered() -> None:
    pieces: list[bytes] = []

    def call(req: dict[str, Any]) -> dict[str, Any]:
        return {"status": 200, "body": b"".join(pieces)}

    app = {"call": call, "onBodyData": lambda req, data: pieces.append(data)}
    server = httpuv.startServer("127.0.0.1", 0, app, dispatch="thread")
    with server, Wire(address(server)) as wire:
        wire.send(request("/", method="POST", body=_BODY))
        wire.half_close()
        assert wire.response().body == _BODY


def test_pipelined_answers_of_every_kind() -> None:
    async def slow() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"status": 200, "body": "slow"}

    def call(req: dict[str, Any]) -> Any:
        return slow() if req["PATH_INFO"] == "/slow" else {"status": 200, "body": "fast"}

    server = httpuv.startServer("127.0.0.1", 0, call, dispatch="thread")
    with server, Wire(address(server)) as wire:
        wire.send(request("/slow"), request("/fast"), request("/slow"))
        wire.half_close()
        assert [wire.response().body for _ in range(3)] == [b"slow", b"fast", b"slow"]
        assert wire.at_end()


@pytest.mark.parametrize("kind", ["coroutine", "plain", "unix"])
def test_a_reset_after_the_half_close_is_noticed(kind: str, tmp_path: Any) -> None:
    """Nothing is read from such a connection any more, so it is looked for."""
    begun, gone = threading.Event(), threading.Event()

    async def wait(req: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            gone.set()
            raise
        return {"status": 200}

    def ask(req: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        for _ in range(int(PATIENCE / 0.005)):
            if httpuv.disconnected():
                gone.set()
                break
            threading.Event().wait(0.005)
        return {"status": 200}

    call: Any = ask if kind == "plain" else wait
    if kind == "unix":
        where: Any = str(tmp_path / "socket")
        server: Any = httpuv.startPipeServer(where, None, call, dispatch="thread")
    else:
        server = httpuv.startServer("127.0.0.1", 0, call, dispatch="thread")
        where = address(server)
    with server:
        wire = Wire(where)
        wire.send(request())
        wire.half_close()
        assert begun.wait(PATIENCE)
        if kind == "unix":
            wire.close()
        else:
            wire.reset()
        assert gone.wait(PATIENCE)


def test_a_stream_to_a_client_that_left_ends() -> None:
    """It has closed, which looks like a half-close until something is sent to it."""
    closed = threading.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"piece"
                await asyncio.sleep(0.001)
        finally:
            closed.set()

    server = httpuv.startServer(
        "127.0.0.1", 0, lambda req: {"status": 200, "body": endless()}, dispatch="thread"
    )
    with server:
        with Wire(address(server)) as wire:
            wire.send(request())
            assert wire.head().status == 200
        assert closed.wait(PATIENCE)
