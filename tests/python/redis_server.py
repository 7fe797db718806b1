"""Real redis-servers of the test's own, which it may kill, pause and start again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from network import Network
from support import PATIENCE


class RedisServer:
    """A server with its own folder; its data survives a stop, and mostly a kill.

    Args:
        program: redis-server.
        folder: Of its own.
        port: None: it listens on a Unix socket.
        inside: The network that it is in.
    """

    def __init__(
        self, program: str, folder: Path, port: int | None = None, inside: Network | None = None
    ) -> None:
        self._program = program
        self._folder = folder
        self._inside = inside
        self._port = port
        self._host = "127.0.0.1" if inside is None else inside.address
        self.path = str(folder / "redis.sock")
        self.url = f"unix://{self.path}" if port is None else f"redis://{self._host}:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it; returns when it answers."""
        command = [self._program, "--dir", str(self._folder), "--save", ""]
        if self._port is None:
            command += ["--port", "0", "--unixsocket", self.path]
        else:
            command += ["--port", str(self._port), "--bind", self._host]
            command += ["--protected-mode", "no"]
        command += ["--appendonly", "yes", "--appendfsync", "no", "--loglevel", "warning", *options]
        if self._inside is not None:
            command = self._inside.inside(command)
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert time.monotonic() < deadline and self._process.poll() is None
            time.sleep(0.02)

    def _answers(self) -> bool:
        family = socket.AF_UNIX if self._port is None else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family) as client:
            client.settimeout(1)
            client.connect(self.path if self._port is None else (self._host, self._port))
            client.sendall(b"PING\r\n")
            return client.recv(100).startswith(b"+PONG")
        return False

    def tell(self, *words: str) -> None:
        """A command, such as CONFIG SET."""
        import redis

        with redis.Redis.from_url(self.url) as client:
            client.execute_command(*words)

    def listing(self, kind: str) -> str:
        """Its clients of a kind, such as "pubsub", a line each."""
        import redis

        with redis.Redis.from_url(self.url, decode_responses=True) as client:
            return str(client.execute_command("CLIENT", "LIST", "TYPE", kind))

    def subscribers(self, channel: str) -> int:
        """How many connections listen to a channel."""
        import redis

        with redis.Redis.from_url(self.url) as client:
            return int(client.pubsub_numsub(channel)[0][1])

    def signal(self, number: int) -> None:
        """SIGSTOP, SIGCONT, SIGKILL, SIGTERM; waits for the end of those that end it."""
        assert self._process is not None
        os.kill(self._process.pid, number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self._process.wait(PATIENCE)
            self._process = None

    def stop(self) -> None:
        """End it, in whatever state it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name} (Debian: apt-get install redis)")
    pytest.importorskip("redis", reason="needs redis-py (httpuv[redis])")
    return found


@contextlib.contextmanager
def redis_server(inside: Network | None = None) -> Iterator[RedisServer]:
    """A running one. Skips the test where Redis or redis-py is missing."""
    program = _program("redis-server")
    with tempfile.TemporaryDirectory() as folder:
        port = None if inside is None else 6379
        server = RedisServer(program, Path(folder), port, inside)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _free_ports(count: int) -> list[int]:
    """Each has its cluster bus 10,000 above."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        ports = []
        for port in range(20_000 + os.getpid() % 5_000, 30_000):
            try:
                with socket.socket() as bus:
                    bus.bind(("127.0.0.1", port + 10_000))
                sockets[len(ports)].bind(("127.0.0.1", port))
            except OSError:
                continue
            ports.append(port)
            if len(ports) == count:
                break
        return ports


@contextlib.contextmanager
def redis_cluster(count: int = 3) -> Iterator[list[RedisServer]]:
    """The nodes of a cluster on this machine, which have all slots. Skips as redis_server()."""
    program, cli = _program("redis-server"), _program("redis-cli")
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        nodes = []
        for port in _free_ports(count):
            own = Path(folder) / str(port)
            own.mkdir()
            node = RedisServer(program, own, port)
            stack.callback(node.stop)
            node.start(*options)
            nodes.append(node)
        names = [node.url.removeprefix("redis://") for node in nodes]
        create = [cli, "--cluster", "create", *names, "--cluster-yes"]
        subprocess.run(create, check=True, stdout=subprocess.DEVNULL, timeout=60)
        deadline = time.monotonic() + PATIENCE
        while not all(_is_whole(node.url) for node in nodes):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield nodes


def _is_whole(url: str) -> bool:
    import redis

    with redis.Redis.from_url(url) as client:
        return bool(client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")


def move_slot(nodes: list[RedisServer], key: str) -> RedisServer:
    """Move the slot of a key, which exists, to another node of a cluster. Returns that."""
    import redis

    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(redis.Redis.from_url(each.url, decode_responses=True))
            for each in nodes
        ]
        slot = clients[0].execute_command("CLUSTER KEYSLOT", key)
        old = next(
            each for each in clients if each.execute_command("CLUSTER COUNTKEYSINSLOT", slot)
        )
        new = next(each for each in clients if each is not old)
        names = [each.execute_command("CLUSTER MYID") for each in (old, new)]
        new.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[0])
        old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[1])
        to = new.connection_pool.connection_kwargs
        while keys := old.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
            old.execute_command("MIGRATE", to["host"], to["port"], "", 0, 5000, "KEYS", *keys)
        for each in (new, old, *clients):
            each.execute_command("CLUSTER SETSLOT", slot, "NODE", names[1])
        return nodes[clients.index(new)]
