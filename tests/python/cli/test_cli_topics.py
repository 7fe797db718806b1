"""The workers of one command share topics."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest
from cli_support import command, started
from support import Wire, fetch, request

ROOK = """
import os
import httpuv

stream = httpuv.EventStream(topics=["t"], retry=0.1)

def call(req):
    if req["PATH_INFO"] == "/events":
        return stream
    if req["PATH_INFO"] == "/pid":
        return {"status": 200, "body": str(os.getpid())}
    (server,) = httpuv.listServers()
    return {"status": 200, "body": str(server.publish("t", req["QUERY_STRING"]))}
"""


ASGI = """
import os
import httpuv

stream = httpuv.EventStream(topics=["t"], retry=0.1)

async def call(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    if scope["path"] == "/events":
        return await stream(scope, receive, send)
    if scope["path"] == "/pid":
        text = str(os.getpid())
    else:
        (server,) = httpuv.listServers()
        text = str(server.publish("t", scope["query_string"].decode()))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})
"""

WSGI = """
import os
import httpuv

stream = httpuv.EventStream(topics=["t"], retry=0.1)

def call(environ, start_response):
    if environ["PATH_INFO"] == "/events":
        return stream(environ, start_response)
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/pid":
        return [str(os.getpid()).encode()]
    (server,) = httpuv.listServers()
    return [str(server.publish("t", environ["QUERY_STRING"])).encode()]
"""


@pytest.mark.parametrize("app", [ROOK, ASGI, WSGI], ids=["rook", "asgi", "wsgi"])
def test_topics_are_shared(tmp_path: Path, app: str) -> None:
    (tmp_path / "news.py").write_text(app)
    with command(tmp_path, "news:call", "--port", "0", "--workers", "2") as child:
        at = ("127.0.0.1", int(started(child).rstrip("/").rpartition(":")[2]))
        with contextlib.ExitStack() as stack:
            pids: dict[bytes, Wire] = {}
            while len(pids) < 2:  # a client of each worker
                wire = stack.enter_context(Wire(at))
                wire.send(request("/pid"))
                pids[wire.response().body] = wire
            for wire in pids.values():
                wire.send(request("/events"))
                wire._until(b"id: ")
            for number in range(1, 6):
                assert fetch(at, request(f"/?say{number}")).body == str(number).encode()
            for wire in pids.values():
                seen = wire._until(b"data: say5\n\n")
                assert [b"say%d" % n in seen for n in range(1, 6)] == [True] * 5
            epoch = seen.rpartition(b"id: ")[2].partition(b".")[0].decode()
            # A worker is killed; its client comes back to whichever there is.
            os.kill(int(next(iter(pids))), signal.SIGKILL)
            assert fetch(at, request("/?say6")).body == b"6"
            with Wire(at) as wire:
                wire.send(request("/events", f"Last-Event-ID: {epoch}.3"))
                seen = wire._until(b"data: say6\n\n")
                assert [b"say%d" % n in seen for n in range(3, 7)] == [False, True, True, True]
                assert b"reset" not in seen
        child.process.send_signal(signal.SIGTERM)
        assert child.finish()[0] == 0
