"""Every limit at its edge: the last value that passes, the first that does not, and its answer."""

import threading
import time
from collections.abc import Callable

import httpuv
import pytest
from conftest import Serve
from support import PATIENCE, Wire, address, chunked, fetch, request

Limits = httpuv.Limits


def length(req: dict) -> dict:
    return {"status": 200, "body": str(len(req["rook.input"].read()))}


def refused(where: tuple[str, int], data: bytes, status: int) -> None:
    """The request gets this status, and the connection ends."""
    with Wire(where) as wire:
        wire.send(data)
        response = wire.response()
        assert response.status == status
        assert (response.get("Connection") or "").lower() == "close"
        assert wire.at_end()


# --- sizes ---


def test_head_bytes(serve: Serve) -> None:
    server = serve(length, limits=Limits(max_head_bytes=1000))
    base = len(request("/", "A: "))

    def with_head(size: int) -> bytes:
        data = request("/", "A: " + "x" * (size - base))
        assert len(data) == size
        return data

    for size in (base, 999, 1000):
        assert fetch(address(server), with_head(size)).status == 200
    refused(address(server), with_head(1001), 431)
    refused(address(server), with_head(100_000), 431)


def test_default_head_bytes(serve: Serve) -> None:
    server = serve(lambda req: {"status": 200, "body": str(len(req["HTTP_A"]))})
    # The reference accepts values of 80,000 bytes.
    assert fetch(address(server), request("/", "A: " + "x" * 80_000)).body == b"80000"
    refused(address(server), request("/", "A: " + "x" * 99_000), 431)


def test_target_alone_too_long(serve: Serve) -> None:
    server = serve(length, limits=Limits(max_head_bytes=1000))
    refused(address(server), request("/" + "x" * 2000), 414)


def test_endless_head(serve: Serve) -> None:
    server = serve(length, limits=Limits(max_head_bytes=1000))
    with Wire(address(server)) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        with pytest.raises(OSError):
            for _ in range(10_000):
                wire.send(b"A: b\r\n" * 100)
            raise OSError("it took it all")


def test_header_count(serve: Serve) -> None:
    server = serve(length, limits=Limits(max_header_count=10))
    fields = [f"A{i}: x" for i in range(10)]  # and Host
    assert fetch(address(server), request("/", *fields[:9])).status == 200
    refused(address(server), request("/", *fields), 431)


def test_default_header_count(serve: Serve) -> None:
    server = serve(length)
    fields = [f"A{i}: x" for i in range(128)]
    assert fetch(address(server), request("/", *fields[:127])).status == 200
    refused(address(server), request("/", *fields), 431)


@pytest.mark.parametrize("as_chunks", [False, True])
def test_body_bytes(serve: Serve, as_chunks: bool) -> None:
    server = serve(length, limits=Limits(max_body_bytes=1000))

    def with_body(size: int) -> bytes:
        if not as_chunks:
            return request(method="POST", body=b"x" * size)
        body = chunked(b"x" * (size - 1), b"y")
        return request("/", "Transfer-Encoding: chunked", method="POST") + body

    for size in (2, 999, 1000):
        assert fetch(address(server), with_body(size)).body == str(size).encode()
    refused(address(server), with_body(1001), 413)
    refused(address(server), with_body(1_000_000), 413)


def test_body_is_refused_before_it_is_sent(serve: Serve) -> None:
    server = serve(length)  # 1 GiB is the default
    data = request("/", f"Content-Length: {(1 << 30) + 1}", method="POST")
    refused(address(server), data, 413)
    with Wire(address(server)) as wire:
        wire.send(data[:-2] + b"Expect: 100-continue\r\n\r\n")
        response = wire.response()
        assert (response.status, response.informational) == (413, [])


def test_no_bodies_at_all(serve: Serve) -> None:
    server = serve(length, limits=Limits(max_body_bytes=0))
    assert fetch(address(server), request(method="POST", body=b"")).status == 200
    refused(address(server), request(method="POST", body=b"x"), 413)


def test_chunk_extensions(serve: Serve) -> None:
    server = serve(length, limits=Limits(max_head_bytes=1000))
    start = request("/", "Transfer-Encoding: chunked", method="POST")
    refused(address(server), start + b"1;" + b"x" * 2000 + b"\r\na\r\n0\r\n\r\n", 431)
    refused(address(server), start + b"0\r\n" + b"A: b\r\n" * 1000 + b"\r\n", 431)


def test_memory_and_file_at_the_edge(serve: Serve) -> None:
    def call(req: dict) -> dict:
        try:
            req["rook.input"].fileno()
            where = "file"
        except OSError:
            where = "memory"
        return {"status": 200, "body": where}

    server = serve(call, limits=Limits(body_memory_bytes=1000))
    for size, where in [(1, b"memory"), (1000, b"memory"), (1001, b"file"), (50_000, b"file")]:
        data = request(method="POST", body=b"x" * size)
        assert fetch(address(server), data).body == where


# --- times ---

SOON = 0.3  # seconds; a deadline that a test waits for


def ends_after(wire: Wire, least: float) -> None:
    """The server closes, not before so many seconds have passed."""
    start = time.monotonic()
    assert wire.at_end()
    assert time.monotonic() - start >= least


@pytest.mark.parametrize("part", [b"", b"G", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_header_timeout(serve: Serve, part: bytes) -> None:
    server = serve(length, limits=Limits(header_timeout=SOON))
    with Wire(address(server)) as wire:
        start = time.monotonic()
        wire.send(part)
        answer = wire.rest()
        assert SOON * 0.9 <= time.monotonic() - start < PATIENCE
        assert answer.startswith(b"HTTP/1.1 408 ") or (part == b"" and answer == b"")


@pytest.mark.clock
def test_header_timeout_is_not_stretched_by_a_trickle(serve: Serve) -> None:
    server = serve(length, limits=Limits(header_timeout=SOON))
    stop = threading.Event()
    with Wire(address(server)) as wire:

        def trickle() -> None:
            while not stop.wait(SOON / 10):
                try:
                    wire.send(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        wire.send(b"GET / HTTP/1.1\r\nA: ")
        thread.start()
        try:
            assert wire.head().status == 408
        finally:
            stop.set()
            thread.join()


def test_header_timeout_of_the_second_request(serve: Serve) -> None:
    server = serve(length, limits=Limits(header_timeout=SOON))
    with Wire(address(server)) as wire:
        wire.send(request())
        wire.response()
        wire.send(b"GET /")
        assert wire.response().status == 408
        assert wire.at_end()


def test_body_timeout(serve: Serve) -> None:
    server = serve(length, limits=Limits(body_timeout=SOON))
    with Wire(address(server)) as wire:
        wire.send(request(method="POST", body=b"abc")[:-1])
        assert wire.response().status == 408
        assert wire.at_end()


@pytest.mark.clock
def test_body_that_trickles_is_not_stalled(serve: Serve) -> None:
    server = serve(length, limits=Limits(body_timeout=2))
    pause = threading.Event()
    with Wire(address(server)) as wire:
        wire.send(request("/", "Content-Length: 30", method="POST"))
        for _ in range(30):
            wire.send(b"x")
            pause.wait(0.1)
        assert wire.response().body == b"30"


def test_idle_timeout(serve: Serve) -> None:
    server = serve(length, limits=Limits(idle_timeout=1))  # and this client may be slow
    with Wire(address(server)) as wire:
        for _ in range(3):
            wire.send(request())
            assert wire.response().status == 200
        ends_after(wire, 0.9)


@pytest.mark.clock
def test_a_slow_application_is_not_idle(serve: Serve) -> None:
    go = threading.Event()

    def call(req: dict) -> dict:
        go.wait(SOON * 4)
        return {"status": 200, "body": "late"}

    limits = Limits(idle_timeout=SOON, header_timeout=SOON, body_timeout=SOON, write_timeout=SOON)
    with Wire(address(serve(call, limits=limits))) as wire:
        wire.send(request(method="POST", body=b"abc"))
        assert wire.response().body == b"late"


@pytest.mark.clock
def test_write_timeout(serve: Serve) -> None:
    server = serve(
        lambda req: {"status": 200, "body": b"x" * 50_000_000}, limits=Limits(write_timeout=SOON)
    )
    with Wire(address(server)) as wire:
        wire.send(request())
        assert gone(server)
    assert fetch(address(server), request()).status == 200  # one that reads is fine


def gone(server: httpuv.WebServer) -> bool:
    """Wait until the server has no connection."""
    until = time.monotonic() + PATIENCE
    pause = threading.Event()
    while server._core.stats()["connections"] > 0:
        if time.monotonic() > until:
            return False
        pause.wait(0.01)
    return True


# --- numbers ---


def test_max_connections(serve: Serve) -> None:
    server = serve(length, limits=Limits(max_connections=3))
    wires = [Wire(address(server)) for _ in range(3)]
    for wire in wires:
        wire.send(request(method="POST", body=b"abc")[:-1])  # under way: none of them is idle
    with Wire(address(server)) as late:
        late.send(request())
        late.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):  # it waits in the kernel's queue
            late.response()
        late.socket.settimeout(PATIENCE)
        wires.pop().close()
        assert late.response().status == 200
    for wire in wires:
        wire.close()


def test_max_pipelined(serve: Serve) -> None:
    """A connection hands over so many requests at once; the others follow."""
    most = 0

    def call(req: dict) -> dict:
        nonlocal most
        most = max(most, server._core.stats()["in_flight"])
        return {"status": 200, "body": req["PATH_INFO"]}

    server = serve(call, limits=Limits(max_pipelined=4))
    with Wire(address(server)) as wire:
        wire.send(b"".join(request(f"/{i}") for i in range(100)))
        for i in range(100):
            assert wire.response().body == f"/{i}".encode()
    assert 1 <= most <= 4


@pytest.fixture
def blocked() -> Callable[[dict], dict]:
    """An application that does not answer: no thread runs callbacks."""
    return length


def test_queue_requests(blocked: Callable[[dict], dict]) -> None:
    with httpuv.startServer("127.0.0.1", 0, blocked, limits=Limits(queue_requests=3)) as server:
        wires = [Wire(address(server)) for _ in range(3)]
        for wire in wires:
            wire.send(request())
        waits_for(server, 3)
        with Wire(address(server)) as late:
            late.send(request())
            response = late.response()
            assert response.status == 503
            assert int(response.get("Retry-After") or "") >= 1
            # The connection lives on, and once there is room it is served.
            run(3)
            for wire in wires:
                assert wire.response().status == 200
            late.send(request())
            run(1)
            assert late.response().status == 200
        for wire in wires:
            wire.close()


def test_queue_bytes(blocked: Callable[[dict], dict]) -> None:
    with (
        httpuv.startServer("127.0.0.1", 0, blocked, limits=Limits(queue_bytes=1000)) as server,
        Wire(address(server)) as wire,
        Wire(address(server)) as late,
    ):
        wire.send(request(method="POST", body=b"x" * 900))
        waits_for(server, 1)
        late.send(request(method="POST", body=b"x" * 200))
        assert late.response().status == 503
        late.send(request(method="POST", body=b"x" * 50))
        run(2)
        assert wire.response().body == b"900"
        assert late.response().body == b"50"


def waits_for(server: httpuv.WebServer, count: int) -> None:
    """Wait until so many requests wait for Python."""
    until = time.monotonic() + PATIENCE
    pause = threading.Event()
    while server._core.stats()["in_flight"] < count:
        assert time.monotonic() < until
        pause.wait(0.005)


def run(count: int) -> None:
    """Run so many callbacks."""
    for _ in range(count):
        assert httpuv.runNow(20, all=False)


def test_files_are_served_while_the_queue_is_full(
    blocked: Callable[[dict], dict], tmp_path
) -> None:
    (tmp_path / "file").write_text("text")
    app = {"call": blocked, "staticPaths": {"/s": tmp_path}}
    with (
        httpuv.startServer("127.0.0.1", 0, app, limits=Limits(queue_requests=1)) as server,
        Wire(address(server)) as wire,
    ):
        wire.send(request())
        waits_for(server, 1)
        assert fetch(address(server), request()).status == 503
        assert fetch(address(server), request("/s/file")).body == b"text"
        run(1)
        assert wire.response().status == 200
