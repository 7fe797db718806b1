"""The examples run, do what they say, and end cleanly with Ctrl-C."""

import contextlib
import hashlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Script, Wire, fetch, request

EXAMPLES = Path(__file__).parents[3] / "examples"

pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="the examples are not here")


@contextlib.contextmanager
def example(name: str, *arguments: str, how: signal.Signals = signal.SIGINT) -> Iterator[Script]:
    """Run an example; end it as a person would, and see that it ends well."""
    code = f"import runpy; runpy.run_path({str(EXAMPLES / name)!r}, run_name='__main__')"
    with Script(code, *arguments) as child:
        yield child
        os.kill(child.pid, how)
        status, _, errors = child.finish()
        assert (status, errors) == (0, ""), errors


def where(child: Script) -> tuple[str, int]:
    while (found := re.search(r"http://([\d.]+):(\d+)/", child.line())) is None:
        pass
    return found[1], int(found[2])


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_demo(how: signal.Signals) -> None:
    with example("demo.py", "--port", "0", how=how) as child:
        at = where(child)
        assert "Ctrl-C" in child.line()
        home = fetch(at, request("/"))
        assert home.status == 200 and b"<h1>httpuv</h1>" in home.body
        for name in set(re.findall(rb'(?:src|href)="([\w.]+)"', home.body)):
            assert fetch(at, request("/" + name.decode())).status == 200
        assert b"QUERY_STRING" in fetch(at, request("/environment")).body
        source = fetch(at, request("/source/demo.py")).body
        assert b"demo.py" in fetch(at, request("/source/")).body
        # The page shows these parts of the program.
        for part in set(re.findall(rb'data-part="(\w+)"', home.body)):
            assert re.search(rb"^ *# part: " + part + rb"\n.+?^ *# end$", source, re.M | re.S)
        assert fetch(at, request("/none")).status == 404
        data = bytes(range(256)) * 10_000
        digest = hashlib.sha256(data).hexdigest()[:16]
        assert digest.encode() in fetch(at, request("/upload", method="POST", body=data)).body
        part = fetch(at, request("/film.webm", "Range: bytes=100-199"))
        assert (part.status, len(part.body), part.get("Content-Type")) == (206, 100, "video/webm")
        with Wire(at) as blocked:
            blocked.send(request("/block"))
            for _ in range(20):
                assert fetch(at, request("/ping.txt")).body == b"pong\n"
            assert blocked.response().body == b"awake again"


def test_demo_takes_another_port() -> None:
    with example("demo.py", "--port", "0") as first:
        _, port = where(first)
        with example("demo.py", "--port", str(port)) as second:
            assert where(second)[1] != port


def test_static_and_dynamic(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("text")
    with example("static_and_dynamic.py", str(tmp_path), "0") as child:
        at = where(child)
        response = fetch(at, request("/file.txt"))
        assert response.body == b"text"
        assert response.get("Cache-Control") == "no-cache"
        assert b'"path": "/api/x"' in fetch(at, request("/api/x")).body


def test_upload() -> None:
    with example("upload.py", "0") as child:
        at = where(child)
        data = b"x" * 200_000
        token = "X-Token: let me in"
        answer = fetch(at, request("/", token, method="PUT", body=data)).body.decode()
        assert answer == f"200000 bytes, SHA-256 {hashlib.sha256(data).hexdigest()}\n"
        refused = fetch(at, request("/", "Content-Length: 50000000", method="PUT"))
        assert (refused.status, refused.body) == (403, b"a token is needed\n")
        refused = fetch(at, request("/", token, "Content-Length: 500000000", method="PUT"))
        assert refused.status == 413


def test_own_loop() -> None:
    with example("own_loop.py", "0") as child:
        at = where(child)
        assert fetch(at, request()).body.endswith(b" steps\n")
        assert child.line().endswith(" steps")


def test_unix_socket(tmp_path: Path) -> None:
    name = str(tmp_path / "socket")
    with example("unix_socket.py", name) as child:
        assert child.line().startswith(name)
        assert os.stat(name).st_mode & 0o777 == 0o600
        assert fetch(name, request()).body == f"process {child.pid} on {name}\n".encode()
    assert not os.path.exists(name)


def test_hello() -> None:
    code = (EXAMPLES / "hello.py").read_text()
    scope: dict = {"__name__": "example"}
    exec(compile(code, "hello.py", "exec"), scope)
    assert scope["hello"]({})["body"] == "Hello world!\n"
    assert sys.version_info >= (3, 10)


def test_live_dashboard() -> None:
    with example("live_dashboard.py", "0") as child:
        at = where(child)
        assert b"EventSource" in fetch(at, request("/")).body
        assert fetch(at, request("/none")).status == 404
        with Wire(at) as wire:
            wire.send(request("/events"))
            assert b"retry: 500" in wire._until(b"event: load\ndata: {")
