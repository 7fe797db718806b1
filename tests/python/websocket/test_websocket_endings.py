"""Ways to die: every one of them is told of once, logged if it is our fault, and leaves nothing.

Here the client vanishes, or the application ends it. In other files the server stops (_stopping),
deadlines pass (_bounds), Close comes or broken input (_protocol), callbacks fail (_api)."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import httpuv
import pytest
from conftest import Log, Serve
from support import PATIENCE, Wire, address, run_script
from ws_support import (
    BINARY,
    CONTINUATION,
    PING,
    TEXT,
    Client,
    Watch,
    close_frame,
    frame,
    gone,
    handshake,
    wait_until,
)

WebSocket = httpuv.WebSocket
Limits = httpuv.Limits
MIB = 1 << 20


# --- the client vanishes ------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "reset"])
def test_in_the_middle_of_the_handshake(serve: Serve, how: str) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    wire = Wire(address(server))
    wire.send(handshake()[:-10])
    wait_until(lambda: server._core.stats()["accepted"] == 1)
    getattr(wire, how)()
    gone(server)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_while_on_headers_decides(serve: Serve, how: str) -> None:
    asked, decide, ended = threading.Event(), threading.Event(), threading.Event()

    def on_headers(req: dict[str, Any]) -> None:
        asked.set()
        assert decide.wait(PATIENCE)

    def on_open(ws: WebSocket) -> None:
        ws.onClose(ended.set)

    server = serve({"onHeaders": on_headers, "onWSOpen": on_open})
    wire = Wire(address(server))
    wire.send(handshake())
    assert asked.wait(PATIENCE)
    getattr(wire, how)()
    if how == "reset":
        gone(server)  # it opens no more
        decide.set()
    else:
        decide.set()  # it may open, and then it ends
        gone(server)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_before_on_ws_open_was_called(serve: Serve, how: str) -> None:
    blocked, go_on = threading.Event(), threading.Event()

    def on_open(ws: WebSocket) -> None:
        if ws.request["PATH_INFO"] == "/block":
            blocked.set()
            assert go_on.wait(PATIENCE)
        else:
            watch(ws)

    watch = Watch()
    server = serve({"onWSOpen": on_open})
    with Client.open(server, "/block"):
        assert blocked.wait(PATIENCE)
        client = Client.open(server)
        getattr(client, how)()
        wait_until(lambda: server._core.stats()["connections"] == 1)
        go_on.set()
        watched = watch.opened()
        watched.ws.send("nobody is there")
        assert watched.next() == ("close", 1006, "", False)


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
def test_idle(serve: Serve, how: str) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    client = Client.open(server)
    watched = watch.opened()
    getattr(client, how)()
    assert watched.next() == ("close", 1006, "", False)
    assert watched.ws.readyState == WebSocket.CLOSED
    gone(server)
    client.close()


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, "cut off")[:1],
        frame(TEXT, "cut off")[:5],
        frame(TEXT, "cut off")[:-1],
        frame(BINARY, bytes(MIB))[: MIB // 2],
        frame(TEXT, "first of two", fin=False),
        frame(TEXT, "first", fin=False) + frame(CONTINUATION, "second")[:-1],
        frame(PING, "cut off")[:-1],
        close_frame(1000, "cut off")[:-1],
    ],
    ids=["opcode", "header", "payload", "large", "fragment", "fragments", "ping", "close"],
)
def test_in_the_middle_of_a_message(serve: Serve, how: str, data: bytes) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    client = Client.open(server)
    watched = watch.opened()
    client.send(frame(TEXT, "whole") + data)
    assert watched.next() == ("message", False, "whole")
    getattr(client, how)()
    assert watched.next() == ("close", 1006, "", False)
    gone(server)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_while_it_is_being_sent_to(serve: Serve, how: str) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    client = Client.open(server)
    watched = watch.opened()
    watched.ws.send(bytes(15 * MIB))
    assert watched.ws.bufferedAmount > 0
    getattr(client, how)()
    assert watched.until("close") == ("close", 1006, "", False)
    assert watched.ws.bufferedAmount == 0
    gone(server)


def test_while_python_is_busy_with_its_message(serve: Serve) -> None:
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def on_open(ws: WebSocket) -> None:
        @ws.onMessage
        def slow(binary: bool, message: str) -> None:
            began.set()
            assert go_on.wait(PATIENCE)
            ws.send("answer")
            assert ws.bufferedAmount == 0

        ws.onClose(ended.set)

    server = serve({"onWSOpen": on_open})
    client = Client.open(server)
    client.say(TEXT, "x")
    assert began.wait(PATIENCE)
    client.reset()
    gone(server)
    go_on.set()
    assert ended.wait(PATIENCE)


def test_while_a_flood_is_held_back(serve: Serve) -> None:
    """It is not read, so its end is seen later: after what it had said."""
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    received = []

    def on_open(ws: WebSocket) -> None:
        @ws.onMessage
        def slow(binary: bool, message: bytes) -> None:
            began.set()
            assert go_on.wait(PATIENCE)
            received.append(len(message))

        ws.onClose(ended.set)

    server = serve({"onWSOpen": on_open}, limits=Limits(ws_unread_bytes=100_000))
    client = Client.open(server)
    client.send(frame(BINARY, bytes(1000)) * 300)
    assert began.wait(PATIENCE)
    client.close()
    go_on.set()
    assert ended.wait(PATIENCE)
    assert received == [1000] * 300
    gone(server)


def test_while_large_messages_are_compressed(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, wsCompression="always")
    for _ in range(10):
        client = Client.open(server, "/", "Sec-WebSocket-Extensions: permessage-deflate")
        watched = watch.opened()
        watched.ws.subscribe("t")
        for _ in range(4):
            watched.ws.send("text " * 100_000)
            server.publish("t", "text " * 100_000)
        client.reset()
        assert watched.until("close") == ("close", 1006, "", False)
    gone(server)


def test_after_the_servers_close(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    for how in ("close", "reset", "half_close"):
        client = Client.open(server)
        watched = watch.opened()
        watched.ws.close(4000)
        assert client.closed() == (4000, "")
        getattr(client, how)()
        assert watched.next() == ("close", 1006, "", False)
        client.close()
    gone(server)


def test_after_its_own_close(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    for how in ("close", "reset", "half_close"):
        client = Client.open(server)
        client.send(close_frame(4000, "bye"))
        getattr(client, how)()
        _, code, reason, clean = watch.opened().next()
        # A reset may destroy what came before it.
        assert (code, reason, clean) == (4000, "bye", True) or how == "reset"
        client.close()
    gone(server)


def test_in_the_middle_of_a_thousand_echoes(serve: Serve) -> None:
    watch = Watch(echo=True)
    server = serve({"onWSOpen": watch})
    for size in (10, 100_000):
        client = Client.open(server)
        client.send(frame(BINARY, bytes(size)) * (1000 if size == 10 else 20))
        client.message()
        client.reset()
        assert watch.opened().until("close") == ("close", 1006, "", False)
    gone(server)


# --- the application ----------------------------------------------------------------------------


def test_close_in_on_ws_open(serve: Serve) -> None:
    ended = threading.Event()

    def on_open(ws: WebSocket) -> None:
        ws.onClose(ended.set)
        ws.onMessage(lambda binary, message: ws.send("never"))
        ws.close(4000, "not you")

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        client.say(TEXT, "hello?")
        assert client.closed() == (4000, "not you")
        client.send(close_frame(4000))
        assert client.at_end()
    assert ended.wait(PATIENCE)


def test_close_in_on_message(serve: Serve) -> None:
    seen: list[str] = []

    def on_open(ws: WebSocket) -> None:
        @ws.onMessage
        def once(binary: bool, message: str) -> None:
            seen.append(message)
            ws.send("got it")
            ws.close(4000)
            ws.close(4001)  # the first counts
            ws.send("never")

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        client.send(frame(TEXT, "one") + frame(TEXT, "two") + frame(TEXT, "three"))
        assert client.message() == "got it"
        assert client.closed() == (4000, "")
    assert seen == ["one"]


def test_closing_twice(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        watched = watch.opened()
        for code in (4000, 4001, 1000):
            watched.ws.close(code)
        watched.ws.clone().close(4002)
        assert client.closed() == (4000, "")
        watched.ws.close(4003)
        client.send(close_frame(4000))
        assert client.at_end()
        assert watched.next() == ("close", 4000, "", True)
        watched.ws.close(4004)
        assert watched.silent()


def test_close_in_the_middle_of_a_fragmented_message(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        watched = watch.opened()
        client.say(TEXT, "first", fin=False)
        client.say(PING, "seen")
        assert client.frame().payload == b"seen"
        watched.ws.close(4000)
        assert client.closed() == (4000, "")
        client.say(CONTINUATION, "second")
        client.send(close_frame(4000))
        assert client.at_end()
        assert watched.next() == ("close", 4000, "", True)


def test_close_in_on_close(serve: Serve, log: Log) -> None:
    ended = threading.Event()

    def on_open(ws: WebSocket) -> None:
        def on_close() -> None:
            ws.close(4000)
            ws.send("late")
            ended.set()

        ws.onClose(on_close)

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        assert client.farewell() == (1000, "")
    assert ended.wait(PATIENCE)
    assert "ERROR" not in log.text()


def test_close_from_another_thread_while_messages_come(serve: Serve) -> None:
    watch = Watch(echo=True)
    server = serve({"onWSOpen": watch})
    for _ in range(20):
        with Client.open(server) as client:
            watched = watch.opened()
            client.send(frame(TEXT, "x") * 500)
            watched.next()
            threads = [
                threading.Thread(target=watched.ws.close, args=(4000 + number,))
                for number in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            while (got := client.frame()).opcode == TEXT:
                assert got.payload == b"x"
            assert got.close[0] in range(4000, 4004)
            client.send(close_frame(got.close[0]))
            assert client.at_end()
            assert watched.until("close")[3] is True


def test_the_application_drops_the_object(serve: Serve) -> None:
    """The connection is not Python's to keep alive; its object lives as long as it."""
    references: list[weakref.ref[WebSocket]] = []
    ended = threading.Event()

    def on_open(ws: WebSocket) -> None:
        references.append(weakref.ref(ws))
        ws.onMessage(lambda binary, message: ws.send(message))
        ws.onClose(ended.set)

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        gc.collect()
        client.say(TEXT, "still here?")
        assert client.message() == "still here?"
        assert references[0]() is not None
        assert client.farewell() == (1000, "")
    assert ended.wait(PATIENCE)
    # Nothing refers to it any more, and no cycle needs the collector.
    wait_until(lambda: references[0]() is None)


def test_a_callback_runs_other_callbacks(serve: Serve) -> None:
    """Calling service() inside onMessage: the end may come while the message is handled."""
    events: list[Any] = []
    ended = threading.Event()

    def on_open(ws: WebSocket) -> None:
        @ws.onMessage
        def nested(binary: bool, message: str) -> None:
            events.append(message)
            if message == "a":
                while ws.readyState != WebSocket.CLOSED:
                    httpuv.runNow(1.0)
            events.append(f"end of {message}")

        ws.onClose(lambda: events.append("close"))
        ws.onClose(ended.set)

    server = serve({"onWSOpen": on_open}, limits=Limits(ws_close_timeout=0.2))
    with Client.open(server) as client:
        client.send(frame(TEXT, "a") + frame(TEXT, "b") + close_frame(1000))
        client.end()
    assert ended.wait(PATIENCE)
    wait_until(lambda: "end of a" in events)
    assert events == ["a", "b", "end of b", "close", "end of a"]


def test_sys_exit_in_a_callback_ends_the_loop() -> None:
    output = run_script(
        """
        import sys, threading
        import httpuv
        from websockets.sync.client import connect

        def on_open(ws):
            ws.onMessage(lambda binary, message: sys.exit("enough"))

        codes = []

        def talk():
            with connect(f"ws://127.0.0.1:{server.getPort()}/") as client:
                client.send("x")
                try:
                    client.recv()
                except Exception:
                    codes.append(client.protocol.close_code)

        server = httpuv.startServer("127.0.0.1", 0, {"onWSOpen": on_open})
        thread = threading.Thread(target=talk)
        thread.start()
        try:
            httpuv.service(20_000)
        except SystemExit as error:
            print(error)
        thread.join()
        print(codes)
        server.stop()
        """
    )
    assert output.split() == ["enough", "[1011]"]
