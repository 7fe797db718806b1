"""The budget where WebSockets are: commands that wait, messages in and out, slow subscribers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import threading

import httpuv
import pytest
from conftest import Serve
from metrics_support import value
from support import Wire, address
from test_budget import MIB, holds_nothing, serve_until, small, until
from ws_support import BINARY, CLOSE, PING, TEXT, Client, Watch, close_frame, frame, handshake

Limits = httpuv.Limits


def reading(client: Client) -> threading.Thread:
    """Read all that comes, on a thread that ends with the connection."""

    def read() -> None:
        with contextlib.suppress(OSError):
            while client.socket.recv(MIB):
                pass

    thread = threading.Thread(target=read)
    thread.start()
    return thread


# --- commands ---


def test_a_thread_waits_for_the_loop(serve: Serve) -> None:
    """What a thread sends faster than the loop can compress it does not pile up."""
    watch = Watch()
    server = serve({"onWSOpen": watch}, wsCompression="always")
    client = Client.open(server, "/", "Sec-WebSocket-Extensions: permessage-deflate")
    reader = reading(client)
    ws = watch.opened().ws
    message = bytes(random.Random(1).choices(b"abcdefgh ", k=16 * 1024))
    most = 0
    for _ in range(2000):
        ws.send(message)
        most = max(most, server.stats()["held"]["commands"])
    assert most < 5 * MIB
    ws.close()
    client.send(close_frame())
    reader.join()
    client.close()
    holds_nothing(server)


def test_a_thread_that_waits_lets_others_run_and_goes_on_when_the_server_stops(
    serve: Serve,
) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, wsOverflow="drop")
    with Client.open(server):
        ws = watch.opened().ws
        stop = threading.Event()

        def flood() -> None:
            message = b"x" * MIB
            while not stop.is_set():
                ws.send(message)

        threads = [threading.Thread(target=flood) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: server.stats()["held"]["messages_out"] > 8 * MIB)
        assert server.stats()["held"]["commands"] < 8 * MIB
        server.stop()
        stop.set()
        for thread in threads:
            thread.join()


def test_inside_asyncio_the_overflow_policy_applies_instead() -> None:
    """A coroutine that sends without awaiting cannot be made to wait."""
    sent = 0
    most = 0

    async def flood(ws: httpuv.WebSocket) -> None:
        nonlocal sent, most
        message = b"x" * (256 * 1024)
        while sent < 1000:
            ws.send(message)
            sent += 1
            most = max(most, server.stats()["held"]["commands"])
            if sent % 400 == 0:
                await asyncio.sleep(0)
        done.set()

    async def main() -> None:
        nonlocal server, done
        done = asyncio.Event()
        limits = Limits(ws_close_timeout=60)
        server = httpuv.startServer(
            "127.0.0.1", 0, {"onWSOpen": flood}, dispatch="asyncio", limits=limits
        )
        client = await asyncio.to_thread(Client.open, server)
        await done.wait()  # it reads nothing before

        def read() -> tuple[int, str]:
            while (got := client.frame()).opcode != CLOSE:
                assert got.opcode in (BINARY, PING)
            client.send(close_frame(1013))
            return got.close

        code, _ = await asyncio.to_thread(read)
        assert code == 1013
        client.close()
        while any(server.stats()["held"].values()):
            await asyncio.sleep(0.01)
        server.stop()

    server: httpuv.WebServer
    done: asyncio.Event
    asyncio.run(main())
    assert most < 32 * MIB


# --- messages out ---


def test_small_messages_for_many_slow_subscribers_are_bounded(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, limits=Limits(memory_bytes=8 * MIB), wsOverflow="drop")
    clients = [small(Client.open(server)) for _ in range(50)]
    for _ in clients:
        watch.opened().ws.subscribe("t")
    most = 0
    for i in range(200_000):
        server.publish("t", "x" * 100, compress=False)
        if i % 100 == 0:
            most = max(most, server.stats()["memory_bytes"])
    # The mailbox's quarter, and a message for each that has read all before, come on top.
    assert most < 12 * MIB
    for client in clients:
        client.reset()
    holds_nothing(server)


def test_subscribers_that_are_behind_share_what_waits(serve: Serve) -> None:
    """A message of some size is held once, however many have not read it."""
    watch = Watch()
    server = serve({"onWSOpen": watch}, wsOverflow="drop")
    clients = [small(Client.open(server)) for _ in range(20)]
    for _ in clients:
        watch.opened().ws.subscribe("t")
    for _ in range(800):
        server.publish("t", b"x" * 16 * 1024, compress=False)
    until(lambda: server.stats()["held"]["commands"] == 0)
    held = server.stats()["held"]["messages_out"]
    assert 4 * MIB < held < 20 * MIB
    for client in clients:
        client.reset()
    holds_nothing(server)


# --- messages in ---


@pytest.mark.parametrize(("size", "held"), [(30_000, 30_000), (100_000, 2 * 65_598)])
def test_messages_of_clients_that_went_count_until_python_drops_them(size: int, held: int) -> None:
    """A long one counts as the two reads that it is kept in."""
    received = 0

    def opened(ws: httpuv.WebSocket) -> None:
        @ws.onMessage
        def count(binary: bool, message: str | bytes) -> None:
            nonlocal received
            received += len(message)

    with httpuv.startServer("127.0.0.1", 0, {"onWSOpen": opened}) as server:

        def messages() -> float:
            return value(
                server.stats()["metrics"], "httpuv_websocket_messages_total", direction="received"
            )

        for i in range(5):
            client = Client.open(server)
            client.say(BINARY, b"x" * size)
            until(lambda count=i + 1: messages() == count)
            client.reset()
            until(lambda: server.stats()["connections"] == 0)
        assert 5 * held <= server.stats()["held"]["messages_in"] < 5 * held + 10_000
        serve_until(lambda: server.stats()["memory_bytes"] == 0)
        assert received == 5 * size


def test_messages_that_are_not_complete_are_bounded(serve: Serve) -> None:
    server = serve({"onWSOpen": Watch()}, limits=Limits(memory_bytes=8 * MIB))
    clients = [Client.open(server) for _ in range(20)]
    for client in clients:
        with contextlib.suppress(OSError):
            client.send(frame(BINARY, b"x" * MIB, fin=False))
    until(lambda: server.stats()["overloaded"] > 0)
    until(lambda: server.stats()["held"]["messages_in"] > 4 * MIB)
    assert server.stats()["memory_bytes"] <= 8 * MIB
    for client in clients:
        client.reset()
    holds_nothing(server)


# --- chaos ---


def test_everything_is_given_back_after_chaos(serve: Serve) -> None:
    def echo(ws: httpuv.WebSocket) -> None:
        ws.subscribe("all")

        @ws.onMessage
        def again(binary: bool, message: str | bytes) -> None:
            ws.send(message)
            server.publish("all", message[:50])

    limits = Limits(memory_bytes=8 * MIB, ws_queue_bytes=MIB, ws_unread_bytes=64 * 1024)
    server = serve({"onWSOpen": echo}, limits=limits, wsOverflow="callback", wsCompression="always")
    seed = int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    deflate = "Sec-WebSocket-Extensions: permessage-deflate"
    clients: list[Wire] = []
    for _ in range(60):
        fields = [deflate] if chance.random() < 0.5 else []
        client = small(Wire(address(server)))
        client.send(handshake("/", *fields))
        client.socket.settimeout(0.02)
        with contextlib.suppress(OSError):
            for _ in range(chance.randrange(8)):
                kind = chance.choice([TEXT, BINARY, PING, CLOSE, TEXT, TEXT])
                size = chance.choice([0, 1, 100, 10_000, 200_000])
                if kind == CLOSE:
                    client.send(close_frame())
                else:
                    size = min(size, 125) if kind == PING else size
                    client.send(frame(kind, b"a" * size, fin=kind == PING or chance.random() < 0.8))
        if chance.random() < 0.5:
            client.reset()
        else:
            clients.append(client)
    for client in clients:
        client.reset()
    try:
        holds_nothing(server)
    except AssertionError:
        raise AssertionError(f"seed {seed}: {server.stats()}") from None
