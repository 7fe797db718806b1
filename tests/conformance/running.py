"""Starting servers and suites, and ending them: everything here is bounded in time."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent


class NotOffered(Exception):
    """The build under test has no such contract yet."""


class Unfinished(Exception):
    """A suite did not come to its end in time."""


class BrokenContract(Exception):
    """The server does not do what the suite takes for granted, so its score would mean nothing."""


def ended(process: subprocess.Popen[str]) -> None:
    """Ends a process of ours and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def serving(contract: str, root: str | None, conf: Path, log: Path) -> Iterator[int]:
    """Runs a server of a contract; its port. `root` is below CONF, or "large" (see Suite)."""
    with contextlib.ExitStack() as stack:
        command = [sys.executable, str(HERE / "servers.py"), contract]
        if root == "large":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            (Path(folder) / "large.bin").write_bytes(bytes(4 * 1024 * 1024))
            command += ["--root", folder]
        elif root is not None:
            command += ["--root", str(conf / root)]
        errors = stack.enter_context(log.open("w"))
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
        assert process.stdout is not None
        stack.enter_context(process.stdout)
        stack.callback(ended, process)
        line = process.stdout.readline()
        if not line.startswith("port "):
            status = process.wait(10)
            if status == 3:
                raise NotOffered(log.read_text().strip())
            raise BrokenContract(f"the server did not start, see {log.name}")
        yield int(line.split()[1])
        if process.poll() is not None:
            raise BrokenContract(f"the server died with status {process.returncode}")


def exchange(port: int, request: bytes) -> bytes:
    """What the server sends for a request, up to the end of a short answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(request)
        data = b""
        while True:
            match = re.search(rb"(?i)content-length: (\d+)\r\n(?:.*\r\n)*?\r\n", data)
            if match and len(data) - match.end() >= int(match[1]):
                return data
            if b" 101 " in data[:13] and data.endswith(b"\r\n\r\n"):
                return data
            part = client.recv(65536)
            if not part:
                return data
            data += part


def probe(contract: str, port: int) -> None:
    """Raises BrokenContract unless the plainest case of the contract is met."""
    head = b"Host: 127.0.0.1\r\n"
    if contract == "STATIC":
        request, wanted = b"HEAD / HTTP/1.0\r\n" + head + b"\r\n", b"HTTP/1."
    elif contract == "WS":
        upgrade = (
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        request, wanted = b"GET / HTTP/1.1\r\n" + head + upgrade, b" 101 "
    else:
        request = b"PUT /a?b HTTP/1.1\r\n" + head + b"Content-Length: 3\r\n\r\nxyz"
        wanted = b'"uri": "L2E/Yg=="' if contract == "GARDEN" else b"xyz"
    answer = exchange(port, request)
    if wanted not in answer:
        raise BrokenContract(f"{contract}: expected {wanted!r} in {answer[:200]!r}")


def run_command(command: str, env: dict[str, str], log: Path, seconds: float) -> str:
    """The output of a suite, whatever its exit status: what it printed decides."""
    with log.open("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            command.split(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            env=env,
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Unfinished(f"not done after {seconds:.0f} s") from None
        finally:
            ended(process)
        output.seek(0)
        return output.read()
