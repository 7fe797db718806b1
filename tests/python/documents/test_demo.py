"""``python -m httpuv.demo echo``."""

import os
import re
import signal

import pytest
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
