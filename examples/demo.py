"""A guided tour in the browser: files from C++, pages from Python, uploads that come back.

    python examples/demo.py [--port PORT] [--browse]

Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import errno
import html
import signal
import sys
import time
import urllib.parse
import webbrowser
from pathlib import Path
from typing import Any

import httpuv

SITE = Path(__file__).with_name("demo_site")
PORT = 7447

Environ = dict[str, Any]
Response = dict[str, Any]


class Demo:
    """The application: what is not a file comes to `call`."""

    def __init__(self) -> None:
        self.staticPaths = {
            "/": httpuv.staticPath(SITE, fallthrough=True),
            # The browser lists this directory: the examples themselves.
            "/source": httpuv.staticPath(SITE.parent, listing=True, headers={"X-From": "C++"}),
        }
        self.requests = 0

    def call(self, req: Environ) -> Response:
        """Answer a request; its path decides."""
        self.requests += 1
        if req["PATH_INFO"] == "/hello":
            return self.hello(req)
        if req["PATH_INFO"] == "/environment":
            return self.environment(req)
        if req["PATH_INFO"] == "/echo":
            return self.echo(req)
        if req["PATH_INFO"] == "/block":
            return self.block(req)
        return page(404, "Not found", f"<p>Nothing at {html.escape(req['PATH_INFO'])}.</p>")

    def hello(self, req: Environ) -> Response:
        """A page that is made for this request."""
        query = urllib.parse.parse_qs(req["QUERY_STRING"])
        name = html.escape(query.get("name", ["world"])[0])
        now = time.strftime("%H:%M:%S")
        text = f"<p>Hello {name}, it is {now}. Python has answered {self.requests} requests.</p>"
        return page(200, "A dynamic page", text)

    def environment(self, req: Environ) -> Response:
        """What `call` is told about a request."""
        rows = "".join(
            f"<tr><th>{html.escape(key)}</th><td>{html.escape(repr(value))}</td></tr>"
            for key, value in sorted(req.items())
        )
        return page(200, "The request as Python sees it", f"<table>{rows}</table>")

    def echo(self, req: Environ) -> Response:
        """Send the body back as it came. A large one was spooled to a file on its way."""
        return {
            "status": 200,
            "headers": {"Content-Type": req.get("CONTENT_TYPE", "application/octet-stream")},
            "body": req["rook.input"].read(),
        }

    def block(self, req: Environ) -> Response:
        """Do nothing for two seconds, and let nobody else do anything in Python either."""
        time.sleep(2)
        return {"status": 200, "headers": {"Content-Type": "text/plain"}, "body": "awake again"}


def page(status: int, title: str, text: str) -> Response:
    """An HTML page in the looks of the site."""
    body = (
        "<!DOCTYPE html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><link rel=stylesheet href=/style.css>"
        f"<main><h1>{title}</h1>{text}<p><a href=/>Back</a></main></html>"
    )
    return {
        "status": status,
        "headers": {"Content-Type": "text/html; charset=utf-8"},
        "body": body,
    }


def start(app: object, port: int) -> httpuv.WebServer:
    """Listen on the port, or on another one if somebody has it."""
    try:
        return httpuv.startServer("127.0.0.1", port, app, quiet=True)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return httpuv.startServer("127.0.0.1", 0, app)


def main() -> int:
    """Run the tour until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A guided tour of httpuv in the browser.")
    parser.add_argument(
        "--port", type=int, default=PORT, help="default: %(default)s, or a free one"
    )
    parser.add_argument("--browse", action="store_true", help="open it in a web browser")
    options = parser.parse_args()

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with start(Demo(), options.port) as server:
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
