"""What becomes of WebSockets when their server stops, or its process ends or forks: everyone gets
1001, the wait is bounded, and the application is told of each end once."""

from __future__ import annotations

import contextlib
import threading
import time

import httpuv
import pytest
from conftest import Serve
from support import PATIENCE, Wire, address, run_script
from ws_support import BINARY, TEXT, Client, Watch, close_frame, frame, handshake, wait_until

WebSocket = httpuv.WebSocket
MIB = 1 << 20


@pytest.mark.clock
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
    assert time.monotonic() - start < 4
    for thread in threads:
        thread.join()
    for watched in sockets:
        assert watched.next() == ("close", 1001, "", True)


@pytest.mark.clock
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


@pytest.mark.clock
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
        server.stop(PATIENCE)
        assert time.monotonic() - start < PATIENCE / 2


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


def test_stop_before_on_ws_open_was_called() -> None:
    """No thread runs callbacks until the server has stopped."""
    watch = Watch()
    server = httpuv.startServer("127.0.0.1", 0, {"onWSOpen": watch})
    with Client.open(server) as client:
        client.say(TEXT, "x")
        wait_until(lambda: server._core.stats()["requests"] == 1)
        server.stop()
        assert client.closed() == (1001, "the server is stopping")
        while httpuv.runNow():
            pass
        watched = watch.opened()
        watched.ws.send("too late")
        assert watched.until("close") == ("close", 1006, "", False)
        assert watched.silent()


def test_stop_while_python_is_busy_with_a_message(serve: Serve) -> None:
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def on_open(ws: WebSocket) -> None:
        @ws.onMessage
        def slow(binary: bool, message: str) -> None:
            began.set()
            assert go_on.wait(PATIENCE)
            ws.send("nobody is there")

        ws.onClose(ended.set)

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        client.say(TEXT, "x")
        assert began.wait(PATIENCE)
        server.stop()
        assert client.closed() == (1001, "the server is stopping")
        assert client.at_end()
        assert not ended.is_set()
        go_on.set()
        assert ended.wait(PATIENCE)


def test_stop_while_a_flood_is_held_back(serve: Serve) -> None:
    """Nothing was read for a while; Close goes out, and the answer to it is seen."""
    began, go_on = threading.Event(), threading.Event()
    ends = []
    ended = threading.Event()

    def on_open(ws: WebSocket) -> None:
        @ws.onMessage
        def slow(binary: bool, message: bytes) -> None:
            began.set()
            assert go_on.wait(PATIENCE)

        ws.onClose(lambda: ends.append(ws.closeCode))
        ws.onClose(ended.set)

    server = serve({"onWSOpen": on_open}, limits=httpuv.Limits(ws_unread_bytes=100_000))
    with Client.open(server) as client:
        client.send(frame(BINARY, bytes(1000)) * 300 + close_frame(4000))
        assert began.wait(PATIENCE)
        server.stop(PATIENCE)
        assert client.closed() == (1001, "the server is stopping")
        assert client.at_end()
        go_on.set()
        assert ended.wait(PATIENCE)
    assert ends == [4000]


def test_stop_from_several_threads_at_once(serve: Serve) -> None:
    watch = Watch(echo=True)
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        client.send(frame(TEXT, "x") * 2000)
        watched = watch.opened()
        watched.next()
        threads = [threading.Thread(target=server.stop) for _ in range(4)]
        for thread in threads:
            thread.start()
        while (got := client.frame()).opcode == TEXT:
            assert got.payload == b"x"
        assert got.close == (1001, "the server is stopping")
        client.send(close_frame(1001))
        assert client.at_end()
        for thread in threads:
            thread.join()
        assert watched.until("close") == ("close", 1001, "", True)
        assert not server.isRunning()


def test_stop_while_others_publish(serve: Serve) -> None:
    """Each subscriber gets what was published before it stopped, in order, and then 1001."""
    watch = Watch()
    server = serve({"onWSOpen": watch})
    clients = [Client.open(server) for _ in range(10)]
    for _ in clients:
        watch.opened().ws.subscribe("t")
    flowing = threading.Barrier(len(clients) + 1)
    counts = []

    def publish() -> None:
        for number in range(2000):
            server.publish("t", f"{number:<1000}")

    def read(client: Client) -> None:
        assert client.message() == f"{0:<1000}"
        flowing.wait(PATIENCE)
        count = 1
        while (got := client.frame()).opcode == TEXT:
            assert int(got.payload) == count
            count += 1
        assert got.close == (1001, "the server is stopping")
        client.send(close_frame(1001))
        assert client.at_end()
        client.close()
        counts.append(count)

    threads = [threading.Thread(target=read, args=(client,)) for client in clients]
    threads.append(threading.Thread(target=publish))
    for thread in threads:
        thread.start()
    flowing.wait(PATIENCE)
    server.stop(PATIENCE)
    for thread in threads:
        thread.join()
    assert len(counts) == len(clients)
    assert len(set(counts)) == 1


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
