"""`httpuv run` in a separate process, and applications for it."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest
from support import Script

#: Applications that tell their test what happens (stdout), and wait for its word (stdin).
APPS = """
    import asyncio, ctypes, os, sys, threading, time

    def say(*words):
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())

    async def asgi(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                kind = (await receive())["type"]
                say(kind)
                await send({"type": kind + ".complete"})
                if kind == "lifespan.shutdown":
                    return
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            say("socket told")
            return
        if scope["path"] == "/wait":
            say("begun")
            await asyncio.to_thread(sys.stdin.readline)
        if scope["path"] == "/stuck":
            say("begun")
            time.sleep(1000)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
            say("stream told")
            return
        body = f"asgi {os.getpid()} {scope['root_path']}".encode()
        await send({"type": "http.response.body", "body": body})

    def factory():
        return asgi

    def wsgi(environ, start_response):
        if environ["PATH_INFO"] == "/wait":
            say("begun")
            sys.stdin.readline()
        if environ["PATH_INFO"] in ("/in-c", "/with-gil"):
            c = (ctypes.CDLL if environ["PATH_INFO"] == "/in-c" else ctypes.PyDLL)(None)
            say("begun")
            say(c.read(0, ctypes.create_string_buffer(1), 1))
        if environ["PATH_INFO"] == "/full":
            os.set_blocking(1, True)
            say("begun")
            while True:
                sys.stdout.write("x" * 1000)
        if environ["PATH_INFO"] == "/exit":
            sys.exit(3)
        if environ["PATH_INFO"] == "/stuck":
            say("begun")
            time.sleep(1000)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [f"wsgi {os.getpid()} {environ['SCRIPT_NAME']}".encode()]

    both = threading.Barrier(2, timeout=60)

    def two_at_once(environ, start_response):
        both.wait()
        start_response("200 OK", [])
        return [b"both"]

    def forks(environ, start_response):
        # A copy of this process, which holds copies of its descriptors until it is ended.
        child = os.fork()
        if child == 0:
            time.sleep(1000)
        start_response("200 OK", [])
        return [f"forked {os.getpid()} {child}".encode()]

    def rook(req):
        if req["PATH_INFO"] == "/wait":
            say("begun")
            sys.stdin.readline()
        return {"status": 200, "body": f"rook {os.getpid()}"}

    def client(environ, start_response):
        start_response("200 OK", [])
        return [f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']}".encode()]

    def environment(req):
        return {"status": 200, "body": os.environ.get("OF_FILE", "")}

    async def cannot_start(scope, receive, send):
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no database"})

    def broken_factory():
        return 1 / 0

    thing = 5
"""


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    """A directory with the modules apps, broken and needs_other."""
    (tmp_path / "apps.py").write_text(textwrap.dedent(APPS))
    (tmp_path / "broken.py").write_text("def fail():\n    raise KeyError('mine')\n\nfail()\n")
    (tmp_path / "needs_other.py").write_text("import there_is_no_such_module\n")
    (tmp_path / "wrong_syntax.py").write_text("def f(:\n")
    return tmp_path


def command(cwd: str | os.PathLike[str], *arguments: str, **env: str) -> Script:
    """`python -m httpuv run` in a directory."""
    return Script("", "run", *arguments, module="httpuv", cwd=cwd, env=env)


def started(child: Script) -> str:
    """The URL that it says it listens on."""
    while not (line := child.error_line()).startswith("at "):
        pass
    while "stop" not in child.error_line():
        pass
    return line.removeprefix("at ")


def children(child: Script) -> set[int]:
    """The processes that it started and that live."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has ended
            continue
        if int(parent) == child.pid and state != "Z":
            found.add(int(path.parent.name))
    return found
