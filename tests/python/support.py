"""What the tests share: a raw HTTP client, requests as bytes, scripts in processes of their own."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import httpuv

if TYPE_CHECKING:
    import pytest

#: For anything that ought to happen at once. Only a failing test waits that long.
PATIENCE = 20.0


@dataclass
class Response:
    """An answer as it came over the wire."""

    status: int
    reason: str
    version: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    raw_head: bytes = b""
    informational: list[Response] = field(default_factory=list)

    def get(self, name: str) -> str | None:
        """The value of a field that is there once at most."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]


class Wire:
    """A connection that sends exactly what it is told and reads what comes back."""

    def __init__(
        self,
        address: tuple[str, int] | str,
        timeout: float = PATIENCE,
        source: tuple[str, int] | None = None,
    ) -> None:
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout, source)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def _more(self) -> bool:
        data = self.socket.recv(1 << 20)
        self.buffer += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            if not self._more():
                raise EOFError(f"closed before {mark!r}; had {self.buffer!r}")
        return self._take(self.buffer.index(mark) + len(mark))

    def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            if not self._more():
                raise EOFError(f"closed after {len(self.buffer)} of {size} bytes")
        return self._take(size)

    def head(self) -> Response:
        """Read one header section."""
        raw = self._until(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        version, status, reason = [*first.split(" ", 2), ""][:3]
        fields = []
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon, line
            fields.append((name, value.strip()))
        return Response(int(status), reason, version, fields, raw_head=raw)

    def response(self, method: str = "GET") -> Response:
        """Read one answer; interim ones (1xx) are kept in it."""
        informational = []
        answer = self.head()
        while answer.status < 200 and answer.status != 101:
            informational.append(answer)
            answer = self.head()
        answer.informational = informational
        if method == "HEAD" or answer.status in (101, 204, 304):
            return answer
        if "chunked" in (answer.get("Transfer-Encoding") or ""):
            while size := int(self._until(b"\r\n").split(b";")[0], 16):
                answer.body += self._exactly(size + 2)[:-2]
            while self._until(b"\r\n") != b"\r\n":
                pass
        elif (length := answer.get("Content-Length")) is not None:
            answer.body = self._exactly(int(length))
        else:
            answer.body = self.rest()
        return answer

    def rest(self) -> bytes:
        """Read to the end of the connection."""
        while self._more():
            pass
        return self._take(len(self.buffer))

    def at_end(self) -> bool:
        """Whether the server closes now, without another byte."""
        with contextlib.suppress(ConnectionResetError):
            return self.rest() == b""
        return True


def request(
    target: str = "/",
    *fields: str,
    method: str = "GET",
    version: str = "1.1",
    host: str | None = "localhost",
    body: bytes | None = None,
) -> bytes:
    """A request as bytes; `fields` are whole lines without their end."""
    lines = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += fields
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def chunked(*chunks: bytes) -> bytes:
    """A chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def address(server: httpuv.WebServer) -> tuple[str, int]:
    return ("127.0.0.1", server.getPort())


def fetch(where: tuple[str, int] | str, data: bytes, method: str = "GET") -> Response:
    """Send one request on a separate connection; return its answer."""
    with Wire(where) as wire:
        wire.send(data)
        return wire.response(method)


def get(server: httpuv.WebServer, target: str, *fields: str, method: str = "GET") -> Response:
    """One request for a target, on a separate connection."""
    return fetch(address(server), request(target, *fields, method=method), method)


#: Python 3.12 and later warn of forks beside threads, which is what some tests are about.
FORKS = "ignore:This process:DeprecationWarning"


class Script:
    """A Python program in a separate process, told what to do over its standard input."""

    def __init__(
        self,
        code: str,
        *arguments: str,
        module: str | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        program = ["-m", module] if module else ["-c", textwrap.dedent(code)]
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-W", FORKS, *program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,  # so that children of its own can be ended with it
        )
        self._read = {self.process.stdout: b"", self.process.stderr: b""}

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self) -> str:
        """The next line that it prints."""
        return self._line(self.process.stdout)

    def error_line(self) -> str:
        """The next line that it prints to its standard error."""
        return self._line(self.process.stderr)

    def _line(self, stream: IO[bytes] | None) -> str:
        assert stream is not None
        until = time.monotonic() + PATIENCE
        while b"\n" not in self._read[stream]:
            ready, _, _ = select.select([stream], [], [], max(0.0, until - time.monotonic()))
            data = os.read(stream.fileno(), 65536) if ready else b""
            if not data:
                self._end(signal.SIGABRT)  # faulthandler says where it is
                status, output, errors = self.finish()
                raise AssertionError(f"no line came; status {status}\n{output}\n{errors}")
            self._read[stream] += data
        line, self._read[stream] = self._read[stream].split(b"\n", 1)
        return line.decode()

    def tell(self, text: str = "") -> None:
        """Send it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")

    def finish(
        self, timeout: float = PATIENCE, *, keep_input: bool = False
    ) -> tuple[int, str, str]:
        """Wait for its end: exit status, rest of its output, its errors.

        Its standard input ends now, unless it is kept: a signal may come later than that end.
        """
        kept = self.process.stdin
        if keep_input:
            self.process.stdin = None  # communicate() would close it
        try:
            return self._finish(timeout)
        finally:
            self.process.stdin = kept
            if kept is not None:
                kept.close()

    def _finish(self, timeout: float) -> tuple[int, str, str]:
        try:
            rest = self.process.communicate(timeout=timeout)
            hung = False
        except subprocess.TimeoutExpired:
            self._end(signal.SIGABRT)
            rest = self.process.communicate()
            hung = True
        output, errors = (
            (read + data).decode(errors="replace")
            for read, data in zip(self._read.values(), rest, strict=True)
        )
        assert not hung, f"the script hung:\n{output}\n{errors}"
        return self.process.returncode, output, errors

    def _end(self, how: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)

    def __enter__(self) -> Script:
        return self

    def __exit__(self, *_: object) -> None:
        self._end(signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, *self._read):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


def read_up_to(client: socket.socket, end: bytes) -> bytes:
    """Receive until that is the end of what has come."""
    data = b""
    while not data.endswith(end):
        piece = client.recv(65536)
        assert piece, data
        data += piece
    return data


def open_below(folder: Path) -> list[str]:
    """The files of a folder that this process has open, deleted ones too.

    A count of all descriptors would also have those of loops and threads of other tests.
    """
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile, as that of iterdir() is
            found.append(os.readlink(each))
    return [each for each in found if each.startswith(f"{folder.resolve()}/")]


@contextlib.contextmanager
def descriptors(wanted: int) -> Iterator[int]:
    """Room for so many connections of this process, or for as many as the system allows.

    Yields how many they are. A server in another process needs as many descriptors.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(wanted, hard - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 500), hard))
    try:
        yield count
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def run_script(code: str, *arguments: str, timeout: float = 60.0) -> str:
    """Run a program to its end; it must succeed in silence. Returns what it printed."""
    with Script(code, *arguments) as script:
        status, output, errors = script.finish(timeout)
    assert status == 0, f"exit status {status}\n{output}\n{errors}"
    assert errors == "", errors
    return output


def other_programs() -> dict[str, str]:
    """The environment for programs that are not Python: without a sanitizer that is preloaded."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


@contextlib.contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[int]:
    """A port that another socket listens on."""
    with socket.socket() as taken:
        taken.bind((host, 0))
        taken.listen()
        yield taken.getsockname()[1]


def logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait until a text was logged: an answer may leave before what is logged of it."""
    until = time.monotonic() + PATIENCE
    while text not in caplog.text:
        assert time.monotonic() < until, f"{text!r} was not logged"
        time.sleep(0.002)
