"""What call returns, on the wire."""

import email.utils
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpuv
import pytest
from conftest import Log, Serve
from support import Response, Wire, address, fetch, open_below, request
from ws_support import wait_until


class Derived(bytes):
    """Could have a __del__()."""


@pytest.fixture
def answer(serve: Serve) -> Callable[..., Response]:
    """Send one request to an application that returns `result`."""

    def send(result: object, data: bytes | None = None, method: str = "GET") -> Response:
        server = serve(lambda req: result)
        return fetch(address(server), data or request(method=method), method)

    return send


Answer = Callable[..., Response]


def test_plain(answer: Answer) -> None:
    before = time.time()
    response = answer({"status": 200, "headers": {"Content-Type": "text/html"}, "body": "Hello!"})
    assert (response.version, response.status, response.reason) == ("HTTP/1.1", 200, "OK")
    assert response.body == b"Hello!"
    assert response.get("Content-Length") == "6"
    assert response.get("Content-Type") == "text/html"
    date = email.utils.parsedate_to_datetime(response.get("Date") or "")
    assert abs(date.timestamp() - before) < 5


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ("", b""),
        ("äöü 😀", "äöü 😀".encode()),
        (b"\0\r\n\xff", b"\0\r\n\xff"),
        (bytearray(b"abc"), b"abc"),
        (memoryview(b"abc"), b"abc"),
        (None, b""),
        ("x" * 3_000_000, b"x" * 3_000_000),
        ("ä" * 1_000_000, "ä".encode() * 1_000_000),
        (Derived(b"x" * 3_000_000), b"x" * 3_000_000),
        (bytes(range(256)) * 20_000, bytes(range(256)) * 20_000),
    ],
    ids=lambda value: f"{type(value).__name__}-{len(value or '')}",
)
def test_bodies(answer: Answer, body: object, sent: bytes) -> None:
    response = answer({"status": 200, "body": body})
    assert response.body == sent
    assert response.get("Content-Length") == str(len(sent))


@pytest.mark.parametrize("body", [b"x" * 50_000_000, "x" * 50_000_000], ids=["bytes", "str"])
def test_a_large_body_is_lent_until_it_is_sent(serve: Serve, body: bytes | str) -> None:
    used = sys.getrefcount(body)
    server = serve(lambda req: {"status": 200, "body": body})
    with Wire(address(server)) as wire:
        wire.send(request())
        assert wire.head().status == 200
        # The rest waits for this client, and is charged.
        wait_until(lambda: server.stats()["held"]["answers"] >= len(body))
        assert sys.getrefcount(body) == used + 1
    wait_until(lambda: sys.getrefcount(body) == used)
    assert server.stats()["held"]["answers"] == 0
    assert fetch(address(server), request()).body == b"x" * 50_000_000
    wait_until(lambda: sys.getrefcount(body) == used)
    with Wire(address(server)) as wire:
        wire.send(request())
        assert wire.head().status == 200
        server.stop()
        assert sys.getrefcount(body) == used


@pytest.mark.parametrize("result", [{"status": 200}, {"status": 200, "headers": None}])
def test_left_out(answer: Answer, result: object) -> None:
    response = answer(result)
    assert (response.status, response.body) == (200, b"")
    assert {name.lower() for name, _ in response.fields} <= {"date", "content-length", "server"}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, "OK"),
        (201.0, "Created"),
        (404, "Not Found"),
        (418, None),
        (451, "Unavailable For Legal Reasons"),
        (503, "Service Unavailable"),
        (599, None),
        (999, None),
    ],
)
def test_status(answer: Answer, status: float, reason: str | None) -> None:
    response = answer({"status": status, "body": "x"})
    assert response.status == status
    if reason is not None:
        assert response.reason == reason
    assert response.body == b"x"


def test_repeated_and_odd_headers(answer: Answer) -> None:
    response = answer(
        {
            "status": 200,
            "headers": {"Set-Cookie": ["a=1", "b=2"], "X-Number": 5, "x-latin": "J\xfcrg", "E": ""},
        }
    )
    assert response.all("Set-Cookie") == ["a=1", "b=2"]
    assert response.get("X-Number") == "5"
    assert response.get("x-latin") == "J\xfcrg"
    assert response.get("E") == ""


def test_pairs_keep_their_order(answer: Answer) -> None:
    response = answer({"status": 200, "headers": [("B", "1"), ("A", "2"), ("b", "3")]})
    assert [pair for pair in response.fields if pair[0] in "ABb"] == [
        ("B", "1"),
        ("A", "2"),
        ("b", "3"),
    ]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_body(serve: Serve, status: int, method: str) -> None:
    server = serve(lambda req: {"status": status, "body": "not to be sent"})
    with Wire(address(server)) as wire:
        for _ in range(2):  # the connection is in step
            wire.send(request(method=method))
            response = wire.response()
            assert response.status == status
            if status == 204:
                assert response.get("Content-Length") is None  # RFC 9110 section 8.6
        wire.half_close()
        assert wire.at_end()


def test_head(serve: Serve) -> None:
    server = serve(
        lambda req: {"status": 200, "headers": {"X-M": req["REQUEST_METHOD"]}, "body": "12345"}
    )
    with Wire(address(server)) as wire:
        for _ in range(2):
            wire.send(request(method="HEAD"))
            response = wire.response("HEAD")
            assert response.get("Content-Length") == "5"
            assert response.get("X-M") == "HEAD"
        wire.half_close()
        assert wire.at_end()


def test_head_may_tell_another_length(answer: Answer) -> None:
    response = answer({"status": 200, "headers": {"Content-Length": "1000"}}, method="HEAD")
    assert response.get("Content-Length") == "1000"


def test_date_of_its_own(answer: Answer) -> None:
    date = "Thu, 01 Jan 1970 00:00:00 GMT"
    assert answer({"status": 200, "headers": {"date": date}}).get("Date") == date


def test_content_length_is_the_servers(serve: Serve) -> None:
    server = serve(lambda req: {"status": 200, "headers": {"Content-Length": "5"}, "body": "12345"})
    assert fetch(address(server), request()).body == b"12345"


def test_connection_close(serve: Serve) -> None:
    server = serve(lambda req: {"status": 200, "headers": {"Connection": "close"}, "body": "x"})
    with Wire(address(server)) as wire:
        wire.send(request())
        response = wire.response()
        assert (response.get("Connection") or "").lower() == "close"
        assert wire.at_end()


def test_file(answer: Answer, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4000
    file = tmp_path / "file"
    file.write_bytes(data)
    response = answer({"status": 200, "headers": {"X": "y"}, "body": {"file": str(file)}})
    assert response.body == data
    assert response.get("Content-Length") == str(len(data))
    assert response.get("X") == "y"
    assert file.exists()


def test_owned_file(answer: Answer, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    assert answer({"status": 200, "body": {"file": file, "owned": True}}).body == b"abc"
    assert not file.exists()


def test_empty_file_and_head_of_a_file(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "some").write_bytes(b"some")
    server = serve(lambda req: {"status": 200, "body": {"file": f"{tmp_path}{req['PATH_INFO']}"}})
    with Wire(address(server)) as wire:
        wire.send(request("/empty"), request("/some", method="HEAD"), request("/some"))
        assert wire.response().body == b""
        assert wire.response("HEAD").get("Content-Length") == "4"
        assert wire.response().body == b"some"


def test_many_files_leave_no_descriptor(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100_000)
    server = serve(lambda req: {"status": 200, "body": {"file": tmp_path / "file"}})
    with Wire(address(server)) as wire:
        for _ in range(50):
            wire.send(request())
            assert len(wire.response().body) == 100_000
        # The last file is closed when its last byte has left, which may be behind our reading it.
        wait_until(lambda: not open_below(tmp_path))


def test_no_call(serve: Serve) -> None:
    for app in ({}, {"onHeaders": lambda req: None}):
        response = fetch(address(serve(app)), request())
        assert response.status == 404
        assert response.body


def assert_plain_500(response: Response) -> None:
    assert (response.status, response.reason) == (500, "Internal Server Error")
    assert (response.get("Content-Type") or "").startswith("text/plain")
    text = response.body.decode().lower()
    for leak in ("secret", "traceback", "error:", ".py", "line"):
        assert leak not in text


def test_exception(serve: Serve, log: Log) -> None:
    def call(req: dict) -> dict:
        raise RuntimeError("a secret")

    server = serve(call)
    with Wire(address(server)) as wire:
        for _ in range(2):
            wire.send(request("/some/path?query"))
            assert_plain_500(wire.response())
    log.expect(
        "call failed for GET /some/path?query",
        "Traceback",
        'raise RuntimeError("a secret")',
        "RuntimeError: a secret",
    )


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "a response must be a dict"),
        ("text", "a response must be a dict"),
        ({}, "must have a 'status'"),
        ({"status": "200"}, "status must be a whole number, not str ('200')"),
        ({"status": 99}, "99"),
        ({"status": 101}, "101"),
        ({"status": 1000}, "1000"),
        ({"status": -200}, "-200"),
        ({"status": 10**30}, ""),
        ({"status": 200, "body": 5}, "body must be str, bytes-like, None"),
        ({"status": 200, "body": "\ud800"}, "surrogates not allowed"),
        ({"status": 200, "body": {"file": "/no/such/file"}}, "/no/such/file"),
        ({"status": 200, "headers": "a: b"}, "headers must be a dict"),
        ({"status": 200, "headers": {"a": None}}, "header 'a' must be str"),
        ({"status": 200, "headers": {"a b": "c"}}, "a b"),
        ({"status": 200, "headers": {"": "c"}}, "header name"),
        ({"status": 200, "headers": {"a:": "c"}}, "a:"),
        ({"status": 200, "headers": {"ä": "c"}}, "ä"),
        ({"status": 200, "headers": {"a": "b\r\nX-Evil: 1"}}, "'b\\r\\nX-Evil: 1'"),
        ({"status": 200, "headers": {"a": "b\nc"}}, "'b\\nc'"),
        ({"status": 200, "headers": {"a": "b\rc"}}, "'b\\rc'"),
        ({"status": 200, "headers": {"a": "b\0c"}}, "'b\\x00c'"),
        ({"status": 200, "headers": [("a\r\nb", "c")]}, "a\\r\\nb"),
        ({"status": 200, "headers": {"a": ["fine", "b\r\nc"]}}, "'b\\r\\nc'"),
        ({"status": 200, "headers": {"a": "日"}}, "header a must be of Latin-1 characters: '日'"),
        ({"status": 200, "headers": {"Transfer-Encoding": "chunked"}, "body": "x"}, "ransfer"),
        ({"status": 200, "headers": {"Content-Length": "many"}, "body": "x"}, "Content-Length"),
    ],
    ids=repr,
)
def test_wrong_shapes(serve: Serve, log: Log, result: object, message: str) -> None:
    server = serve(lambda req: result)
    with Wire(address(server)) as wire:
        for _ in range(2):  # the connection is in step
            wire.send(request())
            assert_plain_500(wire.response())
    log.expect("call failed for GET /", message)


def test_wrong_length_never_desynchronises(serve: Serve) -> None:
    server = serve(
        lambda req: {"status": 200, "headers": {"Content-Length": "500"}, "body": "short"}
    )
    with Wire(address(server)) as wire:
        wire.send(request(), request())
        for _ in range(2):
            response = wire.response()
            assert (response.status, response.body) in [(200, b"short"), (500, response.body)]


def test_logging_can_be_off(serve: Serve, log: Log) -> None:
    def call(req: dict) -> dict:
        raise RuntimeError

    old = httpuv.logLevel("OFF")
    try:
        assert_plain_500(fetch(address(serve(call)), request()))
        assert fetch(address(serve({})), request()).status == 404  # the log had its chance
        assert "failed" not in log.text()
        assert httpuv.logLevel() == "OFF"
    finally:
        httpuv.logLevel(old)
    assert httpuv.logLevel() == old


def test_base_exceptions_leave_the_loop() -> None:
    class Stop(BaseException): ...

    def call(req: dict) -> dict:
        raise Stop

    with httpuv.startServer("127.0.0.1", 0, call) as server, Wire(address(server)) as wire:
        wire.send(request(), request())
        with pytest.raises(Stop):
            httpuv.service(20_000)
        assert_plain_500(wire.response())
        with pytest.raises(Stop):  # nothing is lost: the second one waits
            httpuv.service(20_000)
        assert_plain_500(wire.response())


@pytest.mark.parametrize("kind", ["small", "large", "file", "static"])
def test_client_that_left_unseen(serve: Serve, tmp_path: Path, kind: str) -> None:
    """The write is the first to fail: the server was not reading when the client left."""
    (tmp_path / "file").write_bytes(b"x" * 1_000_000)
    asked, gone = threading.Semaphore(0), threading.Semaphore(0)
    bodies = {"small": "x", "large": b"x" * 1_000_000, "file": {"file": tmp_path / "file"}}
    behind = request("/static/file") if kind == "static" else request()

    def call(req: dict) -> dict:
        if req["PATH_INFO"] == "/wait":
            asked.release()
            assert gone.acquire(timeout=20)
        return {"status": 200, "body": bodies.get(kind, "x")}

    # What comes behind the second request is not read before the first is answered.
    app = {"call": call, "staticPaths": {"/static": tmp_path}}
    server = serve(app, limits=httpuv.Limits(max_pipelined=2))
    for _ in range(5):
        wire = Wire(address(server))
        wire.send(request("/wait"), behind, behind, behind)
        assert asked.acquire(timeout=20)
        wire.reset()
        gone.release()
    assert fetch(address(server), request()).status == 200


def test_a_key_that_means_nothing_is_logged_once(answer: Answer, log: Log) -> None:
    for _ in range(3):
        response = answer({"status": 200, "bodyy": "x", "header": {}})
        assert (response.status, response.body) == (200, b"")
    text = log.text()
    assert text.count("is ignored") == 2
    assert "key 'bodyy', which is ignored; did you mean 'body'?" in text
    assert "key 'header', which is ignored; did you mean 'headers'?" in text
