"""Topics: messages to many clients, beside what people write by hand in Python.

    python benchmarks/topics.py [--clients 1000] [--messages 200] [--size 1024] [--rounds 3]

Servers run on one core, the clients on another. Each scenario is measured in alternating rounds;
its median is printed in messages delivered a second. A client counts bytes: it costs the same for
all.

* ``events``: a publisher, and clients with EventSource. httpuv: ``EventStream(topics=...)``;
  Starlette on uvicorn: an asyncio queue for each client.
* ``replay``: clients that come back at once and are to get the last 200 messages. Starlette: from a
  deque, as one piece.
* topics: a message to each of 100,000 topics that have one subscriber, beside as many to one topic;
  and what an idle topic and a subscription take.
"""

from __future__ import annotations

import argparse
import os
import selectors
import socket
import statistics
import subprocess
import sys
import time

HTTPUV = """
import sys, threading, time
import httpuv
SIZE, = map(int, sys.argv[1:])
text = "x" * SIZE
stream = httpuv.EventStream(topics=["t"])
def call(req):
    if req["PATH_INFO"] == "/events":
        return stream
    count = int(req["QUERY_STRING"])
    for _ in range(count):
        server.publish("t", text)
    return {"status": 200, "body": server.topic_stats("t").epoch}
limits = httpuv.Limits(max_connections=20000)
server = httpuv.startServer("127.0.0.1", 0, call, limits=limits,
                            topics={"t": httpuv.Topic(history=200, max_bytes=1 << 30)})
print(server.getPort(), flush=True)
httpuv.service(0)
"""

STARLETTE = """
import asyncio, collections, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
SIZE, = map(int, sys.argv[1:])
text = "x" * SIZE
clients, kept, number = set(), collections.deque(maxlen=200), 0
async def events(request):
    queue = asyncio.Queue()
    clients.add(queue)
    since = int(request.headers.get("last-event-id", "0.0").rpartition(".")[2])
    async def body():
        try:
            if since:
                yield "".join(piece for offset, piece in kept if offset > since)
            else:
                yield "id: e.0\\n\\n"
            while True:
                yield await queue.get()
        finally:
            clients.discard(queue)
    return StreamingResponse(body(), media_type="text/event-stream")
async def publish(request):
    global number
    for _ in range(int(request.url.query)):
        number += 1
        piece = f"id: e.{number}\\ndata: {text}\\n\\n"
        kept.append((number, piece))
        for queue in clients:
            queue.put_nowait(piece)
        await asyncio.sleep(0)
    return PlainTextResponse("e")
app = Starlette(routes=[Route("/events", events), Route("/publish", publish)])
sock = __import__("socket").socket()
sock.bind(("127.0.0.1", 0))
sock.listen(4096)
print(sock.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error", loop="uvloop", http="httptools")).run([sock])
"""


TOPICS = """
import base64, resource, socket, threading, time
import httpuv

COUNT = 100_000
sockets = []

def rss():
    pages = open("/proc/self/statm").read().split()[1]
    return int(pages) * resource.getpagesize()

def per_topic(began):
    server.topic_stats("none")  # answered behind all that was posted
    return (rss() - began) / COUNT

rules = {"topic*": httpuv.Topic(history=0)}
with httpuv.startServer("127.0.0.1", 0, {"onWSOpen": sockets.append}, topics=rules) as server:
    client = socket.create_connection(("127.0.0.1", server.getPort()))
    fields = ["GET / HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade"]
    fields += ["Sec-WebSocket-Version: 13"]
    fields += ["Sec-WebSocket-Key: " + base64.b64encode(b"x" * 16).decode(), "", ""]
    client.sendall("\\r\\n".join(fields).encode())
    while not sockets:
        httpuv.service(0.1)
    threading.Thread(
        target=lambda: [None for _ in iter(lambda: client.recv(1 << 20), b"")], daemon=True
    ).start()
    names = [f"topic{n}" for n in range(COUNT)]
    began = rss()
    for name in names:
        server.publish(name, "")
    print(f"an idle topic: {per_topic(began):.0f} bytes", flush=True)
    began = rss()
    for name in names:
        sockets[0].subscribe(name)
    print(f"a subscription: {per_topic(began):.0f} bytes", flush=True)
    rates = []
    for targets in (["topic1"] * COUNT, names):
        found = []
        for _ in range(5):
            start = time.perf_counter()
            for name in targets:
                server.publish(name, "x" * 100)
            server.topic_stats("none")
            found.append(COUNT / (time.perf_counter() - start))
        rates.append(sorted(found)[2])
    print(f"publish to one topic {rates[0]:,.0f}/s, to 100,000 {rates[1]:,.0f}/s:", end=" ")
    print(f"{rates[1] / rates[0]:.2f} x", flush=True)
    client.close()
"""


class Served:
    """A server in a process of its own, on the first core."""

    def __init__(self, code: str, size: int) -> None:
        command = [sys.executable, "-c", code, str(size)]
        if os.cpu_count() and os.cpu_count() != 1:
            command = ["taskset", "-c", "0", *command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.at = ("127.0.0.1", int(self.process.stdout.readline()))

    def publish(self, count: int) -> str:
        """Have so many messages published; returns the epoch."""
        with socket.create_connection(self.at) as client:
            request = f"GET /publish?{count} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            client.sendall(request.encode())
            answer = b""
            while piece := client.recv(65536):
                answer += piece
        return answer.rpartition(b"\r\n\r\n")[2].decode()


def connect(server: Served, count: int, last: str = "") -> list[socket.socket]:
    """Clients that have asked for events; with an id: that come back."""
    clients = []
    field = f"Last-Event-ID: {last}\r\n" if last else ""
    for _ in range(count):
        client = socket.create_connection(server.at)
        client.sendall(f"GET /events HTTP/1.1\r\nHost: x\r\n{field}\r\n".encode())
        clients.append(client)
    return clients


def read(clients: list[socket.socket], least: int, patience: float = 120.0) -> float:
    """Read until each client has so many bytes; the time when the last has."""
    left = dict.fromkeys(clients, least)
    deadline = time.monotonic() + patience
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.setblocking(False)
            selector.register(client, selectors.EVENT_READ)
        while left:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(left)} clients wait still")
            for key, _ in selector.select(1.0):
                client = key.fileobj
                assert isinstance(client, socket.socket)
                left[client] -= len(client.recv(1 << 18))
                if left[client] <= 0:
                    selector.unregister(client)
                    del left[client]
    return time.monotonic()


def events(server: Served, clients: int, messages: int, size: int) -> float:
    """Messages delivered a second."""
    sockets = connect(server, clients)
    read(sockets, 100)  # the head, and the first id
    began = time.monotonic()
    server.publish(messages)
    ended = read(sockets, messages * (size + 8))
    for each in sockets:
        each.close()
    return clients * messages / (ended - began)


def replay(server: Served, clients: int, messages: int, size: int) -> float:
    """The same for clients that come back."""
    epoch = server.publish(messages)
    with connect(server, 1)[0] as client:
        client.setblocking(True)
        head = client.recv(65536)
        while b"id: " not in head:
            head += client.recv(65536)
    last = int(head.partition(b"id: ")[2].partition(b"\n")[0].rpartition(b".")[2] or 0)
    if not last:  # Starlette's: it numbers by itself
        server.count = getattr(server, "count", 0) + messages  # type: ignore[attr-defined]
        last = server.count  # type: ignore[attr-defined]
    began = time.monotonic()
    sockets = connect(server, clients, f"{epoch}.{last - min(messages, 200) + 1}")
    ended = read(sockets, (min(messages, 200) - 1) * (size + 8))
    for each in sockets:
        each.close()
    return clients * (min(messages, 200) - 1) / (ended - began)


def topics() -> None:
    """100,000 topics with a subscriber each, beside one: what a publish() costs."""
    subprocess.run([sys.executable, "-c", TOPICS], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if hasattr(os, "sched_setaffinity") and os.cpu_count() != 1:
        os.sched_setaffinity(0, {1})
    servers = {"httpuv": Served(HTTPUV, given.size), "starlette": Served(STARLETTE, given.size)}
    try:
        for name, scenario in (("events", events), ("replay", replay)):
            rates: dict[str, list[float]] = {each: [] for each in servers}
            for _ in range(given.rounds):
                for each, server in servers.items():
                    rates[each].append(scenario(server, given.clients, given.messages, given.size))
            medians = {each: statistics.median(found) for each, found in rates.items()}
            ratio = medians["httpuv"] / medians["starlette"]
            numbers = ", ".join(f"{each} {found:,.0f}/s" for each, found in medians.items())
            print(f"{name}: {numbers}: {ratio:.1f} x", flush=True)
    finally:
        for server in servers.values():
            server.process.kill()
            server.process.wait()
    topics()


if __name__ == "__main__":
    main()
