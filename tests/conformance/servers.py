"""The servers that the independent suites expect, one contract each, through the public API alone.

python servers.py CONTRACT [--root DIR]    prints "port N" once it listens, serves until terminated

ECHO       any method and path: 200 with the body of the request
IMPATIENT  ECHO with deadlines of a few seconds; a GET is answered with 4 MiB
WS         every WebSocket message is sent back as it came; permessage-deflate on. What is no
           handshake gets 400
STATIC     the folder DIR at "/"
GARDEN     any method and path: 200 with JSON {"method", "version", "uri", "body", "headers":
           [[name, value], ...]}, every string in base64, "uri" the raw target

Exit status 3: this build of httpuv does not offer what the contract needs.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Callable
from typing import Any

import httpuv

Request = dict[str, Any]
Response = dict[str, Any]

NOT_OFFERED = 3
LARGE = bytes(4 * 1024 * 1024)


def answer(body: bytes, content_type: str = "application/octet-stream") -> Response:
    return {"status": 200, "headers": {"Content-Type": content_type}, "body": body}


def echo(request: Request) -> Response:
    return answer(request["rook.input"].read())


def echo_or_large(request: Request) -> Response:
    return answer(LARGE) if request["REQUEST_METHOD"] == "GET" else echo(request)


def garden(request: Request) -> Response:
    def encoded(value: str | bytes) -> str:
        data = value if isinstance(value, bytes) else value.encode("latin-1")
        return base64.b64encode(data).decode("ascii")

    heard = {
        "method": encoded(request["REQUEST_METHOD"]),
        "version": encoded(request["SERVER_PROTOCOL"]),
        "uri": encoded(request["REQUEST_URI"]),
        "body": encoded(request["rook.input"].read()),
        "headers": [[encoded(name), encoded(value)] for name, value in request["HEADERS"].items()],
    }
    return answer(json.dumps(heard).encode("ascii"), "application/json")


def no_websocket(request: Request) -> Response:
    return {"status": 400, "headers": {"Content-Type": "text/plain"}, "body": "a WebSocket only"}


def echo_messages(ws: Any) -> None:
    def on_message(binary: bool, message: str | bytes) -> None:
        ws.send(message)

    ws.onMessage(on_message)


def start(contract: str, root: str | None) -> Any:
    """The running server of a contract, on a free port of 127.0.0.1."""
    calls: dict[str, Callable[[Request], Response]] = {
        "ECHO": echo,
        "IMPATIENT": echo_or_large,
        "GARDEN": garden,
    }
    app: dict[str, Any]
    options: dict[str, Any] = {}
    if contract in calls:
        app = {"call": calls[contract]}
    elif contract == "WS":
        app = {"call": no_websocket, "onWSOpen": echo_messages}
        options["wsCompression"] = "always"  # loopback clients are spared it otherwise
    elif contract == "STATIC":
        if root is None:
            raise SystemExit("STATIC needs --root")
        app = {"staticPaths": {"/": root}}
    else:
        raise SystemExit(f"no such contract: {contract}")
    if contract == "IMPATIENT":
        # Body and write deadlines are for a stall: the attacks' own pauses must be longer.
        options["limits"] = httpuv.Limits(
            header_timeout=5.0, body_timeout=3.0, idle_timeout=5.0, write_timeout=3.0
        )
    return httpuv.startServer("127.0.0.1", 0, app, **options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("contract")
    parser.add_argument("--root")
    arguments = parser.parse_args()
    if arguments.contract == "WS" and not hasattr(httpuv, "WebSocket"):
        print("WebSockets are not implemented", file=sys.stderr)
        sys.exit(NOT_OFFERED)
    server = start(arguments.contract, arguments.root)
    print("port", server.getPort(), flush=True)
    while True:
        httpuv.service()


if __name__ == "__main__":
    main()
