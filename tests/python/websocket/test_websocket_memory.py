"""What WebSockets cost: nothing once they are gone, and little while they are idle."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from pathlib import Path

import httpuv
import psutil
import pytest
from conftest import Serve
from support import PATIENCE, Script
from ws_support import BINARY, TEXT, Client, echo, frame, gone, handshake, wait_until

WebSocket = httpuv.WebSocket
MIB = 1 << 20


#: More of them: HTTPUV_CYCLES=100000, which takes minutes.
CYCLES = int(os.environ.get("HTTPUV_CYCLES", "2000"))


@pytest.mark.timeout(120 + CYCLES // 20)
def test_memory_is_flat_over_thousands_of_cycles(serve: Serve) -> None:
    """Open, talk and close again and again, in every way."""
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
        for number in range(part * CYCLES // parts, (part + 1) * CYCLES // parts):
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
        for _ in range(part * CYCLES // parts, (part + 1) * CYCLES // parts):
            assert ended.acquire(timeout=PATIENCE)
        gc.collect()
        sizes.append(process.memory_info().rss)
    gone(server)
    assert sockets() <= before
    if "HTTPUV_SANITIZED" not in os.environ:
        # What is pooled is there after the first rounds.
        assert sizes[-1] - sizes[2] < MIB, [size // 1024 for size in sizes]


IDLE = """
import httpuv

def on_open(ws):
    ws.onMessage(lambda binary, message: ws.send(message))

with httpuv.startServer("127.0.0.1", 0, {"onWSOpen": on_open}) as server:
    print(server.getPort(), flush=True)
    httpuv.service(0)
"""


@pytest.mark.skipif("HTTPUV_SANITIZED" in os.environ, reason="the sanitizer's memory is in the way")
def test_an_idle_socket_costs_at_most_4_kib() -> None:
    """All of it: the core's part, the environment of its request, its object and its callback."""
    with contextlib.ExitStack() as stack:
        script = stack.enter_context(Script(IDLE))
        port = int(script.line())
        process = psutil.Process(script.pid)

        def open_sockets(count: int) -> int:
            """The resident bytes of the server with so many more, each of which has echoed."""
            for _ in range(count):
                client = stack.enter_context(Client(("127.0.0.1", port)))
                assert client.shake_hands(handshake()).status == 101
                client.say(TEXT, "x" * 32)
                assert client.message() == "x" * 32
            return process.memory_info().rss

        before = open_sockets(20)  # what is allocated once
        each = (open_sockets(1000) - before) / 1000
        # Half of it is the environment; the dicts of 3.10 have larger entries.
        assert each <= (4096 if sys.version_info >= (3, 11) else 5120)


def minor_faults(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[7])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.skipif("HTTPUV_SANITIZED" in os.environ, reason="the sanitizer's memory is in the way")
@pytest.mark.timeout(60)
def test_large_messages_cost_no_page_faults() -> None:
    """Of memory that goes back to the system after each message, every page costs one."""
    payload = bytes(64 * 1024)
    data = frame(BINARY, payload)
    with contextlib.ExitStack() as stack:
        script = stack.enter_context(Script(IDLE))
        port = int(script.line())
        clients = [stack.enter_context(Client(("127.0.0.1", port))) for _ in range(8)]
        for client in clients:
            assert client.shake_hands(handshake()).status == 101

        def echoes(rounds: int) -> None:
            for _ in range(rounds):
                for client in clients:
                    client.send(data)
                for client in clients:
                    assert client.message() == payload

        echoes(20)
        before = minor_faults(script.pid)
        echoes(100)
        assert (minor_faults(script.pid) - before) / 800 < 1


@pytest.mark.parametrize("message", [b"x" * 20_000_000, "x" * 20_000_000], ids=["bytes", "str"])
def test_a_large_message_is_lent_until_it_is_sent(serve: Serve, message: bytes | str) -> None:
    before = sys.getrefcount(message)
    sockets: list[WebSocket] = []
    server = serve({"onWSOpen": sockets.append})
    with Client.open(server) as client:
        wait_until(lambda: bool(sockets))
        sockets[0].send(message)
        # What waits for the client is charged, and is no copy.
        wait_until(lambda: server.stats()["held"]["messages_out"] >= len(message))
        assert sys.getrefcount(message) == before + 1
        assert client.message() == message
    wait_until(lambda: sys.getrefcount(message) == before)
    assert server.stats()["held"]["messages_out"] == 0
