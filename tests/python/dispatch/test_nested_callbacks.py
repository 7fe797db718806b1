"""Callbacks that run other callbacks: what comes for their own connection meanwhile is not lost."""

from __future__ import annotations

import concurrent.futures
import gc
import weakref
from typing import Any

import httpuv
from support import Wire, address, request
from ws_support import Client, frame, handshake


class Thing:
    """Something to be seen to go."""


def test_messages_and_the_end_while_onWSOpen_runs() -> None:
    seen: list[object] = []

    def on_open(ws: httpuv.WebSocket) -> None:
        ws.onMessage(lambda binary, message: seen.append(message))
        ws.onClose(lambda: seen.append(ws.closeCode))
        client.say(1, "one")
        client.say(1, "two")
        client.send(frame(8, b"\x03\xe8"))
        while len(seen) < 3:
            assert httpuv.runNow(20)
        assert ws.readyState == ws.CLOSED

    with (
        httpuv.startServer("127.0.0.1", 0, {"onWSOpen": on_open}, dispatch="service") as server,
        Client(address(server)) as client,
    ):
        client.send(handshake())
        while len(seen) < 3:
            assert httpuv.runNow(20)
    assert seen == ["one", "two", 1000]


def leave(wire: Wire, asked: list[Any]) -> None:
    """The client goes, and the event of that is handled in here."""
    gone = httpuv.disconnected
    wire.reset()
    while not gone():
        httpuv.runNow(0.01)
    # The I/O thread has told of it when it says so; what it has told is handled now.
    httpuv.runNow(0.2)
    asked.append(1)


def test_a_client_that_leaves_while_onHeaders_runs() -> None:
    things: list[weakref.ref[Thing]] = []
    asked: list[Any] = []
    called: list[Any] = []

    def on_headers(req: dict[str, Any]) -> None:
        req["thing"] = thing = Thing()
        things.append(weakref.ref(thing))
        leave(wire, asked)

    app = {"onHeaders": on_headers, "call": called.append}
    with httpuv.startServer("127.0.0.1", 0, app, dispatch="service") as server:
        wire = Wire(address(server))
        wire.send(request("/", "Content-Length: 5", method="POST"))
        while not asked:
            assert httpuv.runNow(20)
        while httpuv.runNow():
            pass
        gc.collect()
        assert things[0]() is None
        assert not called


def test_a_client_that_leaves_before_its_future_is_returned() -> None:
    futures: list[concurrent.futures.Future[Any]] = []
    asked: list[Any] = []

    def call(req: dict[str, Any]) -> concurrent.futures.Future[Any]:
        leave(wire, asked)
        futures.append(concurrent.futures.Future())
        return futures[0]

    with httpuv.startServer("127.0.0.1", 0, call, dispatch="service") as server:
        wire = Wire(address(server))
        wire.send(request())
        while not asked:
            assert httpuv.runNow(20)
        while httpuv.runNow():
            pass
        assert futures[0].cancelled()  # as it is where the client leaves afterwards
        gone = weakref.ref(futures.pop())
        gc.collect()
        assert gone() is None
