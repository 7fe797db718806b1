"""Server-sent events."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpuv
import pytest
from httpuv.sse import format_event
from support import PATIENCE, Wire, address, request
from test_async import Start, start

assert start  # a fixture


def test_format() -> None:
    assert format_event("x") == "data: x\n\n"
    assert format_event("a\r\nb\rc\n") == "data: a\ndata: b\ndata: c\ndata: \n\n"
    assert format_event("x", "name", "7", 100) == "event: name\nid: 7\nretry: 100\ndata: x\n\n"


@pytest.mark.parametrize("more", [{"event": "a\nb"}, {"id": "\r"}, {"id": 5}, {"retry": -1}])
def test_wrong_format(more: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        format_event("x", **more)


def test_events_arrive_and_the_end_too(start: Start) -> None:
    events = httpuv.EventStream(keepalive=0.05)
    answer = events.response({"X-More": "1"})
    with start(lambda req: answer) as server, Wire(address(server)) as wire:
        wire.send(request())
        head = wire.head()
        assert head.get("Content-Type") == "text/event-stream"
        assert head.get("X-More") == "1"
        wire._until(b":\n\n")  # nothing was sent for a while
        assert events.send("one")
        wire._until(b"data: one\n\n")
        assert events.send("two", event="e")
        wire._until(b"event: e\ndata: two\n\n")
        events.close()
        wire._until(b"0\r\n\r\n")
        assert not events.send("three")


def test_the_client_goes(start: Start) -> None:
    events = httpuv.EventStream()
    begun = threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        return events.response()

    with start(call) as server:
        with Wire(address(server)) as wire:
            wire.send(request())
            wire.head()
        until = time.monotonic() + PATIENCE
        while events.send("x"):
            assert time.monotonic() < until
            time.sleep(0.01)


def test_who_does_not_read_is_let_go() -> None:
    events = httpuv.EventStream()
    sent = 0
    while events.send("x" * 10_000):
        sent += 1
    assert 100 <= sent <= 105
    assert events.closed
