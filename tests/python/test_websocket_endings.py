"""Ways to die: every one of them is told of once, logged if it is our fault, and leaves nothing."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import httpuv
import psutil
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
    echo,
    frame,
    handshake,
)

WebSocket = httpuv.WebSocket
Limits = httpuv.Limits
MIB = 1 << 20


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def gone(server: httpuv.WebServer) -> None:
    """Wait until the server has no connection."""
    wait_until(lambda: server._core.stats()["connections"] == 0)


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


@pytest.mark.parametrize("how", ["close", "reset"])
def test_idle(serve: Serve, how: str) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    client = Client.open(server)
    watched = watch.opened()
    getattr(client, how)()
    assert watched.next() == ("close", 1006, "", False)
    assert watched.ws.readyState == WebSocket.CLOSED
    gone(server)


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


# --- the server stops ---------------------------------------------------------------------------


@pytest.mark.parametrize("timeout", [0.0, 5.0])
def test_stop_says_1001_to_everyone(serve: Serve, timeout: float) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    clients = [Client.open(server) for _ in range(20)]
    sockets = [watch.opened() for _ in clients]
    for client in clients:
        client.say(TEXT, "x")
    for watched in sockets:
        assert watched.next() == ("message", False, "x")

    def leave(client: Client) -> None:
        assert client.closed() == (1001, "the server is stopping")
        client.send(close_frame(1001))
        assert client.at_end()
        client.close()

    threads = [threading.Thread(target=leave, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    start = time.monotonic()
    server.stop(timeout)
    assert time.monotonic() - start < 0.9
    for thread in threads:
        thread.join()
    for watched in sockets:
        assert watched.next() == ("close", 1001, "", True)


def test_stop_waits_for_nobody_in_particular(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as deaf:
        watched = watch.opened()
        start = time.monotonic()
        server.stop()
        assert 0.5 < time.monotonic() - start < 3
        assert deaf.closed() == (1001, "the server is stopping")
        assert deaf.at_end()
        assert watched.next() == ("close", 1006, "", False)


def test_stop_while_a_client_does_not_read(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server):
        watched = watch.opened()
        watched.ws.send(bytes(15 * MIB))
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 3
        assert watched.until("close") == ("close", 1006, "", False)


def test_stop_in_the_middle_of_a_handshake(serve: Serve) -> None:
    server = serve({"onWSOpen": Watch()})
    with Wire(address(server)) as wire:
        wire.send(handshake()[:-2])
        wait_until(lambda: server._core.stats()["accepted"] == 1)
        server.stop()
        assert wire.at_end()


@pytest.mark.parametrize("where", ["onHeaders", "onWSOpen", "onMessage", "onClose"])
def test_stop_from_a_callback(serve: Serve, where: str) -> None:
    servers: list[httpuv.WebServer] = []
    ended = threading.Event()

    def stop(name: str) -> None:
        if name == where:
            servers[0].stop()

    def on_open(ws: WebSocket) -> None:
        ws.onMessage(lambda binary, message: stop("onMessage"))
        ws.onClose(lambda: stop("onClose"))
        ws.onClose(ended.set)
        stop("onWSOpen")

    servers.append(serve({"onHeaders": lambda req: stop("onHeaders"), "onWSOpen": on_open}))
    with Wire(address(servers[0])) as wire:
        wire.send(handshake() + frame(TEXT, "x") + close_frame(1000))
        wait_until(lambda: not servers[0].isRunning())
        with contextlib.suppress(ConnectionError):
            wire.rest()
    assert where == "onHeaders" or ended.wait(PATIENCE)


def test_stop_does_not_wait_for_those_who_have_said_close(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        client.send(close_frame(1000))
        assert client.closed() == (1000, "")
        assert watch.opened().next() == ("close", 1000, "", True)
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 0.9


def test_stop_while_both_are_closing(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as ours, Client.open(server) as theirs:
        first, second = watch.opened(), watch.opened()
        first.ws.close(4000)
        assert ours.closed() == (4000, "")
        theirs.send(close_frame(4001))
        assert theirs.closed() == (4001, "")
        server.stop()
        assert first.next() == ("close", 1006, "", False)
        assert second.next() == ("close", 4001, "", True)


def test_stop_while_large_messages_are_compressed(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, wsCompression="always")
    offer = "Sec-WebSocket-Extensions: permessage-deflate"
    with Client.open(server, "/", offer) as client:
        watched = watch.opened()
        for _ in range(4):
            watched.ws.send("text " * 100_000)
        thread = threading.Thread(target=server.stop)
        thread.start()
        for _ in range(4):  # they were sent before, so they come before
            assert client.message() == "text " * 100_000
        assert client.closed() == (1001, "the server is stopping")
        client.send(close_frame(1001))
        thread.join()
        assert watched.until("close") == ("close", 1001, "", True)


def test_the_process_ends_with_sockets_open() -> None:
    output = run_script(
        """
        import threading
        import httpuv
        from websockets.sync.client import connect

        def on_open(ws):
            ws.onMessage(lambda binary, message: ws.send(message))

        def talk():
            with connect(f"ws://127.0.0.1:{server.getPort()}/") as client:
                client.send("x")
                print(client.recv(), flush=True)
                done.set()
                try:
                    client.recv()
                except Exception as error:
                    print(type(error).__name__, flush=True)

        done = threading.Event()
        server = httpuv.startServer("127.0.0.1", 0, {"onWSOpen": on_open})
        threading.Thread(target=talk, daemon=True).start()
        while not done.is_set():
            httpuv.service(10)
        """
    )
    assert output.startswith("x\n")


def test_a_forked_child_leaves_the_parents_sockets_alone() -> None:
    output = run_script(
        """
        import os, threading
        import httpuv
        from websockets.sync.client import connect

        sockets = []

        def on_open(ws):
            sockets.append(ws)
            ws.onMessage(lambda binary, message: ws.send(message))

        server = httpuv.startServer("127.0.0.1", 0, {"onWSOpen": on_open})
        stop = threading.Event()

        def talk():
            with connect(f"ws://127.0.0.1:{server.getPort()}/") as client:
                client.send("before")
                print(client.recv(), flush=True)
                pid = os.fork()
                if pid == 0:
                    sockets[0].send("from the child")
                    sockets[0].close()
                    assert sockets[0].bufferedAmount == 0
                    os._exit(0)
                print(os.waitpid(pid, 0)[1], flush=True)
                client.send("after")
                print(client.recv(), flush=True)
            stop.set()

        thread = threading.Thread(target=talk)
        thread.start()
        while not stop.is_set():
            httpuv.service(10)
        thread.join()
        server.stop()
        """
    )
    assert output.split() == ["before", "0", "after"]


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


# --- nothing leaks ------------------------------------------------------------------------------


def cycles(serve: Serve, count: int) -> None:
    """Open, talk and close again and again, in every way; memory must not grow."""
    ended = threading.Semaphore(0)

    def on_open(ws: WebSocket) -> None:
        ws.subscribe("all")
        echo(ws)
        ws.onClose(ended.release)
        if ws.request["PATH_INFO"] == "/fail":
            ws.close(4000)

    def sockets() -> int:
        gc.collect()
        return sum(isinstance(each, WebSocket) for each in gc.get_objects())

    server = serve({"onWSOpen": on_open}, wsCompression="always")
    process = psutil.Process()
    before = sockets()
    sizes = []
    parts = 10
    for part in range(parts):
        for number in range(part * count // parts, (part + 1) * count // parts):
            kind = number % 8
            fields = ["Sec-WebSocket-Extensions: permessage-deflate"] if kind % 2 else []
            client = Client.open(server, "/fail" if kind == 7 else "/", *fields)
            if kind < 4:
                client.say(TEXT, "x" * 2000)
                assert client.message() == "x" * 2000
            if kind in (0, 1, 4):
                assert client.farewell() == (1000, "")
            elif kind in (2, 5):
                client.reset()
            else:
                client.close()
            if number % 500 == 0:
                server.publish("all", "x" * 10_000)
        for _ in range(part * count // parts, (part + 1) * count // parts):
            assert ended.acquire(timeout=PATIENCE)
        gc.collect()
        sizes.append(process.memory_info().rss)
    gone(server)
    assert sockets() <= before
    if "HTTPUV_SANITIZED" not in os.environ:
        # What is pooled is there after the first rounds.
        assert sizes[-1] - sizes[2] < MIB, [size // 1024 for size in sizes]


def test_memory_is_flat_over_2000_cycles(serve: Serve) -> None:
    cycles(serve, 2000)


@pytest.mark.skipif("HTTPUV_SLOW" not in os.environ, reason="takes minutes; HTTPUV_SLOW=1 runs it")
@pytest.mark.timeout(3600)
def test_memory_is_flat_over_100000_cycles(serve: Serve) -> None:
    cycles(serve, 100_000)
