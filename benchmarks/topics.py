"""Topics: messages to many clients, beside what people write by hand in Python.

    python benchmarks/topics.py [events] [replay] [many] [redis] [--rounds 3]

Servers run on one core, the clients on another. Each row is measured in alternating rounds; its
median is printed in messages delivered a second. A client counts bytes: it costs the same for all.

* ``events``: a publisher, and 1,000 clients with EventSource. httpuv: ``EventStream(topics=...)``;
  Starlette on uvicorn: an asyncio queue for each client.
* ``replay``: clients that come back at once and are to get the last 200 messages. Starlette: from a
  deque, as one piece.
* ``many``: a message to each of 100,000 topics that have one subscriber, beside as many to one
  topic; and what an idle topic and a subscription take. Server, publisher and client are threads of
  one process, on all cores: on one core the numbers would be those of all three.
* ``redis``: four processes that share a redis-server, with WebSockets. python-socketio with
  AsyncRedisManager, and a channel layer of channels_redis, both on uvicorn. The median time from
  publish() to the client comes from messages that are published one by one.

Without names it is all of them. Peers come from benchmarks/.venv where run.py has made that. (1 KiB
to 1,000 WebSockets is a scenario of run.py.)
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import topic_servers

PEERS = Path(__file__).parent / ".venv" / "bin" / "python"
PROCESSES = 4
CORES = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def pinned(command: list[str]) -> list[str]:
    """On the first core, where there is another one for the clients."""
    several = os.cpu_count() != 1 and shutil.which("taskset")
    return ["taskset", "-c", "0", *command] if several else command


class Served:
    """A server in a separate process, on the first core."""

    def __init__(self, code: str, *arguments: str, peer: bool = False) -> None:
        python = str(PEERS) if peer and PEERS.exists() else sys.executable
        command = pinned([python, "-c", code, *arguments])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.count = 0  # that it has numbered itself
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.end()
            raise RuntimeError("the server has not started")
        self.at = ("127.0.0.1", int(line))

    def get(self, path: str) -> str:
        """The body of an answer."""
        with socket.create_connection(self.at) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while piece := client.recv(65536):
                answer += piece
        if b" 200 " not in answer[:20]:
            raise RuntimeError(f"{path} is answered with {answer[:200]!r}")
        return answer.rpartition(b"\r\n\r\n")[2].decode()

    def publish(self, count: int) -> str:
        """Have so many messages published; returns the epoch."""
        return self.get(f"/publish?{count}")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def connect(server: Served, count: int, last: str = "") -> list[socket.socket]:
    """Clients that have asked for events; with an id: that come back."""
    clients = []
    field = f"Last-Event-ID: {last}\r\n" if last else ""
    for _ in range(count):
        client = socket.create_connection(server.at)
        client.sendall(f"GET /events HTTP/1.1\r\nHost: x\r\n{field}\r\n".encode())
        clients.append(client)
    return clients


Take = Callable[[bytes], object]


def read(
    clients: list[socket.socket],
    least: int,
    take: Take = lambda data: None,
    patience: float = 60.0,
) -> float:
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
                data = client.recv(1 << 18)
                if not data:
                    raise ConnectionError("a client was cut off")
                take(data)
                left[client] -= len(data)
                if left[client] <= 0:
                    selector.unregister(client)
                    del left[client]
    return time.monotonic()


def close(clients: list[socket.socket]) -> None:
    for client in clients:
        client.close()


# --- streams of events ---------------------------------------------------------------------------


def events(server: Served, clients: int, messages: int, size: int) -> float:
    """Messages delivered a second."""
    sockets = connect(server, clients)
    read(sockets, 100)  # the head, and the first id
    began = time.monotonic()
    server.publish(messages)
    ended = read(sockets, messages * (size + 8))
    server.count += messages
    close(sockets)
    return clients * messages / (ended - began)


def replay(server: Served, clients: int, messages: int, size: int) -> float:
    """The same for clients that come back."""
    epoch = server.publish(messages)
    server.count += messages
    missed = min(messages, 200) - 1
    last = server.count - missed
    began = time.monotonic()
    sockets = connect(server, clients, f"{epoch}.{last}")
    ended = read(sockets, missed * (size + 8))
    close(sockets)
    return clients * missed / (ended - began)


Scenario = Callable[[Served, int, int, int], float]


def streams(name: str, scenario: Scenario, given: argparse.Namespace) -> None:
    size = str(given.size)
    servers = {
        "httpuv": Served(topic_servers.HTTPUV, size),
        "starlette": Served(topic_servers.STARLETTE, size, peer=True),
    }
    try:
        rates: dict[str, list[float]] = {each: [] for each in servers}
        for _ in range(given.rounds):
            for each, server in servers.items():
                rates[each].append(scenario(server, given.clients, given.messages, given.size))
    finally:
        for server in servers.values():
            server.end()
    medians = {each: statistics.median(found) for each, found in rates.items()}
    tell(name, medians, "/s")


def tell(name: str, medians: dict[str, float], unit: str) -> None:
    """One line: each number, and how it is beside the next best."""
    numbers = ", ".join(f"{each} {found:,.0f}{unit}" for each, found in medians.items())
    ours, *others = medians.values()
    if not others:  # no peer is installed
        print(f"{name}: {numbers}", flush=True)
        return
    better = max(others) if unit == "/s" else min(others)
    print(f"{name}: {numbers}: {ours / better:.2f} x", flush=True)


def many(given: argparse.Namespace) -> None:
    """100,000 topics with a subscriber each, beside one: what a publish() costs."""
    command = [sys.executable, "-c", topic_servers.TOPICS]
    if CORES and shutil.which("taskset"):
        command = ["taskset", "-c", ",".join(map(str, sorted(CORES))), *command]
    # One arena, so that malloc can tell what all threads have; they would wait for it, too.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    subprocess.run([*command, "memory"], check=True, env=environment)
    subprocess.run([*command, "rates"], check=True)


# --- through Redis -------------------------------------------------------------------------------


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """The URL of a redis-server of its own, on the core of the servers."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("needs redis-server (Debian: apt-get install redis-server)")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/redis.sock"
        command = [program, "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
        process = subprocess.Popen(pinned(command), stdout=subprocess.DEVNULL)
        try:
            while not os.path.exists(path):
                assert process.poll() is None
                time.sleep(0.01)
            yield f"unix://{path}"
        finally:
            process.kill()
            process.wait()


def websocket(server: Served, path: str) -> socket.socket:
    """A connected client, after its handshake."""
    client = socket.create_connection(server.at)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {path} HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", "", ""]
    client.sendall("\r\n".join(lines).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(1)
    if b" 101 " not in head[:20]:
        raise RuntimeError(f"no WebSocket: {head!r}")
    return client


def engine_io(server: Served) -> socket.socket:
    """A client of Socket.IO that has joined."""
    client = websocket(server, "/socket.io/?EIO=4&transport=websocket")
    client.recv(4096)  # the packet "open"
    client.sendall(b"\x81\x82\0\0\0\x0040")  # "connect", masked with zeros
    client.recv(4096)
    return client


def plain(server: Served) -> socket.socket:
    return websocket(server, "/")


PEERS_OF_REDIS = {
    "httpuv": (topic_servers.REDIS_HTTPUV, plain),
    "python-socketio": (topic_servers.REDIS_SOCKETIO, engine_io),
    "channels_redis": (topic_servers.REDIS_CHANNELS, plain),
}
_STAMP = re.compile(rb"<(\d+)>")


class Spread:
    """The processes of one peer, and the clients of each."""

    def __init__(self, name: str, url: str, given: argparse.Namespace) -> None:
        code, opened = PEERS_OF_REDIS[name]
        self._size = given.size
        self._servers: list[Served] = []
        self._clients: list[socket.socket] = []
        try:
            for _ in range(PROCESSES):
                self._servers.append(Served(code, str(given.size), url, peer=name != "httpuv"))
            for server in self._servers:
                share = given.clients // 2 // PROCESSES
                self._clients += [opened(server) for _ in range(share)]
            self._settle()
        except BaseException:
            self.end()
            raise

    def _settle(self) -> None:
        """Until every client gets what any process publishes."""
        for server in self._servers:
            waiting = self._clients
            deadline = time.monotonic() + 20
            while waiting:
                assert time.monotonic() < deadline, "clients get nothing"
                server.get("/stamp")
                time.sleep(0.2)
                waiting = [each for each in waiting if not self._drain(each)]

    @staticmethod
    def _drain(client: socket.socket) -> int:
        """Bytes that had come."""
        client.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                count += len(client.recv(1 << 18))
        return count

    def rate(self, messages: int) -> float:
        """Messages delivered a second, where one process publishes."""
        time.sleep(0.3)
        for each in self._clients:
            self._drain(each)
        began = time.monotonic()
        self._servers[0].publish(messages)
        ended = read(self._clients, messages * (self._size + 4))
        return len(self._clients) * messages / (ended - began)

    def latencies(self, count: int) -> list[float]:
        """Microseconds from publish() to a client, of messages that each process publishes."""
        found: list[float] = []

        def take(data: bytes) -> None:
            now = time.monotonic_ns()
            found.extend((now - int(each)) / 1000 for each in _STAMP.findall(data))

        some = self._clients[:: max(1, len(self._clients) // 40)]
        for number in range(count):
            for each in self._clients:
                self._drain(each)
            self._servers[number % PROCESSES].get("/stamp")
            read(some, self._size, take)
        return found

    def end(self) -> None:
        close(self._clients)
        for server in self._servers:
            server.end()


def redis(given: argparse.Namespace) -> None:
    rates: dict[str, list[float]] = {}
    times: dict[str, list[float]] = {}
    for _ in range(min(given.rounds, 3)):
        for name in PEERS_OF_REDIS:
            # One peer at a time: idle processes of others would take their turns on the core.
            with redis_server() as url:
                try:
                    spread = Spread(name, url, given)
                except (RuntimeError, OSError) as error:
                    print(f"{name} is left out: {error}", file=sys.stderr)
                    continue
                try:
                    times.setdefault(name, []).extend(spread.latencies(40))
                    rates.setdefault(name, []).append(spread.rate(given.messages // 2))
                finally:
                    spread.end()
    tell("redis", {name: statistics.median(found) for name, found in rates.items()}, "/s")
    tell("redis p50", {name: statistics.median(found) for name, found in times.items()}, " us")


ROWS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "events": lambda given: streams("events", events, given),
    "replay": lambda given: streams("replay", replay, given),
    "many": many,
    "redis": redis,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="|".join(ROWS))
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    unknown = set(given.rows) - set(ROWS)
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    if hasattr(os, "sched_setaffinity") and os.cpu_count() != 1:
        os.sched_setaffinity(0, {1})
    for name in given.rows or ROWS:
        ROWS[name](given)


if __name__ == "__main__":
    main()
