"""Without memory for an answer or a message, the client is told or its connection ends."""

from __future__ import annotations

import sys

import pytest
from support import run_script

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS is Linux's")

SERVE = """
import asyncio, logging, resource, socket, sys
import httpuv

SIZE = 300 * 2**20

def lent(req):
    return {"status": 200, "body": b"x" * SIZE}

def large(req):  # what may change is copied
    return {"status": 200, "body": bytearray(SIZE)}

def text(req):  # takes more as UTF-8
    return {"status": 200, "body": "\xe4" * SIZE}

def pairs(req):
    return {"status": 200, "headers": [("a", "b")], "body": bytearray(SIZE)}

def view(req):
    return {"status": 200, "body": memoryview(b"x" * SIZE)}

async def coroutine(req):
    await asyncio.sleep(0)
    return large(req)

async def coroutine_of_pairs(req):
    return pairs(req)

def pieces(req):
    def body():
        yield b"x" * SIZE
    return {"status": 200, "body": body()}

def call(req):
    name = req["PATH_INFO"][1:]
    return globals()[name](req) if name else {"status": 200, "body": "ok"}

def on_open(ws):
    ws.onMessage(lambda binary, message: ws.send(bytearray(SIZE)) and None)

def ask(data, until=b"no such thing"):
    with socket.create_connection(("127.0.0.1", server.getPort()), timeout=20) as sock:
        sock.sendall(data)
        got = b""
        while until not in got and (piece := sock.recv(65536)):
            got += piece
        return got

def get(name):
    return ask(b"GET /%s HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n" % name)

logging.disable(logging.CRITICAL)
server = httpuv.startServer(
    "127.0.0.1", 0, {"call": call, "onWSOpen": on_open}, dispatch="thread", gzip=False
)
get(b"")
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
unlimited = resource.getrlimit(resource.RLIMIT_AS)

def without_memory(func, *arguments):
    # Room for the body, none for its copy.
    resource.setrlimit(resource.RLIMIT_AS, (used + SIZE + 100 * 2**20, unlimited[1]))
    try:
        return func(*arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, unlimited)
"""


@pytest.mark.parametrize(
    "name", ["large", "text", "pairs", "view", "coroutine", "coroutine_of_pairs"]
)
def test_an_answer(name: str) -> None:
    run_script(
        SERVE
        + """
got = without_memory(get, sys.argv[1].encode())
assert got.startswith(b"HTTP/1.1 500 "), got[:100]
assert get(b"").endswith(b"ok")
server.stop()
""",
        name,
    )


def test_bytes_need_no_memory_for_a_copy() -> None:
    run_script(
        SERVE
        + """
def count():
    with socket.create_connection(("127.0.0.1", server.getPort()), timeout=20) as sock:
        sock.sendall(b"GET /lent HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n")
        assert sock.recv(13) == b"HTTP/1.1 200 "
        size = 0
        while piece := sock.recv(65536):
            size += len(piece)
        return size

assert without_memory(count) > SIZE
server.stop()
"""
    )


def test_a_piece_of_a_stream() -> None:
    run_script(
        SERVE
        + """
try:
    got = without_memory(get, b"pieces")
except ConnectionResetError:
    got = b""
assert len(got) < SIZE, len(got)
assert get(b"").endswith(b"ok")
server.stop()
"""
    )


def test_a_websocket_message() -> None:
    run_script(
        SERVE
        + """
HANDSHAKE = (
    b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n"
)
got = without_memory(ask, HANDSHAKE + b"\\x81\\x81\\0\\0\\0\\0x", b"error")
assert b"\\x03\\xf3internal error" in got, got[-100:]  # 1011
server.stop()
"""
    )


def test_an_upload_that_does_not_fit() -> None:
    """The loop's own memory: the client's connection ends, and the server goes on."""
    run_script(
        """
import logging, resource, socket
import httpuv

logging.disable(logging.CRITICAL)

def ask(data, size=0):
    with socket.create_connection(("127.0.0.1", server.getPort()), timeout=20) as sock:
        got = b""
        try:
            sock.sendall(data)
            for _ in range(size >> 20):
                sock.sendall(b"x" * 2**20)
            while piece := sock.recv(65536):
                got += piece
        except ConnectionError:
            pass
        return got

def upload(size):
    head = b"POST / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n"
    return ask(head + b"Content-Length: %d\\r\\n\\r\\n" % size, size)

server = httpuv.startServer(
    "127.0.0.1",
    0,
    lambda req: {"status": 200, "body": "ok"},
    dispatch="thread",
    limits=httpuv.Limits(body_memory_bytes=1 << 30, memory_bytes=1 << 31),
)
assert upload(1 << 20).endswith(b"ok")
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
unlimited = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20), unlimited[1]))
for _ in range(2):
    assert upload(10 << 20).endswith(b"ok")
    assert upload(300 << 20) == b""
assert server.stats()["overloaded"] >= 2, server.stats()
resource.setrlimit(resource.RLIMIT_AS, unlimited)
server.stop()
"""
    )
