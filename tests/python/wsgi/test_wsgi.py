"""WSGI (PEP 3333): the environ, start_response(), what is iterated over, and threads."""

from __future__ import annotations

import contextlib
import http.client
import io
import itertools
import queue
import re
import signal
import socket
import sys
import threading
import time
import wsgiref.validate
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpuv
import httpuv.wsgi
import pytest
from support import PATIENCE, Script, Wire, logged, request

Start = Callable[..., Callable[[bytes], None]]
MEBI = 1024 * 1024


@contextlib.contextmanager
def running(app: Any, threads: int = 1, **options: Any) -> Iterator[int]:
    with httpuv.startServer("127.0.0.1", 0, app, dispatch=threads, **options) as server:
        yield server.getPort()


def ask(
    port: int, path: str = "/", method: str = "GET", body: Any = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, fields)
    answer = connection.getresponse()
    try:
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def connect(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return client


def hello(environ: dict[str, Any], start_response: Start) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def test_start_response_takes_names_and_returns_write() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        fields = [("Content-Type", "text/plain"), ("Content-Length", "7")]
        for wrong, names in (
            ((), {}),
            (("200 OK",), {}),
            (("200 OK", [], None, None), {}),
            (("200 OK", []), {"headers": []}),
            (("200 OK",), {"header": []}),
            (([],), {"headers": []}),
        ):
            with pytest.raises(TypeError):
                start_response(*wrong, **names)
        write = start_response(headers=fields, status="201 Created")
        with pytest.raises(TypeError):
            write("text")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="a WSGI application must give bytes, not int"):
            write(1)  # type: ignore[arg-type]
        try:
            raise ValueError
        except ValueError:
            again = start_response("200 OK", fields, exc_info=sys.exc_info())
        write(b"one")
        again(b"-two")
        return []

    with running(app) as port:
        assert ask(port)[::2] == (200, b"one-two")


def test_environ() -> None:
    seen: queue.Queue[dict[str, Any]] = queue.Queue()

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        seen.put({**environ, "wsgi.input": environ["wsgi.input"].read()})
        return hello(environ, start_response)

    with running(app) as port:
        client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        client.sendall(
            b"POST /caf%C3%A9/a%2Fb?q=%20x HTTP/1.1\r\nHost: x\r\nX-Twice: 1\r\nx-twice: 2\r\n"
            b"Cookie: a=1\r\ncookie: b=2\r\nX_Forged: 1\r\nContent-Type: text/x\r\n"
            b"Content-Length: 3\r\n\r\nabc"
        )
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
        environ = seen.get(timeout=PATIENCE)
        client.close()
        errors = environ.pop("wsgi.errors")
        assert callable(environ.pop("wsgi.early_hints"))
        assert environ.pop("SERVER_SOFTWARE").startswith("httpuv/")
        assert int(environ.pop("REMOTE_PORT")) > 0
        assert environ == {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": "/café/a/b".encode().decode("latin-1"),
            "QUERY_STRING": "q=%20x",
            "REQUEST_URI": "/caf%C3%A9/a%2Fb?q=%20x",
            "RAW_URI": "/caf%C3%A9/a%2Fb?q=%20x",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(port),
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": "text/x",
            "CONTENT_LENGTH": "3",
            "HTTP_HOST": "x",
            "HTTP_X_TWICE": "1, 2",
            "HTTP_COOKIE": "a=1; b=2",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": b"abc",
            "wsgi.input_terminated": True,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": httpuv.wsgi.FileWrapper,
        }
        errors.write("a line\n")
        errors.flush()


def test_a_chunked_body_has_a_length() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        start_response("200 OK", [])
        assert "HTTP_TRANSFER_ENCODING" not in environ
        return [environ["CONTENT_LENGTH"].encode(), b" ", environ["wsgi.input"].read()]

    with running(app) as port:
        assert ask(port, method="POST", body=iter([b"ab", b"c"]))[2] == b"3 abc"


@pytest.mark.parametrize("threads", [1, 3])
def test_the_facts_about_threads(threads: int) -> None:
    seen: queue.Queue[Any] = queue.Queue()

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        seen.put(environ["wsgi.multithread"])
        return hello(environ, start_response)

    with running(app, threads) as port:
        ask(port)
    assert seen.get() is (threads > 1)


def test_threads_answer_at_once() -> None:
    together = threading.Barrier(3, timeout=PATIENCE)

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        together.wait()
        return hello(environ, start_response)

    with running(app, 3) as port:
        clients = [connect(port) for _ in range(3)]
        assert all(client.recv(65536).endswith(b"hello") for client in clients)
        for client in clients:
            client.close()


class Pieces:
    """An iterable that tells whether it was closed."""

    def __init__(self, pieces: Any) -> None:
        self.pieces = iter(pieces)
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        assert not self.closed.is_set()
        self.closed.set()


def fails() -> Iterator[bytes]:
    yield b"first"
    raise ValueError("on purpose")


def slow() -> Iterator[bytes]:
    for _ in range(4):
        time.sleep(0.004)  # so that others have their turn
        yield b"12345"


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([], b""),
        ([b"one"], b"one"),
        ([b"", b"one", b"", b"two"], b"onetwo"),
        ([b"x" * MEBI] * 4, b"x" * MEBI * 4),
        (slow, b"12345" * 4),
    ],
)
def test_close_is_called(threads: int, pieces: Any, expected: bytes) -> None:
    body = Pieces(pieces() if callable(pieces) else pieces)

    def app(environ: dict[str, Any], start_response: Start) -> Pieces:
        start_response("200 OK", [])
        return body

    with running(app, threads) as port:
        assert ask(port)[2] == expected
        assert body.closed.wait(PATIENCE)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_failing_iterable_is_closed_and_cut(
    threads: int, caplog: pytest.LogCaptureFixture
) -> None:
    body = Pieces(fails())

    def app(environ: dict[str, Any], start_response: Start) -> Pieces:
        start_response("200 OK", [])
        return body

    with running(app, threads) as port:
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(port)
        assert body.closed.wait(PATIENCE)
    logged(caplog, "the WSGI application failed")


@pytest.mark.parametrize("threads", [1, 3])
def test_an_endless_iterable_ends_with_its_client(threads: int) -> None:
    body = Pieces(itertools.repeat(b"x" * 10_000))

    def app(environ: dict[str, Any], start_response: Start) -> Any:
        if environ["PATH_INFO"] == "/hello":
            return hello(environ, start_response)
        start_response("200 OK", [])
        return body

    with running(app, threads) as port:
        client = connect(port)
        assert client.recv(10)
        assert ask(port, "/hello")[2] == b"hello"  # a slow client holds up no other
        client.close()
        assert body.closed.wait(PATIENCE)


def test_a_generator_starts_the_answer_itself() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("404 Not Here", [("X-A", "1"), ("X-A", "2")])
        yield b"nothing"

    with running(app) as port:
        client = connect(port)
        got = client.recv(65536)
        assert got.startswith(b"HTTP/1.1 404 Not Here\r\nX-A: 1\r\nX-A: 2\r\n")
        client.close()


def test_head_and_body_of_known_length_leave_in_one_segment() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "1000")])
        yield b"x" * 1000

    with running(app) as port:
        client = connect(port)
        assert client.recv(65536).endswith(b"x" * 1000)
        client.close()


@pytest.mark.parametrize("threads", [1, 3])
def test_write(threads: int) -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        write = start_response("200 OK", [])
        write(b"one,")
        write(b"x" * 2 * MEBI)
        return [b",two"]

    with running(app, threads) as port:
        assert ask(port)[2] == b"one," + b"x" * 2 * MEBI + b",two"


def test_exc_info() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        start_response("200 OK", [("X-Old", "1")])
        try:
            raise ValueError("on purpose")
        except ValueError:
            start_response("500 Sorry", [("X-New", "1")], sys.exc_info())
        with pytest.raises(AssertionError):
            start_response("200 OK", [])
        return [b"sorry"]

    def late(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"begun"
        try:
            raise ValueError("on purpose")
        except ValueError:
            start_response("500 Sorry", [], sys.exc_info())

    with running(app) as port:
        status, headers, body = ask(port)
        assert (status, body) == (500, b"sorry")
        assert "X-New" in headers and "X-Old" not in headers
    with running(late) as port, pytest.raises((http.client.HTTPException, OSError)):
        ask(port)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("OK", []),
        ("99 Low", []),
        (200, []),
        ("200 OK", [("a b", "c")]),
        ("200 OK", [("a", "b\r\nc: d")]),
        ("200 OK", [("a", 1)]),
        ("200 OK", (("a", "b"),)),
        ("200 OK", [("日", "b")]),
    ],
)
def test_wrong_arguments(status: Any, headers: Any, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        start_response(status, headers)
        return [b"never"]

    with running(app) as port:
        assert ask(port)[0] == 500
    logged(caplog, "the WSGI application failed")


@pytest.mark.parametrize("result", [[b"x"], ["text"], None, 5])
def test_wrong_results(result: Any, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: dict[str, Any], start_response: Start) -> Any:
        if result != [b"x"]:  # that one does not call start_response()
            start_response("200 OK", [])
        return result

    with running(app) as port:
        assert ask(port)[0] == 500
    logged(caplog, "the WSGI application failed")


def test_file_wrapper(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")

    def app(environ: dict[str, Any], start_response: Start) -> Any:
        start_response("200 OK", [])
        kind = environ["PATH_INFO"]
        file: Any = io.BytesIO(b"memory") if kind == "/memory" else path.open("rb")
        if kind == "/rest":
            file.seek(4)
        return environ["wsgi.file_wrapper"](file, 4)

    with running(app) as port:
        status, headers, body = ask(port, "/file")
        assert (status, body, headers["Content-Length"]) == (200, b"0123456789", "10")
        assert ask(port, "/rest")[2] == b"456789"
        assert ask(port, "/memory")[2] == b"memory"
        assert ask(port, "/file", "HEAD")[2] == b""


def test_early_hints() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        environ["wsgi.early_hints"]([("Link", "</a.css>; rel=preload")])
        return hello(environ, start_response)

    with running(app) as port:
        client = connect(port)
        got = client.recv(65536)
        assert got.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        client.close()


def test_validator() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.errors"].write("")
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body or b"none"]

    with running(httpuv.Mount(wsgiref.validate.validator(app), "wsgi")) as port:
        assert ask(port)[2] == b"none"
        assert ask(port, method="POST", body=b"abc")[2] == b"abc"
        assert ask(port, "/%E2%82%AC?x=%20")[2] == b"none"


def test_werkzeugs_lint() -> None:
    lint = pytest.importorskip("werkzeug.middleware.lint")
    with running(httpuv.Mount(lint.LintMiddleware(hello), "wsgi")) as port:
        assert ask(port)[2] == b"hello"


def test_context_variables_are_each_requests_own() -> None:
    import contextvars

    variable = contextvars.ContextVar("variable", default="unset")

    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [])
        before = variable.get()
        variable.set(environ["PATH_INFO"])
        for _ in range(4):
            time.sleep(0.004)  # so that others have their turn
            yield b""
            yield variable.get().encode()
        yield before.encode()

    with running(app) as port:
        for path in ("/a", "/b"):
            assert ask(port, path)[2] == path.encode() * 4 + b"unset"


def test_run_ends_when_it_is_interrupted() -> None:
    ports: queue.Queue[int] = queue.Queue()

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        return hello(environ, start_response)

    before = httpuv.listServers()

    def client() -> None:
        while not (started := [each for each in httpuv.listServers() if each not in before]):
            time.sleep(0.001)
        server = started[0]
        assert isinstance(server, httpuv.WebServer)
        try:
            assert ask(server.getPort())[2] == b"hello"
            ports.put(server.getPort())
        finally:
            server.stop()

    thread = threading.Thread(target=client)
    thread.start()
    httpuv.wsgi.run(app, port=0)
    thread.join()
    assert ports.get_nowait() > 0


def pieces_of(*pieces: bytes, length: int) -> Any:
    def app(environ: dict[str, Any], start_response: Start) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", str(length))])
        return iter(pieces)

    return app


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("pieces", [[b"abcdefgh"], [b"abc", b"defgh"], [b"abcde", b"fgh"]])
def test_no_more_than_was_promised(
    threads: int, pieces: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """PEP 3333, "Handling the Content-Length Header": not a byte more, and it is an error."""
    app = pieces_of(*pieces, length=5)
    with running(httpuv.Mount(app, "wsgi"), threads) as port:
        assert ask(port)[2] == b"abcde"
        logged(caplog, "the body is longer than its Content-Length")
        assert ask(port, method="HEAD")[0] == 200


@pytest.mark.parametrize("threads", [1, 2])
def test_more_than_was_promised_behind_a_slow_client(
    threads: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the iterable runs among other callbacks, or waits."""
    app = pieces_of(*[bytes(MEBI)] * 9, length=8 * MEBI + 1)
    with running(httpuv.Mount(app, "wsgi"), threads) as port:
        assert ask(port)[2] == bytes(8 * MEBI + 1)
        logged(caplog, "the body is longer than its Content-Length")


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("pieces", [[b"ab", b"cd"], [bytes(MEBI)] * 3])
def test_less_than_was_promised(
    threads: int, pieces: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    app = pieces_of(*pieces, length=4 * MEBI)
    with running(httpuv.Mount(app, "wsgi"), threads) as port:
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            ask(port)
        logged(caplog, "the body is shorter than its Content-Length")
        assert ask(port, method="HEAD")[0] == 200


def test_write_beyond_the_promise(caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        write = start_response("200 OK", [("Content-Length", "5")])
        write(b"abcdefgh")
        return []

    with running(app) as port:
        assert ask(port)[2] == b"abcde"
        logged(caplog, "the body is longer than its Content-Length")


def test_a_file_beyond_the_promise(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")

    def app(environ: dict[str, Any], start_response: Start) -> Any:
        start_response("200 OK", [("Content-Length", "4")])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    with running(app) as port:
        status, headers, body = ask(port)
        assert (status, body, headers["Content-Length"]) == (200, b"0123", "4")


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_run_prints_its_address_and_lets_an_answer_finish(signum: int) -> None:
    program = """
        import time, httpuv.wsgi

        def app(environ, start_response):
            print("called", flush=True)
            time.sleep(0.5)
            start_response("200 OK", [])
            return [b"in time"]

        httpuv.wsgi.run(app, port=0, threads=2)
    """
    with Script(program) as script:
        found = re.search(r"^Serving at http://127.0.0.1:(\d+)/ ", script.error_line())
        assert found is not None
        with Wire(("127.0.0.1", int(found[1]))) as wire:
            wire.send(request())
            assert script.line() == "called"
            script.process.send_signal(signum)
            assert wire.response().body == b"in time"
        assert script.finish() == (0, "", "")


def test_run_answers_on_its_threads_and_ends_by_interrupt() -> None:
    """A signal would interrupt a callback on the main thread."""
    program = """
        import threading, httpuv, httpuv.wsgi

        both = threading.Barrier(2)

        def app(environ, start_response):
            start_response("200 OK", [])
            if environ["PATH_INFO"] == "/end":
                httpuv.interrupt()
            else:
                both.wait(30)
            return [threading.current_thread().name.encode()]

        httpuv.wsgi.run(app, port=0, threads=2)
    """
    with Script(program) as script:
        found = re.search(r"^Serving at http://127.0.0.1:(\d+)/ ", script.error_line())
        assert found is not None
        address = ("127.0.0.1", int(found[1]))
        names = set()
        with Wire(address) as one, Wire(address) as other:
            for _ in range(50):
                for wire in (one, other):
                    wire.send(request())
                names |= {one.response().body, other.response().body}
            one.send(request("/end"))
            names.add(one.response().body)
        assert names == {b"httpuv callbacks"}
        assert script.finish() == (0, "", "")


def test_what_an_application_keeps_of_a_request_is_not_used_again() -> None:
    kept: list[tuple[Any, ...]] = []

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        write = start_response("200 OK", [("Content-Length", "5")])
        if environ["PATH_INFO"] == "/keep":
            kept.append((start_response, write, environ["wsgi.early_hints"], environ["wsgi.input"]))
        elif kept:
            start_before, write_before, hints_before, input_before = kept[-1]
            assert start_response is not start_before and environ["wsgi.input"] is not input_before
            assert environ["wsgi.early_hints"] is not hints_before
            hints_before([("Link", "</a>")])
            with pytest.raises(ValueError):
                write_before(b"other")
            with pytest.raises(AssertionError):
                start_before("404 Not Found", [])
        return [b"hello"]

    with running(app) as port, Wire(("127.0.0.1", port)) as wire:
        for path in ("/", "/keep", "/", "/keep", "/keep", "/", "/"):
            wire.send(request(path))
            answer = wire.response()
            assert (answer.status, answer.body) == (200, b"hello")


def test_an_input_that_was_used_is_not_the_next_one() -> None:
    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        body = environ["wsgi.input"]
        assert body.read() == b""
        body.close()
        start_response("200 OK", [])
        return [b"read"]

    with running(app) as port, Wire(("127.0.0.1", port)) as wire:
        for _ in range(3):
            wire.send(request())
            assert wire.response().body == b"read"


def test_fields_that_came_before_are_told_from_others() -> None:
    """Answers whose fields have the same sizes in all, or the same bytes."""
    answers: list[tuple[list[Any], int]] = [
        ([("X-A", "bc"), ("X-D", "e")], 200),
        ([("X-A", "bc"), ("X-D", "e")], 200),
        ([("X-A", "b"), ("cX-D", "e")], 200),
        ([("X-A", "bc"), ("X-D", "f")], 200),
        ([("X-A", "bc"), ("X-D", "\n")], 500),
        ([("X-A", "bc"), ("X-D", "e")], 200),
        ([("X-A", b"bc"), ("X-D", "e")], 500),
        ([("X-A", "bc"), ["X-D", "e"]], 200),
        ([("X-A", "bc"), ("X-D", "é")], 200),
        ([("X-A", "bc", "d")], 500),
        ([("Transfer-Encoding", "chunked"), ("X-A", "b")], 200),
        ([("Transfer-Encoding", "chunked"), ("X-A", "b")], 200),
        ([(f"X-{number}", "v") for number in range(40)], 200),
        ([("Content-Length", "2"), ("Connection", "close")], 200),
    ]

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        start_response("200 OK", answers[int(environ["PATH_INFO"][1:])][0])
        return [b"ok"]

    with running(app) as port:
        for _ in range(3):
            with Wire(("127.0.0.1", port)) as wire:
                for index, (fields, status) in enumerate(answers):
                    wire.send(request(f"/{index}"))
                    answer = wire.response()
                    assert answer.status == status, index
                    for name, value in fields if status == 200 else ():
                        if name.startswith(("X-", "cX-")):
                            assert answer.all(name) == [value], index
                        if name == "Transfer-Encoding":
                            assert answer.get("Content-Length") == "2"
                assert wire.at_end()


def test_an_environ_that_comes_back_is_that_of_its_request() -> None:
    kept: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Start) -> list[bytes]:
        path = environ["PATH_INFO"]
        assert "mine" not in environ
        assert all(each["PATH_INFO"] == "/keep" for each in kept)
        if path == "/change":
            environ["mine"] = 1
        elif path == "/keep":
            kept.append(environ)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read() if length or path == "/read" else b""
        start_response("200 OK", [])
        return [f"{path} {environ['QUERY_STRING']} {environ['REMOTE_PORT']} ".encode() + body]

    with (
        running(app) as port,
        Wire(("127.0.0.1", port)) as first,
        Wire(("127.0.0.1", port)) as second,
    ):
        for path in ("/", "/", "/", "/change", "/", "/keep", "/", "/read", "/", "/?q=1", "/") * 3:
            for wire, body in ((first, None), (first, b"some"), (second, None)):
                wire.send(request(path, body=body))
                path_info, _, query = path.partition("?")
                mine = wire.socket.getsockname()[1]
                expected = f"{path_info} {query} {mine} ".encode() + (body or b"")
                assert wire.response().body == expected
    assert len(kept) == 9 and len({id(each) for each in kept}) == 9
