"""The demo and the example site of the manual.

``python -m httpuv.demo echo``: a page sends typed text over a WebSocket and shows the answers.
``python -m httpuv.demo site``: a folder of files, :data:`SITE`, served by ``runStaticServer()``.

Sources: manual pages *httpuv-package*, ``demo("echo")``, and *runStaticServer*, "Examples".
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .rook.websocket import WebSocket
from .servers.start import runServer
from .static_server.run import runStaticServer

#: The folder of the example site.
SITE = Path(__file__).with_name("example_site")

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>httpuv: echo</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 36rem; margin: 3rem auto; padding: 0 1rem }
  form { display: flex; gap: .5rem }
  input { flex: 1; font: inherit; padding: .4rem .6rem }
  button { font: inherit; padding: .4rem 1rem }
  #log { list-style: none; padding: 0 }
  #log li { border-bottom: 1px solid #8884; padding: .3rem 0; overflow-wrap: anywhere }
  #state { opacity: .7 }
</style>
<h1>Echo</h1>
<form id="form">
  <input id="text" aria-label="Message" autocomplete="off" autofocus>
  <button>Send</button>
</form>
<p id="state" role="status">connecting</p>
<ul id="log" aria-live="polite"></ul>
<script>
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${location.pathname}`);
  const state = document.getElementById("state");
  const text = document.getElementById("text");
  socket.onopen = () => { state.textContent = "connected" };
  socket.onclose = () => { state.textContent = "closed" };
  socket.onmessage = event => {
    const item = document.createElement("li");
    item.textContent = event.data;
    document.getElementById("log").prepend(item);
  };
  document.getElementById("form").onsubmit = event => {
    event.preventDefault();
    if (socket.readyState === WebSocket.OPEN) socket.send(text.value);
    text.value = "";
  };
</script>
</html>
"""


def _call(req: dict[str, Any]) -> dict[str, Any]:
    if req["PATH_INFO"] != "/":
        return {"status": 404, "headers": {"Content-Type": "text/plain"}, "body": "Not found\n"}
    return {"status": 200, "headers": {"Content-Type": "text/html; charset=utf-8"}, "body": _PAGE}


def _on_open(ws: WebSocket) -> None:
    ws.onMessage(lambda binary, message: ws.send(message))


echo = {"call": _call, "onWSOpen": _on_open}
_DEMOS: dict[str, Callable[[str, int], object]] = {
    "echo": lambda host, port: runServer(host, port, echo),
    "site": lambda host, port: runStaticServer(SITE, host, port, browse=False),
}


def main(arguments: list[str] | None = None) -> None:
    """Run a demo until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m httpuv.demo", description="Demos of httpuv.")
    parser.add_argument("demo", choices=_DEMOS, help="which one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=9454, help="port, 0: a free one (9454)")
    options = parser.parse_args(arguments)
    try:
        _DEMOS[options.demo](options.host, options.port)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
