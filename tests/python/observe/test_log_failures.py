"""Logging that fails, is filtered, closed or blocks: it is lost, and nothing else is."""

from __future__ import annotations

import logging
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
from support import Script, get, listening, run_script


class Raises(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError("the log's fault")


@pytest.fixture
def failing() -> Iterator[None]:
    """The package's logger has a handler that raises."""
    logger = logging.getLogger("httpuv")
    handler = Raises()
    logger.addHandler(handler)
    level, logger.level = logger.level, logging.DEBUG
    yield
    logger.setLevel(level)
    logger.removeHandler(handler)


def call(req: dict[str, Any]) -> dict[str, Any]:
    if req["PATH_INFO"] == "/boom":
        raise ValueError("the callback's fault")
    return {"status": 200, "body": "ok"}


def test_a_handler_that_raises(
    failing: None, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve(call)
    assert get(server, "/boom").status == 500
    assert get(server, "/").body == b"ok"
    written = capsys.readouterr().err
    assert "call failed for GET /boom" in written
    assert "ValueError: the callback's fault" in written
    assert "(not logged: RuntimeError: the log's fault)" in written


def test_a_filter_that_raises(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: bool(record.request_id))  # type: ignore[attr-defined]
    logging.getLogger().addHandler(handler)
    try:
        server = serve(call)
        assert get(server, "/boom").status == 500
        assert get(server, "/").body == b"ok"
    finally:
        logging.getLogger().removeHandler(handler)
    assert "(not logged: AttributeError" in capsys.readouterr().err


def test_later_outlives_it(failing: None, running: object) -> None:

    ran = threading.Event()
    httpuv.later(lambda: 1 / 0)
    httpuv.later(ran.set)
    assert ran.wait(20)


def test_starting(failing: None) -> None:
    with httpuv.startServer("127.0.0.1", 0, {}) as server:  # logged at INFO
        assert server.isRunning()
    with listening() as port, pytest.raises(OSError, match="in use"):
        httpuv.startServer("127.0.0.1", port, {})
    assert httpuv.listServers() == []


@pytest.mark.parametrize("how", ["sys.stderr.close()", "sys.stderr = None", "os.close(2)"])
def test_without_a_standard_error(how: str) -> None:
    run_script(
        f"""
import http.client, os, sys
import httpuv

def call(req):
    if req["PATH_INFO"] == "/boom":
        raise ValueError
    return {{"status": 200}}

def get(path):
    client = http.client.HTTPConnection("127.0.0.1", server.getPort(), timeout=20)
    client.request("GET", path)
    return client.getresponse().status

{how}
with httpuv.startServer("127.0.0.1", 0, call, dispatch="thread", accessLog=True) as server:
    statuses = [get("/boom"), get("/")]
print(statuses, flush=True)
os._exit(statuses != [500, 200])
"""
    )


FILL = """
import http.client, sys
client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
for _ in range(1500):
    client.request("GET", "/a.txt?" + "q" * 60)
    client.getresponse().read()
"""


def test_the_command_line_ends_while_nothing_reads_its_log(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with Script("", str(tmp_path), "--port", "0", "--no-browse", module="httpuv") as script:
        lines = [script.error_line() for _ in range(2)]
        port = lines[1].rpartition(":")[2].strip("/")
        run_script(FILL, port)
        script.process.send_signal(signal.SIGTERM)
        assert script.process.wait(10) == 0


def test_an_interrupt_while_a_handler_blocks() -> None:
    """It waits for a pipe: the rest of the log is not tried again."""
    with Script(
        """
        import logging, os, sys, threading
        import httpuv

        logging.basicConfig(level=logging.INFO, stream=sys.stderr)

        class Blocks(logging.Handler):
            def emit(self, record):
                print("blocked", flush=True)
                threading.Event().wait()

        logging.getLogger("httpuv.access").addHandler(Blocks())
        def started():
            print(httpuv.listServers()[0].getPort(), flush=True)
        httpuv.later(started)
        httpuv.runServer("127.0.0.1", 0, {}, accessLog=True)
        print("interrupted", flush=True)
        """
    ) as script:
        port = script.line()
        run_script(
            """
            import http.client, sys
            for _ in range(3):
                client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
                client.request("GET", "/")
                client.getresponse().read()
            """,
            port,
        )
        assert script.line() == "blocked"

        time.sleep(0.7)  # as long as counts as blocked
        script.process.send_signal(signal.SIGINT)
        assert script.line() == "interrupted"
        assert script.finish()[0] == 0
