"""A page that shows the product: latency while Python is blocked, sockets, events, video, uploads.

    python examples/demo.py [--port PORT] [--browse]

Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import html
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpuv

SITE = Path(__file__).with_name("demo_site")
PORT = 7447


class Demo:
    """The application: what is not a file comes to the callbacks."""

    # part: files
    def __init__(self) -> None:
        self.staticPaths = {
            # C++ answers these: ranges, conditions, compression.
            "/": httpuv.staticPath(SITE, fallthrough=True),
            "/source": httpuv.staticPath(SITE.parent, listing=True),
        }
        # end
        self.answered = 0
        self.streams: set[httpuv.EventStream] = set()
        self.pages: set[httpuv.WebSocket] = set()
        self.server: httpuv.WebServer | None = None

    def call(self, req: httpuv.Request) -> httpuv.Response:
        """Answer a request; its path decides."""
        self.answered += 1
        answers: dict[str, Callable[[Any], httpuv.Response]] = {
            "/now": self.now,
            "/block": self.block,
            "/events": self.events,
            "/upload": self.upload,
            "/environment": self.environment,
        }
        answer = answers.get(req["PATH_INFO"])
        if answer is None:
            text = f"<p>Nothing at {html.escape(req['PATH_INFO'])}.</p>"
            return page(404, "Not found", text)
        return answer(req)

    # part: block
    def now(self, req: httpuv.Request) -> httpuv.Response:
        """Python's answer; the others need no code."""
        return {"status": 200, "body": time.strftime("%X")}

    def block(self, req: httpuv.Request) -> httpuv.Response:
        """Nothing else runs in Python meanwhile."""
        time.sleep(5)
        return {"status": 200, "body": "awake again"}

    # end

    # part: socket
    def onWSOpen(self, ws: httpuv.WebSocket) -> None:
        """A page has opened its socket."""
        if ws.request["PATH_INFO"] == "/pings":
            return  # demo_pings.py, which only measures
        ws.subscribe("board")
        self.pages.add(ws)
        ws.onMessage(lambda binary, message: self.publish(message))
        ws.onClose(lambda: self.left(ws))
        self.publish(json.dumps({"pages": len(self.pages)}))

    def publish(self, message: str | bytes) -> None:
        """One call for any number of pages."""
        if self.server is not None:
            self.server.publish("board", message)

    # end

    def left(self, ws: httpuv.WebSocket) -> None:
        """A page has closed its socket."""
        self.pages.discard(ws)
        self.publish(json.dumps({"pages": len(self.pages)}))

    # part: events
    def events(self, req: httpuv.Request) -> httpuv.Response:
        """A stream for one page."""
        stream = httpuv.EventStream()
        self.streams.add(stream)
        return stream.response()

    def tick(self) -> None:
        """Twice a second: tell every page."""
        state = {
            "time": time.strftime("%X"),
            "load": f"{os.getloadavg()[0]:.1f}",
            "answered": self.answered,
        }
        for stream in list(self.streams):
            if not stream.send(json.dumps(state)):
                self.streams.discard(stream)
        httpuv.later(self.tick, 0.5)

    # end

    # part: upload
    def onBodyData(self, req: Any, data: bytes) -> None:
        """A piece of a body has come; the client waits for us."""
        digest = req.setdefault("demo.sha256", hashlib.sha256())
        digest.update(data)

    def upload(self, req: Any) -> httpuv.Response:
        """The body is complete."""
        digest = req.get("demo.sha256", hashlib.sha256())
        text = f"SHA-256 {digest.hexdigest()[:16]}…\n"
        return {"status": 200, "body": text}

    # end

    def environment(self, req: httpuv.Request) -> httpuv.Response:
        """What `call` is told about a request."""
        rows = "".join(
            f"<tr><th>{html.escape(key)}</th><td>{html.escape(repr(value))}</td></tr>"
            for key, value in sorted(req.items())
        )
        return page(200, "The request as Python sees it", f"<table>{rows}</table>")


def page(status: int, title: str, text: str) -> httpuv.Response:
    """An HTML page in the looks of the site."""
    body = (
        "<!DOCTYPE html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><link rel=stylesheet href=/style.css>"
        f"<header><main><h1>{title}</h1>{text}<p><a href=/>Back</a></main></header></html>"
    )
    return {
        "status": status,
        "headers": {"Content-Type": "text/html; charset=utf-8"},
        "body": body,
    }


def start(app: Demo, port: int) -> httpuv.WebServer:
    """Listen on the port, or on another one if that is taken."""
    try:
        return httpuv.startServer("127.0.0.1", port, app, quiet=True, health="/livez")
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return httpuv.startServer("127.0.0.1", 0, app, health="/livez")


@contextlib.contextmanager
def pings(server: httpuv.WebServer) -> Iterator[None]:
    """Have another process measure WebSocket pings; the page finds its numbers as a file."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "ping.txt").write_text("0")
        server.setStaticPath("/measured", folder)
        program = Path(__file__).with_name("demo_pings.py")
        arguments = [sys.executable, str(program), str(server.getPort()), f"{folder}/ping.txt"]
        # In a separate session: Ctrl-C is for this process, which then ends the other one.
        with subprocess.Popen(arguments, start_new_session=True) as child:
            try:
                yield
            finally:
                child.terminate()


def main() -> int:
    """Run the tour until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A guided tour of httpuv in the browser.")
    parser.add_argument(
        "--port", type=int, default=PORT, help="default: %(default)s, or a free one"
    )
    parser.add_argument("--browse", action="store_true", help="open it in a web browser")
    options = parser.parse_args()

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    demo = Demo()
    try:
        with start(demo, options.port) as server, pings(server):
            demo.server = server
            demo.tick()
            url = f"http://127.0.0.1:{server.getPort()}/"
            print(f"httpuv {httpuv.__version__} serves a demonstration at {url}")
            print("Ctrl-C ends it.", flush=True)
            if options.browse:
                webbrowser.open(url)
            httpuv.service(0)
    except KeyboardInterrupt:
        print("\nEnded.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
