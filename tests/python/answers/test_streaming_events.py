"""Server-sent events."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpuv
import pytest
from httpuv.answers.sse import format_event
from starting import Start
from support import PATIENCE, Script, Wire, address, request


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


KEEPS_ALIVE = """
    import ctypes, httpuv

    events = httpuv.EventStream(keepalive=0.1)
    with httpuv.startServer("127.0.0.1", 0, lambda req: events.response()) as server:
        print(server.getPort(), flush=True)
        while not events._wake:  # its coroutine waits for events: the head has left
            httpuv.service(10)
        print("silence", flush=True)
        # PyDLL calls with the GIL held: no Python runs until the test writes a byte.
        ctypes.PyDLL(None).read(0, ctypes.create_string_buffer(1), 1)
        events.send("awake")
        httpuv.service(0)
"""


def test_kept_alive_while_python_is_blocked() -> None:
    with Script(KEEPS_ALIVE) as script, Wire(("127.0.0.1", int(script.line()))) as wire:
        wire.send(request())
        wire.head()
        assert script.line() == "silence"
        for _ in range(5):
            wire._until(b"3\r\n:\n\n\r\n")
        script.tell()
        assert wire._until(b"data: awake\n\n")


def test_kept_alive_while_callbacks_do_not_run(start: Start) -> None:
    events = httpuv.EventStream(keepalive=0.05)
    go, stuck = threading.Event(), threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        if req["PATH_INFO"] == "/events":
            return events.response()
        stuck.set()
        assert go.wait(PATIENCE)
        return {"status": 200}

    with start(call) as server, Wire(address(server)) as wire, Wire(address(server)) as other:
        wire.send(request("/events"))
        wire.head()
        other.send(request())
        assert stuck.wait(PATIENCE)
        for _ in range(5):
            wire._until(b":\n\n")
        go.set()
        assert other.response().status == 200


def test_no_comment_for_head(start: Start) -> None:
    app = lambda req: httpuv.EventStream(0.05).response()  # noqa: E731
    with start(app) as server, Wire(address(server)) as wire:
        wire.send(request(method="HEAD"))
        assert wire.response("HEAD").get("Content-Type") == "text/event-stream"
        wire.send(request("/", "Connection: close", method="HEAD"))
        assert wire.response("HEAD").status == 200
        assert wire.at_end()


def test_stop_with_time_ends_them(start: Start) -> None:
    events = httpuv.EventStream()
    server = start(lambda req: events.response())
    with Wire(address(server)) as wire:
        wire.send(request())
        wire.head()
        assert events.send("one")
        wire._until(b"data: one\n\n")
        began = time.monotonic()
        server.stop(timeout=PATIENCE)
        assert time.monotonic() - began < PATIENCE / 2
        assert wire._until(b"0\r\n\r\n")  # an end, not a cut
        assert events.closed


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
