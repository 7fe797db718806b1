"""Streamed answers by the thousand: memory stays as it is.

HTTPUV_SOAK=1 runs 200,000 of each kind; otherwise enough to see a leak of some KiB each.
"""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpuv
import psutil
import pytest
from starting import Start
from support import Wire, address, request

#: What a sanitizer keeps is not the server's.
SANITIZED = "HTTPUV_SANITIZED" in os.environ
COUNT = 200_000 if os.environ.get("HTTPUV_SOAK") else 400 if SANITIZED else 4_000
PIPELINED = 20
#: Bytes that memory may grow by, for the allocator's sake: those of 200,000 would be 40 each.
MOST = 8 * 1024 * 1024


def pieces() -> Iterator[bytes]:
    for _ in range(5):
        yield b"x" * 300


async def apieces() -> AsyncIterator[bytes]:
    for piece in pieces():
        yield piece


def events() -> Any:
    stream = httpuv.EventStream()
    stream.send("news")
    stream.close()
    return stream.response()["body"]


async def reading(req: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": [piece async for piece in req["rook.input"]]}


KINDS: dict[str, Any] = {
    "iterable": lambda req: {"status": 200, "body": pieces()},
    "async iterable": lambda req: {"status": 200, "body": apieces()},
    "compressed": lambda req: {
        "status": 200,
        "headers": {"Content-Type": "text/plain"},
        "body": pieces(),
    },
    "events": lambda req: {"status": 200, "body": events()},
    "upload": {"call": reading, "streamBody": True},
    "pushed upload": {
        "onBodyData": lambda req, data: None,
        "call": lambda req: {"status": 200, "body": iter([b"x"])},
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_memory_is_flat(start: Start, kind: str) -> None:
    upload = b"x" * 3000 if "upload" in kind else None
    batch = PIPELINED * request("/", "Accept-Encoding: gzip", method="POST", body=upload)
    process = psutil.Process()

    def run(count: int) -> int:
        for _ in range(count // PIPELINED):
            wire.send(batch)
            for _ in range(PIPELINED):
                assert wire.response().status == 200
        gc.collect()
        return process.memory_info().rss

    with start(KINDS[kind]) as server, Wire(address(server)) as wire:
        before = run(max(400, COUNT // 10))
        grown = run(COUNT) - before
        print(f"{kind}: {grown / 1024:.0f} KiB more after {COUNT} requests")
        assert SANITIZED or grown < MOST
        assert not server._answers.open
        assert server._core.stats()["in_flight"] == 0
