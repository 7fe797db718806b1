"""Alive and bounded: pings, deadlines and queues are kept by the I/O thread, whatever Python and
the client do."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

import httpuv
import psutil
import pytest
from conftest import Serve
from support import PATIENCE, Script, Wire, address
from ws_support import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Client,
    Watch,
    close_frame,
    frame,
    handshake,
    wait_until,
)

Limits = httpuv.Limits
MIB = 1 << 20

measures_memory = pytest.mark.skipif(
    "HTTPUV_SANITIZED" in os.environ, reason="the sanitizer's memory is in the way"
)


def small_buffers(client: Client) -> Client:
    """Have the kernel take little for a client that does not read."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    return client


def numbered(number: int, size: int) -> bytes:
    return number.to_bytes(4, "big") * (size // 4)


# --- pings and deadlines ------------------------------------------------------------------------


@pytest.mark.clock
def test_a_silent_client_is_pinged_and_then_cut(serve: Serve) -> None:
    watch = Watch()
    limits = Limits(ws_ping_interval=0.2, ws_pong_timeout=0.3)
    server = serve({"onWSOpen": watch}, limits=limits)
    with Client.open(server) as client:
        start = time.monotonic()
        assert client.frame().opcode == PING
        assert time.monotonic() - start >= 0.15
        with pytest.raises((EOFError, ConnectionResetError)):
            client.frame()
        assert time.monotonic() - start >= 0.4
    assert watch.opened().next() == ("close", 1006, "", False)


@pytest.mark.clock
def test_a_pong_or_anything_else_is_a_sign_of_life(serve: Serve) -> None:
    watch = Watch()
    limits = Limits(ws_ping_interval=0.1, ws_pong_timeout=2.0)
    server = serve({"onWSOpen": watch}, limits=limits)
    with Client.open(server) as client:
        start = time.monotonic()
        for number in range(20):
            assert client.frame().opcode == PING
            client.say(*((PONG,) if number % 2 else (TEXT, "here")))
        assert time.monotonic() - start < 20
        assert client.farewell() == (1000, "")
    assert watch.opened().until("close") == ("close", 1000, "", True)


def test_no_pings(serve: Serve) -> None:
    server = serve({"onWSOpen": Watch()}, limits=Limits(ws_ping_interval=0, write_timeout=0.2))
    with Client.open(server) as client:
        client.socket.settimeout(0.7)
        with pytest.raises(TimeoutError):
            client.frame()
        client.socket.settimeout(PATIENCE)
        assert client.farewell() == (1000, "")


BLOCKING = """
import ctypes, sys
import httpuv

libc = ctypes.PyDLL(None)  # a call of its functions holds the GIL

def on_open(ws):
    @ws.onMessage
    def on_message(binary, message):
        if message == "block":
            print("blocked", flush=True)
            libc.usleep(2_500_000)
            print("free", flush=True)
        elif isinstance(message, str):
            ws.send(message)
        else:
            ws.total = getattr(ws, "total", 0) + len(message)
            ws.send(str(ws.total))

    @ws.onClose
    def on_close():
        print("close", ws.closeCode, flush=True)

limits = httpuv.Limits(ws_ping_interval=0.3, ws_pong_timeout=1.0, ws_close_timeout=0.5)
with httpuv.startServer("127.0.0.1", 0, {"onWSOpen": on_open}, limits=limits) as server:
    print(server.getPort(), flush=True)
    while True:
        httpuv.service()
"""


@contextlib.contextmanager
def blocking() -> Iterator[tuple[Script, int]]:
    """A server whose interpreter can be blocked, in a separate process."""
    with Script(BLOCKING) as script:
        yield script, int(script.line())


def connect(port: int) -> Client:
    client = Client(("127.0.0.1", port))
    assert client.shake_hands(handshake()).status == 101
    return client


@pytest.mark.clock
def test_a_blocked_interpreter_keeps_no_socket_waiting() -> None:
    with (
        blocking() as (script, port),
        connect(port) as blocker,
        connect(port) as alive,
        connect(port) as dead,
        connect(port) as closing,
        connect(port) as talking,
    ):
        blocker.say(TEXT, "block")
        assert script.line() == "blocked"
        start = time.monotonic()
        # Pings are answered, and a connection that said nothing closes, at once.
        alive.say(PING, "hello?")
        while alive.frame().payload != b"hello?":
            pass
        assert closing.farewell(1001) == (1001, "")
        # New ones are accepted.
        with connect(port) as late:
            late.say(PING, "new")
            assert late.frame().payload == b"new"
        assert time.monotonic() - start < 2
        # One that waits for its answer gets a Close after the deadline, without it.
        talking.send(frame(TEXT, "echo") + close_frame(1000))
        assert talking.closed() == (1000, "")
        # Pings go out; a client that does not answer them is cut off.
        pings = 0
        alive.socket.settimeout(0.2)
        blocker.socket.settimeout(0.05)
        gone = False
        while time.monotonic() - start < 2.2:
            for client in (alive, blocker):
                with contextlib.suppress(TimeoutError):
                    assert client.frame().opcode == PING
                    client.say(PONG)
                    pings += client is alive
        dead.socket.settimeout(0.01)
        try:
            assert dead.frame().opcode == PING
            dead.rest()
            gone = True
        except (EOFError, ConnectionResetError):
            gone = True
        assert gone
        assert pings >= 3
        lines = [script.line() for _ in range(4)]
        assert lines[0] == "free"
        assert sorted(lines[1:]) == ["close 1000", "close 1001", "close 1006"]
        alive.socket.settimeout(PATIENCE)
        alive.say(TEXT, "still here")
        assert alive.message() == "still here"


@pytest.mark.clock
@measures_memory
def test_a_flood_for_a_blocked_interpreter_is_held_back() -> None:
    with blocking() as (script, port), connect(port) as client:
        process = psutil.Process(script.pid)
        before = process.memory_info().rss
        client.say(TEXT, "block")
        assert script.line() == "blocked"
        chunk = b"".join(frame(BINARY, bytes(1000)) for _ in range(1000))
        sent = 0
        done = threading.Event()

        def flood() -> None:
            nonlocal sent
            for _ in range(64):
                client.send(chunk)
                sent += 1
            done.set()

        thread = threading.Thread(target=flood)
        thread.start()
        highest = 0
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            highest = max(highest, process.memory_info().rss)
            time.sleep(0.05)
        assert not done.is_set(), "nothing held it back"
        assert highest - before < 16 * MIB
        # Reading has stopped, so no pong was seen; that is not the client's fault.
        assert script.line() == "free"
        totals = [client.message() for _ in range(64_000)]
        thread.join()
        assert totals == [str(number * 1000) for number in range(1, 64_001)]
        client.end()


def test_a_handshake_has_a_deadline(serve: Serve) -> None:
    server = serve({"onWSOpen": Watch()}, limits=Limits(header_timeout=0.2))
    with Wire(address(server)) as wire:
        wire.send(handshake()[:-2])
        assert wire.response().status == 408


def test_a_client_that_does_not_answer_close_is_cut(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, limits=Limits(ws_close_timeout=0.2))
    with Client.open(server) as client:
        watched = watch.opened()
        watched.ws.close(4000)
        assert client.closed() == (4000, "")
        assert client.at_end()
        assert watched.next() == ("close", 1006, "", False)


def test_a_client_that_stays_after_the_closing_handshake_is_cut(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, limits=Limits(ws_close_timeout=0.2))
    with Client.open(server) as client:
        client.send(close_frame(1000))
        assert client.closed() == (1000, "")
        assert watch.opened().next() == ("close", 1000, "", True)
        # It neither closes nor stops sending.
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                client.say(PING)
                time.sleep(0.01)


# --- clients that do not read -------------------------------------------------------------------


def test_overflow_close(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, limits=Limits(ws_queue_bytes=4 * MIB))
    with small_buffers(Client.open(server)) as client:
        watched = watch.opened()
        for number in range(64):
            watched.ws.send(numbered(number, MIB))
        received = 0
        while (got := client.frame()).opcode == BINARY:
            assert got.payload == numbered(received, MIB)
            received += 1
        assert got.close == (1013, "the peer does not read")
        assert 4 <= received < 64
        client.send(close_frame(1013))
        assert watched.until("close") == ("close", 1013, "", True)


def test_overflow_shows_at_once_and_is_cut_in_time(serve: Serve) -> None:
    """The client reads nothing, so there is no progress that would move the deadline."""
    ended: list[object] = []

    async def on_open(ws: httpuv.WebSocket) -> None:
        while ws.readyState == httpuv.WebSocket.OPEN:
            ws.send(bytes(MIB))
            await asyncio.sleep(0.01)
        try:
            await ws.send(b"")
        except httpuv.ConnectionClosed as error:
            ended.append((ws.readyState, error.code, error.reason))
            raise

    watch = Watch()

    def open_both(ws: httpuv.WebSocket) -> object:
        watch(ws)
        return on_open(ws)

    limits = Limits(ws_queue_bytes=MIB, ws_close_timeout=3)
    with small_buffers(Client.open(serve({"onWSOpen": open_both}, limits=limits))):
        watched = watch.opened()
        wait_until(lambda: watched.ws.readyState != httpuv.WebSocket.OPEN)
        begun = time.monotonic()
        assert watched.ws.readyState == httpuv.WebSocket.CLOSING  # and not already CLOSED
        wait_until(lambda: bool(ended))
        assert ended == [(httpuv.WebSocket.CLOSING, 1013, "the peer does not read")]
        assert watched.until("close")[1:2] == (1006,)
        assert time.monotonic() - begun < 5  # once 3 s, not twice


def test_overflow_drop(serve: Serve) -> None:
    watch = Watch()
    limits = Limits(ws_queue_bytes=4 * MIB)
    server = serve({"onWSOpen": watch}, limits=limits, wsOverflow="drop")
    with small_buffers(Client.open(server)) as client:
        watched = watch.opened()
        for number in range(64):
            watched.ws.send(numbered(number, MIB))
        assert 3 * MIB <= watched.ws.bufferedAmount <= 5 * MIB
        received = [client.message() for _ in range(4)]
        assert received == [numbered(number, MIB) for number in range(4)]
        reader = threading.Thread(target=watched.until, args=("drain",))
        reader.start()
        numbers = []
        while reader.is_alive() or watched.ws.bufferedAmount:
            client.socket.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                numbers.append(int.from_bytes(client.message()[:4], "big"))  # type: ignore[arg-type]
        reader.join()
        client.socket.settimeout(PATIENCE)
        watched.ws.send("caught up")
        while (message := client.message()) != "caught up":
            numbers.append(int.from_bytes(message[:4], "big"))  # type: ignore[arg-type]
        assert numbers == list(range(4, 4 + len(numbers)))
        assert len(numbers) < 60
        assert watched.silent()  # it is not told of what was dropped
        assert client.farewell() == (1000, "")


def test_overflow_callback(serve: Serve) -> None:
    watch = Watch()
    limits = Limits(ws_queue_bytes=4 * MIB)
    server = serve({"onWSOpen": watch}, limits=limits, wsOverflow="callback")
    with small_buffers(Client.open(server)) as client:
        watched = watch.opened()
        for number in range(64):
            watched.ws.send(numbered(number, MIB))
        dropped = 1
        assert watched.next() == ("dropped",)
        watched.ws.ping()  # behind all that; quietly dropped if there is no room
        assert watched.ws.bufferedAmount > 0  # after all the others were carried out
        received = 0
        draining = threading.Event()

        def read() -> None:
            nonlocal received
            while (got := client.frame()).opcode != CLOSE:
                received += got.opcode == BINARY

        reader = threading.Thread(target=read)
        reader.start()
        while (event := watched.next()) != ("drain",):
            assert event == ("dropped",)
            dropped += 1
        draining.set()
        watched.ws.close()
        reader.join()
        assert received + dropped == 64
        assert dropped > 10


def test_one_message_of_any_size_may_wait(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, limits=Limits(ws_queue_bytes=1000))
    with Client.open(server) as client:
        watched = watch.opened()
        watched.ws.send(bytes(15 * MIB))
        assert client.message() == bytes(15 * MIB)  # so nothing waits any more
        watched.ws.send("and another")
        assert client.message() == "and another"


@measures_memory
def test_pings_of_a_client_that_does_not_read(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    process = psutil.Process()
    with small_buffers(Client.open(server)) as client:
        ws = watch.opened().ws
        before = process.memory_info().rss
        flood = b"".join(frame(PING, f"{number:<100}") for number in range(1000))
        for _ in range(200):
            client.send(flood)
        client.say(PING, "the last")
        assert ws.bufferedAmount < MIB
        assert process.memory_info().rss - before < 32 * MIB
        pongs = 1
        while client.frame().payload != b"the last":
            pongs += 1
        assert 100 < pongs < 200_000
        assert client.farewell() == (1000, "")


@pytest.mark.clock
def test_a_slow_reader_gets_all_that_was_sent_before_close(serve: Serve) -> None:
    watch = Watch()
    limits = Limits(ws_close_timeout=0.3, ws_ping_interval=0.2, ws_pong_timeout=0.5)
    server = serve({"onWSOpen": watch}, limits=limits)
    with small_buffers(Client.open(server)) as client:
        ws = watch.opened().ws
        for number in range(12):
            ws.send(numbered(number, MIB))
        ws.close(1000, "that was all")
        for number in range(12):
            assert client.message() == numbered(number, MIB)
            time.sleep(0.1)
        assert client.closed() == (1000, "that was all")


@pytest.mark.clock
def test_a_slow_reader_is_not_silent(serve: Serve) -> None:
    # Its pong waits behind much else; that it takes that is enough.
    watch = Watch()
    limits = Limits(ws_ping_interval=0.1, ws_pong_timeout=1.0)
    server = serve({"onWSOpen": watch}, limits=limits)
    with small_buffers(Client.open(server)) as client:
        ws = watch.opened().ws
        for number in range(12):
            ws.send(numbered(number, MIB))
        for number in range(12):
            while (got := client.frame()).opcode == PING:
                client.say(PONG)
            assert got.payload == numbered(number, MIB)
            time.sleep(0.1)
        ws.close()
        assert client.closed() == (1000, "")


def test_a_client_that_takes_nothing_is_cut(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, limits=Limits(ws_ping_interval=0, write_timeout=0.3))
    with small_buffers(Client.open(server)):
        watched = watch.opened()
        watched.ws.send(bytes(15 * MIB))
        assert watched.next() == ("close", 1006, "", False)
    assert server._core.stats()["timed_out"] == 1


def test_buffered_amount_from_a_callback(serve: Serve) -> None:
    amounts = []

    def on_open(ws: httpuv.WebSocket) -> None:
        ws.send(bytes(15 * MIB))
        amounts.append(ws.bufferedAmount)
        ws.onDrain(lambda: amounts.append(ws.bufferedAmount))
        ws.onDrain(ws.close)

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        wait_until(lambda: bool(amounts))  # what the client reads before is not buffered
        assert len(client.message()) == 15 * MIB
        assert client.closed() == (1000, "")
    assert 0 < amounts[0] <= 15 * MIB + 10
    assert amounts[1] == 0
