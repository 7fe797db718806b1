"""accessLog: what is said about which answer, when, and how little it may cost."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpuv
import pytest
from conftest import Serve
from support import PATIENCE, Script, Wire, address, chunked, get, request, run_script
from ws_support import Client, gone

NAME = "httpuv.access"
MIB = 1 << 20


class Lines(logging.Handler):
    """The records of the access log."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self.records.append(record)
            self._changed.notify_all()

    def next(self, count: int = 1) -> list[Any]:
        """So many records, in their order."""
        with self._changed:
            found = self._changed.wait_for(lambda: len(self.records) >= count, PATIENCE)
            assert found, f"{len(self.records)} of {count} records came"
            taken, self.records = self.records[:count], self.records[count:]
            return taken

    def one(self) -> Any:
        return self.next()[0]


@pytest.fixture
def lines() -> Iterator[Lines]:
    logger = logging.getLogger(NAME)
    handler = Lines()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "page.txt").write_text("0123456789")
    return tmp_path


def summary(record: Any) -> tuple[str, str, int, int]:
    return record.method, record.target, record.status, record.size


def test_every_kind_of_answer(serve: Serve, site: Path, lines: Lines) -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        if req["PATH_INFO"] == "/fails":
            raise ValueError("as intended")
        return {"status": 201, "headers": {"Content-Type": "text/plain"}, "body": "hello"}

    app = {"call": call, "staticPaths": {"/files": httpuv.staticPath(site)}}
    server = serve(app, accessLog=True)
    tag = get(server, "/files/page.txt").get("ETag")
    assert summary(lines.one()) == ("GET", "/files/page.txt", 200, 10)
    for target, fields, method, status, size in [
        ("/x?y=z", (), "GET", 201, 5),
        ("/x", (), "HEAD", 201, 0),
        ("/files/page.txt", (), "HEAD", 200, 0),
        ("/files/page.txt", ("Range: bytes=2-4",), "GET", 206, 3),
        ("/files/page.txt", (f"If-None-Match: {tag}",), "GET", 304, 0),
    ]:
        assert get(server, target, *fields, method=method).status == status
        assert summary(lines.one()) == (method, target, status, size)
    for target, status in [("/files/none", 404), ("/fails", 500), ("/files/../..", 400)]:
        body = get(server, target).body
        assert summary(lines.one()) == ("GET", target, status, len(body))


def test_the_line(serve: Serve, lines: Lines) -> None:
    server = serve(lambda req: {"status": 200, "body": "hello"}, accessLog=True)
    before = time.time()
    with Wire(address(server)) as wire:
        port = wire.socket.getsockname()[1]
        wire.send(request("/a", "Referer: http://x/", "User-Agent: me", version="1.0"))
        assert wire.response().status == 200
    record = lines.one()
    assert record.levelno == logging.INFO
    assert re.fullmatch(
        rf'127\.0\.0\.1:{port} - "GET /a HTTP/1\.0" 200 5 \d+\.\d ms', record.getMessage()
    )
    assert (record.client, record.clientPort) == ("127.0.0.1", port)
    assert (record.referer, record.userAgent) == ("http://x/", "me")
    assert before <= record.created <= time.time()
    assert 0 < record.seconds < PATIENCE


def test_what_made_no_sense(serve: Serve, lines: Lines) -> None:
    server = serve({}, accessLog=True)
    with Wire(address(server)) as wire:
        wire.send(b"GET / HTTP/1.1\r\nno colon\r\n\r\n")
        size = len(wire.response().body)
    record = lines.one()
    assert summary(record) == ("GET", "/", 400, size)
    assert f'"GET / HTTP/1.1" 400 {size} ' in record.getMessage()
    with Wire(address(server)) as wire:
        wire.send(b"\x16\x03\x01\x02")  # TLS
        size = len(wire.response().body)
    assert f'"-" 400 {size} ' in lines.one().getMessage()


def test_nobody_writes_lines_of_their_own(serve: Serve, lines: Lines) -> None:
    server = serve({}, accessLog=True)
    fields = ["Referer: \x85a\x9b2J\tb", 'User-Agent: x" "y']
    assert get(server, '/"a\\b', *fields).status == 404
    record = lines.one()
    assert '"GET /\\"a\\\\b HTTP/1.1" 404' in record.getMessage()
    assert (record.request, record.target) == ('GET /\\"a\\\\b HTTP/1.1', '/\\"a\\\\b')
    assert (record.referer, record.userAgent) == ("\\x85a\\x9b2J\\tb", 'x\\" \\"y')


def test_pipelined_answers_in_their_order(serve: Serve, site: Path, lines: Lines) -> None:
    """Those that are made first wait for those before them."""
    go = threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        assert go.wait(PATIENCE)
        return {"status": 200, "body": "late"}

    server = serve({"call": call, "staticPaths": {"/files": str(site)}}, accessLog=True)
    with Wire(address(server)) as wire:
        wire.send(request("/slow"), request("/files/page.txt"), request("/files/none"))
        go.set()
        assert [wire.response().status for _ in range(3)] == [200, 200, 404]
    assert [record.target for record in lines.next(3)] == [
        "/slow",
        "/files/page.txt",
        "/files/none",
    ]


@pytest.mark.parametrize("gzip", [False, True])
def test_a_stream_when_it_is_over(serve: Serve, lines: Lines, gzip: bool) -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        return {
            "status": 200,
            "headers": {"Content-Type": "text/plain"},
            "body": (b"x" * 1000 for _ in range(20)),
        }

    server = serve(call, accessLog=True)
    fields = ["Accept-Encoding: gzip"] if gzip else []
    body = get(server, "/", *fields).body
    assert len(body) < 1000 if gzip else len(body) == 20_000
    assert summary(lines.one()) == ("GET", "/", 200, len(body))


def test_a_request_with_a_body(serve: Serve, lines: Lines) -> None:
    server = serve(lambda req: {"status": 200, "body": req["rook.input"].read()}, accessLog=True)
    with Wire(address(server)) as wire:
        head = request("/", "Transfer-Encoding: chunked", method="POST")
        wire.send(head + chunked(b"abc", b"def"))
        assert wire.response().body == b"abcdef"
    assert summary(lines.one()) == ("POST", "/", 200, 6)


def test_a_websocket_when_it_opens(serve: Serve, lines: Lines) -> None:
    server = serve({"onWSOpen": lambda ws: None}, accessLog=True)
    with Client.open(server, "/chat"):
        assert summary(lines.one()) == ("GET", "/chat", 101, 0)


def test_a_client_that_goes_before_its_answer(serve: Serve, lines: Lines) -> None:
    asked, go = threading.Event(), threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        asked.set()
        assert go.wait(PATIENCE)
        return {"status": 200}

    server = serve(call, accessLog=True)
    with Wire(address(server)) as wire:
        wire.send(request("/patience"))
        assert asked.wait(PATIENCE)
        wire.reset()
    gone(server)
    go.set()
    record = lines.one()
    assert summary(record) == ("GET", "/patience", 0, 0)
    assert '"GET /patience HTTP/1.1" - 0 ' in record.getMessage()


def test_the_time_is_that_of_the_answer(site: Path, lines: Lines) -> None:
    """Also where Python comes to it much later."""
    app = {"staticPaths": {"/": str(site)}}
    with httpuv.startServer("127.0.0.1", 0, app, dispatch="service", accessLog=True) as server:
        assert get(server, "/page.txt").status == 200
        answered = time.time()
        time.sleep(0.2)
        while not lines.records:
            httpuv.service(100)
    assert lines.one().created <= answered


LONG = "/" + "x" * 90_000


def told_and_skipped(lines: Lines, total: int) -> tuple[int, int]:
    """How many of so many answers for LONG are in the log, and how many it says are not."""
    told, skipped = 0, 0
    while told + skipped < total:
        record = lines.one()
        if record.levelno == logging.INFO:
            assert record.target == LONG
            told += 1
        else:
            assert skipped == 0
            assert record.levelno == logging.WARNING
            said = re.match(r"(\d+) answers are not in the log", record.getMessage())
            assert said is not None
            skipped = int(said[1])
    return told, skipped


def test_a_slow_handler_holds_no_callback_up(serve: Serve, lines: Lines) -> None:
    """It has its own thread; what waits for it is bounded, and what has no room is counted."""
    go, entered = threading.Event(), threading.Event()

    class Slow(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            entered.set()
            assert go.wait(PATIENCE)

    slow = Slow()
    logging.getLogger(NAME).addHandler(slow)
    total = 300
    try:
        server = serve(lambda req: {"status": 200, "body": "hi"}, accessLog=True)
        for _ in range(total):
            assert get(server, LONG).status == 200
        assert entered.wait(PATIENCE)
        assert server.stats()["held"]["log"] <= 8 * MIB
        dropped = server.stats()["log_dropped"]
        metrics = server.stats()["metrics"]
        assert metrics["httpuv_access_log_dropped_total"] == [({}, dropped)]
        assert dropped > 0
        go.set()
        told, skipped = told_and_skipped(lines, total)
    finally:
        go.set()
        logging.getLogger(NAME).removeHandler(slow)
    assert skipped == dropped
    assert 80 <= told <= 8 * MIB // len(LONG)


def test_a_handler_may_stop_the_server(serve: Serve, lines: Lines) -> None:
    """The end of a server waits for the log, but not on the thread that logs."""
    stopped = threading.Event()

    class Stops(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            server.stop()
            stopped.set()

    stops = Stops()
    logging.getLogger(NAME).addHandler(stops)
    try:
        server = serve({}, accessLog=True)
        assert get(server, "/").status == 404
        assert stopped.wait(PATIENCE)
    finally:
        logging.getLogger(NAME).removeHandler(stops)
    assert lines.one().target == "/"


def test_a_stuck_python_grows_no_memory(lines: Lines) -> None:
    """At most 8 MiB wait to be told; what is beyond that is counted, and the count is told."""
    total = 300
    with httpuv.startServer("127.0.0.1", 0, {}, dispatch="service", accessLog=True) as server:
        for _ in range(total):
            assert get(server, LONG).status == 404
        assert httpuv.runNow(PATIENCE)
        while httpuv.runNow():
            pass
        told, skipped = told_and_skipped(lines, total)
        assert server.stats()["log_dropped"] == skipped
    assert 80 <= told <= 8 * MIB // len(LONG)


@pytest.mark.skipif(sys.platform != "linux", reason="counts what /proc says")
def test_what_waits_to_be_told_keeps_nobody_awake(site: Path, lines: Lines) -> None:
    """A record wants no answer, so the I/O thread sleeps as if there was none."""

    def switches() -> int:
        count = 0
        for task in Path("/proc/self/task").iterdir():
            if (task / "comm").read_text().strip() == "httpuv":
                status = (task / "status").read_text()
                count += int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)$", status, re.M)[0])
        return count

    app = {"staticPaths": {"/": str(site)}}
    with httpuv.startServer("127.0.0.1", 0, app, dispatch="service", accessLog=True) as server:
        assert get(server, "/page.txt").status == 200
        before = switches()
        assert before > 0
        time.sleep(0.3)
        assert switches() - before < 30


def test_on_a_unix_socket(tmp_path: Path, running: threading.Thread, lines: Lines) -> None:
    path = tmp_path / "socket"
    with httpuv.startPipeServer(path, 0o077, {}, accessLog=True), Wire(str(path)) as wire:
        wire.send(request("/"))
        assert wire.response().status == 404
        record = lines.one()
    assert record.client == ""
    assert record.getMessage().startswith('unix - "GET / HTTP/1.1" 404 ')


def test_none_unless_it_is_wanted(serve: Serve, lines: Lines) -> None:
    logging.getLogger(NAME).setLevel(logging.DEBUG)
    assert get(serve({}), "/silent").status == 404
    assert get(serve({}, accessLog=True), "/said").status == 404
    assert lines.one().target == "/said"
    assert lines.records == []


def test_a_level_that_was_chosen_stays(lines: Lines) -> None:
    logger = logging.getLogger(NAME)
    logger.setLevel(logging.ERROR)
    with httpuv.startServer("127.0.0.1", 0, {}, dispatch="service", accessLog=True) as server:
        assert get(server, "/unsaid").status == 404
        assert httpuv.runNow(PATIENCE)
        assert lines.records == []
        logger.setLevel(logging.INFO)
        assert get(server, "/said").status == 404
        assert httpuv.runNow(PATIENCE)
        assert lines.one().target == "/said"


@pytest.mark.parametrize("dispatch", ["thread", 4])
def test_wherever_the_callbacks_run(dispatch: Any, lines: Lines) -> None:
    app = {"call": lambda req: {"status": 200, "body": "x"}}
    options: dict[str, Any] = {"dispatch": dispatch, "accessLog": True}
    with httpuv.startServer("127.0.0.1", 0, app, **options) as server:
        for number in range(50):
            assert get(server, f"/{number}").status == 200
        assert sorted(int(record.target[1:]) for record in lines.next(50)) == list(range(50))


def test_a_body_that_is_too_long_or_too_slow(serve: Serve, lines: Lines) -> None:
    limits = httpuv.Limits(max_body_bytes=10, header_timeout=0.2, body_timeout=0.2)
    server = serve(lambda req: {"status": 200}, limits=limits, accessLog=True)
    for data, status, line, at_least in [
        (request("/long", "Content-Length: 11", method="POST"), 413, "POST /long HTTP/1.1", 0),
        (request("/late", "Content-Length: 9", method="POST"), 408, "POST /late HTTP/1.1", 0.2),
        (b"GET /head HTTP/1.1\r\nHost:", 408, "GET /head HTTP/1.1", 0.2),
    ]:
        with Wire(address(server)) as wire:
            wire.send(data)
            assert wire.response().status == status
        record = lines.one()
        assert (record.request, record.status) == (line, status)
        assert at_least <= record.seconds < PATIENCE


def test_a_stream_that_fails(serve: Serve, lines: Lines) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"abc"
        raise ValueError("as intended")

    server = serve(lambda req: {"status": 200, "body": pieces()}, accessLog=True)
    with Wire(address(server)) as wire, contextlib.suppress(EOFError, ConnectionResetError):
        wire.send(request("/"))
        wire.response()
        pytest.fail("the connection was not cut")
    assert summary(lines.one()) == ("GET", "/", 200, 3)


def test_what_is_cut_off_when_the_server_stops(lines: Lines) -> None:
    asked, cut = threading.Event(), threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        asked.set()
        assert cut.wait(PATIENCE)  # an answer would come too late
        return {"status": 200}

    def wait_for_the_cut() -> None:
        if wire.at_end():
            cut.set()

    with (
        httpuv.startServer("127.0.0.1", 0, call, dispatch="thread", accessLog=True) as server,
        Wire(address(server)) as wire,
    ):
        wire.send(request("/first") + request("/second"))
        assert asked.wait(PATIENCE)
        threading.Thread(target=wait_for_the_cut).start()
        server.stop()
    assert [summary(each) for each in lines.next(2)] == [
        ("GET", "/first", 0, 0),
        ("GET", "/second", 0, 0),
    ]


def test_what_run_server_answered_last_is_logged() -> None:
    output = run_script("""
        import contextlib, sys, threading, urllib.request
        import httpuv

        def call(req):
            httpuv.interrupt()
            return {"status": 200, "body": "bye"}

        def ask():
            port = httpuv.listServers()[0].getPort()
            print(urllib.request.urlopen(f"http://127.0.0.1:{port}/last").read().decode())

        asking = threading.Thread(target=ask)
        httpuv.later(asking.start)  # once the server is there and runs callbacks
        with contextlib.redirect_stderr(sys.stdout):
            httpuv.runServer("127.0.0.1", 0, call, accessLog=True)
            asking.join()
    """)
    assert "bye" in output
    assert re.search(r'"GET /last HTTP/1\.1" 200 3 ', output)


def test_a_handler_may_publish_and_fail(serve: Serve, lines: Lines) -> None:
    """A page that shows the log gets each line at once; one that cannot be logged harms none."""
    servers: list[httpuv.WebServer] = []

    class Page(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            servers[0].publish("log", record.getMessage())

    def refuse(record: logging.LogRecord) -> bool:
        if record.__dict__["target"] == "/3":
            raise ValueError("as intended")
        return True

    logger, page = logging.getLogger(NAME), Page()
    logger.addHandler(page)
    logger.addFilter(refuse)
    try:
        servers.append(serve({"onWSOpen": lambda ws: ws.subscribe("log")}, accessLog=True))
        with Client.open(servers[0], "/page") as client:
            assert '"GET /page HTTP/1.1" 101 ' in str(client.message())
            with Wire(address(servers[0])) as wire:
                wire.send(*(request(f"/{number}") for number in range(6)))
            for number in (0, 1, 2, 4, 5):
                assert f'"GET /{number} HTTP/1.1" 404 ' in str(client.message())
    finally:
        logger.removeFilter(refuse)
        logger.removeHandler(page)


@pytest.mark.parametrize("how", ["sys.stderr = None", "sys.stderr.close()"])
def test_without_a_standard_error(how: str) -> None:
    output = run_script(f"""
        import sys, urllib.request
        import httpuv
        {how}
        app = lambda req: {{"status": 200, "body": "hi"}}
        with httpuv.startServer("127.0.0.1", 0, app, dispatch="thread", accessLog=True) as server:
            for _ in range(3):
                url = f"http://127.0.0.1:{{server.getPort()}}/"
                print(urllib.request.urlopen(url).read().decode())
    """)
    assert output == "hi\nhi\nhi\n"


def test_it_must_be_bool_or_a_format() -> None:
    with pytest.raises(TypeError, match="accessLog must be bool or str, not int"):
        httpuv.startServer("127.0.0.1", 0, {}, accessLog=1)  # type: ignore[arg-type]


def test_it_is_seen_where_nobody_has_set_up_logging() -> None:
    errors = json.loads(
        run_script("""
            import contextlib, io, json, urllib.error, urllib.request
            import httpuv

            errors = io.StringIO()
            with contextlib.redirect_stderr(errors):
                app = lambda req: {"status": 200, "body": "hi"}
                with httpuv.startServer(
                    "127.0.0.1", 0, app, dispatch="thread", accessLog=True
                ) as server:
                    urllib.request.urlopen(f"http://127.0.0.1:{server.getPort()}/a").read()
                    while "\\n" not in errors.getvalue():
                        pass
            print(json.dumps(errors.getvalue()))
        """)
    )
    assert re.fullmatch(
        r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} 127\.0\.0\.1:\d+ - "GET /a HTTP/1\.1" 200 2 .* ms\n',
        errors,
    )


def test_the_command(site: Path) -> None:
    for options in ([], ["--no-access-log"]):
        arguments = [str(site), "--port", "0", *options]
        with Script("", *arguments, module="httpuv") as script:
            port = 0
            while "Ctrl-C" not in (line := script.error_line()):
                if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                    port = int(found[1])
            with Wire(("127.0.0.1", port)) as wire:
                wire.send(request("/page.txt"))
                assert wire.response().status == 200
            if not options:
                assert '"GET /page.txt HTTP/1.1" 200 10 ' in script.error_line()
            script.process.send_signal(signal.SIGINT)
            status, _, errors = script.finish()
        assert status == 0
        assert "page.txt" not in errors
