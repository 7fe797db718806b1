"""Slow readers of static files: what each costs, and what they cost a fast one."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support import PATIENCE, Script, Wire, request

#: 2,000 is what the server is meant for; most systems allow a process 1,024 descriptors.
READERS = int(os.environ.get("HTTPUV_SLOW_READERS", "400"))
EACH = 8 * 1024
SIZE = 8 * 1024 * 1024


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "large.bin").write_bytes(bytes(SIZE))
    (tmp_path / "medium.bin").write_bytes(bytes(60_000))  # kept in memory
    yield tmp_path
    (tmp_path / "large.bin").unlink()  # temporary directories are kept for a while


class Reader:
    """A client with a tiny receive buffer; its answer has begun."""

    def __init__(self, where: tuple[str, int], data: bytes) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(where)
        self.socket.sendall(data)

    def read(self) -> int:
        return len(self.socket.recv(1024))


def best_time(where: tuple[str, int]) -> float:
    """Of a few downloads of the large file, one after another."""
    times = []
    with Wire(where) as wire:
        for _ in range(8):
            start = time.perf_counter()
            wire.send(request("/large.bin"))
            assert len(wire.response().body) == SIZE
            times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.clock
@pytest.mark.skipif(
    bool(os.environ.get("HTTPUV_SANITIZED")), reason="a sanitizer's memory is not the server's"
)
@pytest.mark.parametrize("target", ["/large.bin", "/medium.bin"])
def test_slow_readers(site: Path, target: str) -> None:
    data = request(target)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            Script("", str(site), "--port", "0", "--no-browse", module="httpuv")
        )
        while "http://" not in (line := server.error_line()):
            pass
        where = ("127.0.0.1", int(line.rstrip("/").rpartition(":")[2]))
        process = psutil.Process(server.pid)

        def read_all(readers: list[Reader]) -> None:
            for reader in readers:
                assert reader.read() > 0

        def connect(count: int) -> list[Reader]:
            readers = []
            for _ in range(count):
                readers.append(Reader(where, data))
                stack.callback(readers[-1].socket.close)
            for _ in range(3):
                read_all(readers)
            return readers

        connect(20)
        alone = best_time(where)
        before = process.memory_info().rss
        readers = connect(READERS)
        together = best_time(where)
        read_all(readers)
        each = (process.memory_info().rss - before) / READERS
        print(f"{each:.0f} bytes a reader; {alone:.4f} s alone, {together:.4f} s among them")
        assert each <= EACH
        assert together < 5 * alone + 0.2
