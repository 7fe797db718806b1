"""A real redis-server of the test's own, which it may kill, pause and start again."""

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
from support import PATIENCE


class RedisServer:
    """On a Unix socket in a folder of its own; what it knows survives a stop, not a kill."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self.path = str(folder / "redis.sock")
        self.url = f"unix://{self.path}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it; returns when it answers."""
        command = [self._program, "--port", "0", "--unixsocket", self.path, "--dir"]
        command += [str(self._folder), "--save", "", "--appendonly", "yes"]
        command += ["--appendfsync", "no", "--loglevel", "warning", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert time.monotonic() < deadline and self._process.poll() is None
            time.sleep(0.02)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(self.path)
            client.sendall(b"PING\r\n")
            return client.recv(100).startswith(b"+PONG")
        return False

    def tell(self, *words: str) -> None:
        """A command, such as CONFIG SET."""
        import redis

        with redis.Redis.from_url(self.url) as client:
            client.execute_command(*words)

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


@contextlib.contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A running one. Skips the test where Redis or redis-py is missing."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("needs redis-server (Debian: apt-get install redis-server)")
    pytest.importorskip("redis", reason="needs redis-py (httpuv[redis])")
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(program, Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.stop()
