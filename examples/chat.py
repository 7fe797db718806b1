"""A chat: open it in two tabs, or on two machines.

    python examples/chat.py [PORT] [HOST]

The page comes from C++, every line goes through `say` below, and C++ sends it to all pages: Python
makes one call for a line, however many there are. The topic keeps the last lines: a page that
connects, or reconnects, gets those first and shows each once.
"""

import itertools
import json
import sys
import time

import httpuv

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
HOST = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
SITE = httpuv.staticPath(__file__.removesuffix(".py") + "_site")

MAX_LINE = 2000
STARTED = time.time_ns()  # with a number it names an event, also across restarts
numbers = itertools.count()
present: "dict[int, str]" = {}  # the name of each WebSocket that has told it


def tell(event: str, **fields: object) -> None:
    """Send an event to all clients that have joined."""
    event_fields = {
        "id": f"{STARTED}-{next(numbers)}",
        "event": event,
        "time": time.time(),
        "present": sorted(present.values()),
    }
    server.publish("chat", json.dumps(event_fields | fields))


def on_open(ws: httpuv.WebSocket) -> None:
    """A client has opened the page; its first line is a name."""

    @ws.onMessage
    def say(binary: bool, message: "str | bytes") -> None:
        text = "" if binary else str(message).strip()
        if not text or len(text) > MAX_LINE:
            ws.close(1008, f"a line has 1 to {MAX_LINE} characters")
        elif id(ws) in present:
            tell("line", name=present[id(ws)], text=text)
        else:
            present[id(ws)] = text[:40]
            ws.subscribe("chat", since=0)
            tell("joined", name=present[id(ws)])

    @ws.onClose
    def leave() -> None:
        name = present.pop(id(ws), None)
        if name is not None:
            tell("left", name=name)


app = {"onWSOpen": on_open, "staticPaths": {"/": SITE}}
topics = {"chat": httpuv.Topic(history=200, ttl=3600)}

try:
    # Only this server's own page may connect: not every page that the same browser has open.
    with httpuv.startServer(HOST, PORT, app, allowedOrigins=["same"], topics=topics) as server:
        print(f"http://{HOST}:{server.getPort()}/  (Ctrl-C ends it)", flush=True)
        httpuv.service(0)
except KeyboardInterrupt:
    pass
