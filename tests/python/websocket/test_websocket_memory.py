"""What WebSockets cost: nothing once they are gone, and little while they are idle."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading

import httpuv
import psutil
import pytest
from conftest import Serve
from support import PATIENCE, Script
from ws_support import TEXT, Client, echo, gone, handshake

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
            """The resident bytes of the server with so many more connections that have echoed."""
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
