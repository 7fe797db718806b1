"""accessLog with a format: written without Python."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpuv
import pytest
from conftest import Serve
from support import PATIENCE, Wire, address, get

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def hello(req: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": "hello"}


def lines(path: Path, count: int) -> list[str]:
    """The file's lines, as soon as there are so many."""
    end = time.monotonic() + PATIENCE
    while not path.exists() or (text := path.read_text()).count("\n") < count:
        assert time.monotonic() < end, "the lines did not come"
        time.sleep(0.01)
    found = text.splitlines()
    assert len(found) == count
    return found


REQUEST = r'"GET /a\?b HTTP/1\.1" 200 5'
CLF = r"127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:[\d:]{8} [+-]\d{4}\] " + REQUEST
ISO = r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z"


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("text", ISO + r" 127\.0\.0\.1:\d+ - " + REQUEST + r" \d+\.\d ms"),
        ("common", CLF),
        ("combined", CLF + r' "http://x/" "\\x22quoted\\x22"'),
        ("{method} {target} {kind} {{{status}}}", r"GET /a\?b app \{200\}"),
        ("{trace_id} {referer}", TRACE + " http://x/"),
    ],
)
def test_formats(serve: Serve, tmp_path: Path, form: str, pattern: str) -> None:
    path = tmp_path / "log"
    server = serve({"call": hello}, accessLog=form, accessLogFile=path)
    fields = (
        "Referer: http://x/",
        'User-Agent: "quoted"',
        f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01",
    )
    get(server, "/a?b", *fields)
    assert re.fullmatch(pattern, lines(path, 1)[0])


def test_json(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "log"

    def call(req: dict[str, Any]) -> dict[str, Any]:
        return {"status": 200, "body": req["HTTP_X_REQUEST_ID"]}

    server = serve({"call": call}, accessLog="json", accessLogFile=path)
    made = get(server, "/", 'User-Agent: "\xe9\\')
    with Wire(address(server)) as wire:
        wire.send(b"GET /no-host HTTP/1.1\r\n\r\n")
        wire.response()
    first, second = map(json.loads, lines(path, 2))
    assert first["user_agent"] == '"\xe9\\'
    assert first["request_id"] == made.body.decode() and len(first["request_id"]) == 32
    assert first["status"] == 200 and first["size"] == 32 and 0 <= first["seconds"] < PATIENCE
    assert (first["method"], first["target"], first["protocol"]) == ("GET", "/", "HTTP/1.1")
    assert (second["status"], second["kind"], second["request"]) == (
        400,
        "server",
        "GET /no-host HTTP/1.1",
    )


def test_written_while_python_is_stuck(tmp_path: Path) -> None:
    path = tmp_path / "log"
    (tmp_path / "a.txt").write_text("a")
    app = {"call": hello, "staticPaths": {"/s": str(tmp_path)}}
    options: dict[str, Any] = {"accessLog": "common", "accessLogFile": path}
    with httpuv.startServer("127.0.0.1", 0, app, dispatch="service", **options) as server:
        get(server, "/s/a.txt")
        assert '"GET /s/a.txt HTTP/1.1" 200 1' in lines(path, 1)[0]


def test_what_is_there_is_written_when_the_server_stops(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "log"
    server = serve({"call": hello}, accessLog="common", accessLogFile=path)
    for _ in range(100):
        get(server, "/")
    server.stop()
    assert path.read_text().count("\n") == 100


def test_file_that_was_moved_away(serve: Serve, tmp_path: Path) -> None:
    path, old = tmp_path / "log", tmp_path / "log.1"
    server = serve({"call": hello}, accessLog="{target}", accessLogFile=path)
    get(server, "/before")
    lines(path, 1)
    path.rename(old)
    end = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < end
        get(server, "/behind")
    server.stop()
    assert "/before" in old.read_text() and "/behind" in path.read_text()


def test_a_reader_that_does_not_read_holds_nothing_up() -> None:
    # Standard error is a pipe that is full.
    code = """
import httpuv, os, threading, urllib.request
os.set_blocking(2, False)
try:
    while True:
        os.write(2, b"x" * 4096)
except BlockingIOError:
    pass
os.set_blocking(2, True)
options = {"dispatch": "thread", "accessLog": "text"}
server = httpuv.startServer("127.0.0.1", 0, lambda req: {"status": 200}, **options)
for _ in range(20):
    assert urllib.request.urlopen(server.url).status == 200
server.stop()
print("done", flush=True)
os._exit(0)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"done\n"


def test_standard_error() -> None:
    code = """
import httpuv, urllib.request
options = {"dispatch": "thread", "accessLog": "{target}"}
server = httpuv.startServer("127.0.0.1", 0, lambda req: {"status": 200}, **options)
urllib.request.urlopen(server.url + "x")
server.stop()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stderr == "/x\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accessLog": "{nonsense}"}, "no field nonsense"),
        ({"accessLog": "{status"}, "no field"),
        ({"accessLog": "status}"}, "closes nothing"),
        ({"accessLog": "plain"}, "no field, such as"),
        ({"accessLog": 5}, "accessLog must be bool or str"),
        ({"accessLog": True, "accessLogFile": "x"}, "accessLogFile needs a format"),
        ({"accessLog": "json", "accessLogFile": 5}, "accessLogFile must be a path"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        httpuv.startServer("127.0.0.1", 0, hello, **options)


def test_file_with_a_name_that_is_not_utf8(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"log\xff")
    server = serve({"call": hello}, accessLog="{status}", accessLogFile=path)
    get(server, "/")
    assert lines(path, 1) == ["200"]


@pytest.mark.parametrize("folder", ["none", os.fsdecode(b"none\xff")])
def test_file_that_cannot_be_opened(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "log"
    with pytest.raises(FileNotFoundError) as caught:
        httpuv.startServer("127.0.0.1", 0, hello, accessLog="json", accessLogFile=path)
    assert caught.value.filename == str(path)
