"""``wsgiInput="stream"``: a WSGI application that reads the body while it comes."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import wsgiref.validate
from collections.abc import Callable, Iterator
from typing import Any

import httpuv
import pytest
from support import PATIENCE, read_up_to

Start = Callable[..., Callable[[bytes], None]]
KIBI = 1024
PIECE = bytes(range(256)) * 256  # 64 KiB
LIMITS = httpuv.Limits(body_memory_bytes=64 * KIBI)


@contextlib.contextmanager
def running(app: Any, threads: int = 2, **options: Any) -> Iterator[int]:
    options = {"limits": LIMITS, "wsgiInput": "stream", "gzip": False, **options}
    with httpuv.startServer("127.0.0.1", 0, app, dispatch=threads, **options) as server:
        yield server.getPort()


@contextlib.contextmanager
def posting(port: int, *fields: str, length: int | None = None) -> Iterator[socket.socket]:
    """A client that has sent the head of a request."""
    if length is not None:
        fields += (f"Content-Length: {length}",)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        lines = "".join(f"{field}\r\n" for field in fields)
        client.sendall(f"POST / HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
        yield client


class Reader:
    """An application that reads the whole body, and what reading has raised."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.failed: queue.Queue[OSError] = queue.Queue()

    def __call__(self, environ: dict[str, Any], start_response: Start) -> list[bytes]:
        self.begun.set()
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            self.failed.put(error)
            raise
        return []


def test_it_begins_before_the_body_has_come() -> None:
    pieces: queue.Queue[bytes] = queue.Queue()

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        assert environ["CONTENT_LENGTH"] == str(2 * len(PIECE))
        pieces.put(b"begun")
        pieces.put(environ["wsgi.input"].read(len(PIECE)))
        pieces.put(environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    with running(app) as port, posting(port, length=2 * len(PIECE)) as client:
        assert pieces.get(timeout=PATIENCE) == b"begun"
        client.sendall(PIECE)
        assert pieces.get(timeout=PATIENCE) == PIECE
        client.sendall(PIECE)
        assert pieces.get(timeout=PATIENCE) == PIECE
        read_up_to(client, b"\r\n\r\ndone")


def test_lines_of_a_chunked_body() -> None:
    seen: queue.Queue[Any] = queue.Queue()

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        body = environ["wsgi.input"]
        seen.put(("CONTENT_LENGTH" in environ, environ["wsgi.input_terminated"]))
        seen.put(body.readline())
        seen.put(body.readline(2))
        seen.put(list(body))
        start_response("200 OK", [])
        return [b"done"]

    with running(app) as port, posting(port, "Transfer-Encoding: chunked") as client:
        assert seen.get(timeout=PATIENCE) == (False, True)
        client.sendall(b"4\r\none\n\r\n")
        assert seen.get(timeout=PATIENCE) == b"one\n"
        client.sendall(b"3\r\ntwo\r\n")
        assert seen.get(timeout=PATIENCE) == b"tw"
        client.sendall(b"4\r\n\nx\ny\r\n0\r\n\r\n")
        assert seen.get(timeout=PATIENCE) == [b"o\n", b"x\n", b"y"]
        read_up_to(client, b"done")


def test_a_short_body_comes_as_a_whole() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        start_response("200 OK", [])
        return [type(environ["wsgi.input"]).__name__.encode(), environ["wsgi.input"].read()]

    with running(app) as port, posting(port, length=3) as client:
        client.sendall(b"abc")
        read_up_to(client, b"Inputabc")


def test_100_continue_waits_for_the_first_read() -> None:
    go = threading.Event()

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        go.wait(PATIENCE)
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [body]

    with running(app) as port, posting(port, "Expect: 100-continue", length=3) as client:
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(100)
        client.settimeout(PATIENCE)
        go.set()
        read_up_to(client, b"HTTP/1.1 100 Continue\r\n\r\n")
        client.sendall(b"abc")
        read_up_to(client, b"\r\n\r\nabc")


def test_an_answer_without_reading_asks_for_no_body() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        start_response("403 Forbidden", [("Content-Length", "2")])
        return [b"no"]

    with running(app) as port, posting(port, "Expect: 100-continue", length=10**6) as client:
        assert read_up_to(client, b"no").startswith(b"HTTP/1.1 403 ")


def test_a_client_that_is_not_read_waits() -> None:
    """The server reads no further ahead than its limit says."""
    go = threading.Event()
    total = 256 * len(PIECE)  # more than the kernel buffers

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        body = environ["wsgi.input"]
        first = body.read(1)
        go.wait(PATIENCE)
        size = len(first)
        while piece := body.read(100_000):
            size += len(piece)
        start_response("200 OK", [])
        return [str(size).encode()]

    with running(app) as port, posting(port, length=total) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * KIBI)
        client.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < total:
                sent += client.send(PIECE[sent % len(PIECE) :])
        assert sent < total - len(PIECE)
        client.settimeout(PATIENCE)
        go.set()
        while sent < total:
            sent += client.send(PIECE[sent % len(PIECE) :][: total - sent])
        read_up_to(client, str(total).encode())


@pytest.mark.parametrize("how", ["end", "reset"])
def test_a_client_that_goes(how: str, caplog: pytest.LogCaptureFixture) -> None:
    app = Reader()
    with running(app) as port, posting(port, length=10**6) as client:
        assert app.begun.wait(PATIENCE)
        client.sendall(b"some")
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        assert isinstance(app.failed.get(timeout=PATIENCE), ConnectionResetError)
    assert not [each for each in caplog.records if each.levelname == "ERROR"]


def test_a_client_that_stalls_is_cut() -> None:
    """The deadline of bodies is the loop's: it frees the thread, too."""
    app = Reader()
    limits = httpuv.Limits(body_timeout=0.3)
    with running(app, limits=limits) as port, posting(port, length=10**6) as client:
        client.sendall(b"some")
        assert isinstance(app.failed.get(timeout=PATIENCE), ConnectionResetError)
        client.recv(100)  # 408, or the end


def test_a_body_beyond_the_limit() -> None:
    app = Reader()
    limits = httpuv.Limits(max_body_bytes=100 * KIBI)
    with running(app, limits=limits) as port:
        with posting(port, length=10**6) as client:
            assert client.recv(100).startswith(b"HTTP/1.1 413 ")
        with posting(port, "Transfer-Encoding: chunked") as client:
            client.sendall(b"10000\r\n" + PIECE + b"\r\n10000\r\n" + PIECE + b"\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 413 ")
            assert isinstance(app.failed.get(timeout=PATIENCE), ConnectionResetError)


def test_reading_behind_the_answer_ends() -> None:
    failed: queue.Queue[BaseException] = queue.Queue()

    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        yield b"done"
        try:
            environ["wsgi.input"].read()
        except OSError as error:
            failed.put(error)

    with running(app) as port, posting(port, length=10**6) as client:
        assert isinstance(failed.get(timeout=PATIENCE), ConnectionResetError)
        read_up_to(client, b"done")


def test_reading_and_writing_at_once() -> None:
    """A body is sent back while it comes; much more than both windows."""

    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", environ["CONTENT_LENGTH"])])
        body = environ["wsgi.input"]
        while piece := body.read(32 * KIBI):
            yield piece

    total = 64 * len(PIECE)
    with running(app) as port, posting(port, length=total) as client:

        def send() -> None:
            for _ in range(64):
                client.sendall(PIECE)

        sender = threading.Thread(target=send)
        sender.start()
        data = b""
        while b"\r\n\r\n" not in data:
            data += client.recv(65536)
        data = data.partition(b"\r\n\r\n")[2]
        received = [data]
        size = len(data)
        while size < total:
            received.append(client.recv(1 << 20))
            size += len(received[-1])
        sender.join(PATIENCE)
        assert b"".join(received) == PIECE * 64


def test_slow_clients_leave_other_threads_alone() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        body = environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [str(len(body)).encode()]

    with (
        running(app, threads=3) as port,
        posting(port, length=10**5) as one,
        posting(port, length=10**5) as two,
    ):
        with posting(port, length=3) as third:
            third.sendall(b"abc")
            read_up_to(third, b"\r\n\r\n3")
        for client in (one, two):
            client.sendall(bytes(10**5))
            read_up_to(client, b"\r\n\r\n100000")


def test_stopping_ends_the_wait() -> None:
    app = Reader()
    server = httpuv.startServer("127.0.0.1", 0, app, dispatch=2, wsgiInput="stream", limits=LIMITS)
    with posting(server.getPort(), length=10**6):
        assert app.begun.wait(PATIENCE)
        server.stop(0)
        assert isinstance(app.failed.get(timeout=PATIENCE), ConnectionResetError)


def test_the_validator_is_content() -> None:
    @wsgiref.validate.validator
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        size = 0
        while piece := environ["wsgi.input"].read(10_000):
            size += len(piece)
        head = [("Content-Type", "text/plain"), ("Content-Length", str(len(str(size))))]
        start_response("200 OK", head)
        return [str(size).encode()]

    with running(httpuv.Mount(app, "wsgi")) as port, posting(port, length=10**6) as client:
        client.sendall(bytes(10**6))
        read_up_to(client, b"1000000")


def test_werkzeug_reads_a_form_while_it_comes() -> None:
    flask = pytest.importorskip("flask")
    app = flask.Flask(__name__)

    @app.post("/")
    def upload() -> str:
        file = flask.request.files["file"]
        return f"{file.filename} {len(file.read())}"

    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
        + PIECE * 8
        + b"\r\n--x--\r\n"
    )
    with running(app) as port:
        kind = "Content-Type: multipart/form-data; boundary=x"
        with posting(port, kind, length=len(form)) as client:
            client.sendall(form)
            read_up_to(client, f"a.bin {8 * len(PIECE)}".encode())
        with posting(port, kind, "Transfer-Encoding: chunked") as client:
            client.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(form), form))
            read_up_to(client, f"a.bin {8 * len(PIECE)}".encode())


@pytest.mark.parametrize("dispatch", ["service", "thread"])
def test_one_thread_is_too_few(dispatch: Any) -> None:
    with pytest.raises(ValueError, match=r"wsgiInput='stream' needs several threads"):
        httpuv.startServer(
            "127.0.0.1", 0, lambda environ, start_response: [], dispatch=dispatch,
            wsgiInput="stream",
        )  # fmt: skip
    with pytest.raises(ValueError, match="wsgiInput must be 'collect' or 'stream'"):
        httpuv.startServer("127.0.0.1", 0, {}, wsgiInput="lazy")  # type: ignore[arg-type]
