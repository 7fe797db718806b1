"""How much memory topics and subscriptions take: there may be a hundred thousand."""

from __future__ import annotations

import ctypes
import os

import pytest
from support import Script

SCRIPT = """
import base64, ctypes, socket, threading
import httpuv

COUNT = 20_000
sockets = []
opened = threading.Event()

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd",
        "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Info

def used():
    info = mallinfo2()
    return info.uordblks + info.hblkhd

def each(call):
    before = used()
    for n, name in enumerate(names):
        call(name)
        if n % 500 == 0:  # what waits for the I/O thread does not count
            server.topic_stats("none")
    server.topic_stats("none")
    print((used() - before) / COUNT, flush=True)

def on_open(ws):
    sockets.append(ws)
    opened.set()

rules = {"topic*": httpuv.Topic(history=0)}
app = {"onWSOpen": on_open}
with httpuv.startServer("127.0.0.1", 0, app, topics=rules, dispatch="thread") as server:
    client = socket.create_connection(("127.0.0.1", server.getPort()))
    key = base64.b64encode(b"x" * 16).decode()
    client.sendall(
        f"GET / HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
        f"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: {key}\\r\\n\\r\\n".encode()
    )
    opened.wait()
    names = [f"topic{n}" for n in range(COUNT)]
    server.publish("topic", "")
    each(lambda name: server.publish(name, ""))
    each(sockets[0].subscribe)
    client.close()
"""


def test_an_idle_topic_and_a_subscription() -> None:
    if not hasattr(ctypes.CDLL(None), "mallinfo2"):
        pytest.skip("only the C library of GNU tells what is allocated")
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("the sanitizer's allocator takes more")
    # One arena: mallinfo2() tells of one only.
    with Script(SCRIPT, env={"MALLOC_ARENA_MAX": "1"}) as script:
        topic, subscription = (float(script.line()) for _ in range(2))
    assert topic <= 300
    assert subscription <= 64
