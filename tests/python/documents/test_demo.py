"""``python -m httpuv.demo``: the demo and the example site of the manual."""

import os
import re
import signal

import pytest
from httpuv import demo
from support import Script, fetch, request


def test_echo() -> None:
    client = pytest.importorskip("websockets.sync.client")
    with Script("", "echo", "--port", "0", module="httpuv.demo") as child:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", child.error_line())
        assert found
        port = int(found[1])
        page = fetch(("127.0.0.1", port), request())
        assert page.get("Content-Type") == "text/html; charset=utf-8"
        assert b"<title>httpuv: echo</title>" in page.body
        assert fetch(("127.0.0.1", port), request("/none")).status == 404
        with client.connect(f"ws://127.0.0.1:{port}/") as socket:
            for message in ("text", b"bytes"):
                socket.send(message)
                assert socket.recv() == message
        os.kill(child.pid, signal.SIGINT)
        assert child.finish()[0] == 0


def test_site() -> None:
    with Script("", "site", "--port", "0", module="httpuv.demo") as child:
        assert child.error_line() == f"Serving {demo.SITE}"
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", child.error_line())
        assert found
        where = ("127.0.0.1", int(found[1]))
        assert b"<h1>Example site</h1>" in fetch(where, request()).body
        links = set()
        for page in demo.SITE.glob("*.html"):
            links |= set(re.findall(r'(?:href|src)="([^"]+)"', page.read_text("utf-8")))
        assert {"style.css", "about.html", "files/"} <= links
        for link in links - {"data:,"}:
            assert fetch(where, request(f"/{link}")).status == 200
        assert b"table.csv" in fetch(where, request("/files/")).body
        os.kill(child.pid, signal.SIGINT)
        assert child.finish()[0] == 0
