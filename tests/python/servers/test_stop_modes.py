"""stop(timeout) wherever callbacks run: it is bounded, and everything under way hears of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from httpuv import Limits
from starting import Start
from support import PATIENCE, Wire, address, request

GRACE = 0.3


class Stage:
    """An application that never ends by itself, and the result."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.ended = threading.Event()

    def endless(self) -> Iterator[bytes]:
        try:
            while True:
                self.begun.set()
                yield b"x"
                time.sleep(0.001)
        finally:
            self.ended.set()

    async def aendless(self) -> AsyncIterator[bytes]:
        try:
            while True:
                self.begun.set()
                yield b"x"
                await asyncio.sleep(0.001)
        finally:
            self.ended.set()

    async def forever(self, req: dict[str, Any]) -> dict[str, Any]:
        self.begun.set()
        try:
            await asyncio.sleep(2 * PATIENCE)
        finally:
            self.ended.set()
        return {"status": 200}

    async def reading(self, req: dict[str, Any]) -> dict[str, Any]:
        self.begun.set()
        try:
            await req["rook.input"].read()
        finally:
            self.ended.set()
        return {"status": 200}

    def app(self, kind: str) -> Any:
        if kind == "iterable":
            return lambda req: {"status": 200, "body": self.endless()}
        if kind == "async iterable":
            return lambda req: {"status": 200, "body": self.aendless()}
        if kind == "coroutine":
            return self.forever
        return {"call": self.reading, "streamBody": True}


@pytest.mark.parametrize("kind", ["iterable", "async iterable", "coroutine", "upload"])
@pytest.mark.parametrize("grace", [0.0, GRACE])
def test_what_never_ends_is_ended(start: Start, kind: str, grace: float) -> None:
    stage = Stage()
    server = start(stage.app(kind))
    with Wire(address(server)) as wire:
        wire.send(request("/", "Content-Length: 10", method="PUT"), b"short")
        if kind != "upload":
            wire.send(b" body")
        assert stage.begun.wait(PATIENCE)
        began = time.monotonic()
        server.stop(timeout=grace)
        assert grace * 0.9 <= time.monotonic() - began < PATIENCE
        assert stage.ended.wait(PATIENCE)
        assert not server.isRunning()
        try:
            rest = wire.rest()
        except ConnectionResetError:
            rest = b""
        assert not rest.endswith(b"0\r\n\r\n"), "an end that is none"


def test_what_ends_in_time_is_whole(start: Start) -> None:
    stage = Stage()

    async def pieces() -> AsyncIterator[bytes]:
        stage.begun.set()
        for _ in range(10):
            yield b"x"
            await asyncio.sleep(0.02)

    server = start(lambda req: {"status": 200, "body": pieces()})
    with Wire(address(server)) as wire, Wire(address(server)) as idle:
        idle.send(b"")
        wire.send(request())
        assert stage.begun.wait(PATIENCE)
        server.stop(timeout=PATIENCE)
        assert wire.response().body == b"x" * 10
        assert idle.at_end()


def test_a_client_that_has_its_answer_is_not_waited_for(start: Start) -> None:
    """Such as a pool of connections that does not look at them until it needs one."""
    stage, go = Stage(), threading.Event()

    async def slow(req: dict[str, Any]) -> dict[str, Any]:
        stage.begun.set()
        while not go.is_set():
            await asyncio.sleep(0.01)
        return {"status": 200, "body": "done"}

    server = start(slow, limits=Limits(linger_timeout=10 * PATIENCE))
    with Wire(address(server)) as wire:
        wire.send(request())
        assert stage.begun.wait(PATIENCE)
        stopper = threading.Thread(target=server.stop, args=(10 * PATIENCE,))
        stopper.start()
        go.set()
        assert wire.response().body == b"done"
        stopper.join(PATIENCE)
        assert not stopper.is_alive()


def test_from_inside_a_callback(start: Start) -> None:
    done = threading.Event()
    servers: list[Any] = []

    def call(req: dict[str, Any]) -> dict[str, Any]:
        servers[0].stop(timeout=GRACE)
        done.set()
        return {"status": 200}

    servers.append(start(call))
    with Wire(address(servers[0])) as wire:
        wire.send(request())
        assert done.wait(PATIENCE)
        assert not servers[0].isRunning()
