"""What every server here answers, so that all are asked for the same work.

GET /             12 bytes, text/plain
GET /static/...   the folder --root, where the server can serve files
GET /stream       100 pieces of 1 KiB, produced one by one
GET /ws           WebSocket: each message comes back as it was sent
GET /broadcast    WebSocket: each message of one client goes to all of them
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

HELLO = b"Hello world!"
PIECE = b"x" * 1024
PIECES = 100
#: Of TLS 1.3; all servers are made to use it.
CIPHER = "TLS_AES_128_GCM_SHA256"


def stream() -> Iterator[bytes]:
    for _ in range(PIECES):
        yield PIECE


HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(HELLO)))]
RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS]


def wsgi_app(environ: dict[str, Any], start_response: Any) -> Any:
    """The routes / and /stream by WSGI."""
    if environ["PATH_INFO"] == "/stream":
        start_response("200 OK", HEADERS[:1])
        return stream()
    start_response("200 OK", HEADERS)
    return [HELLO]


async def asgi_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The routes /, /stream and /ws by ASGI."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({**event, "type": "websocket.send"})
    elif scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": RAW_HEADERS[:1]})
        for piece in stream():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": RAW_HEADERS})
        await send({"type": "http.response.body", "body": HELLO})


def fastapi_app() -> Any:
    """The route / of FastAPI."""
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    app = FastAPI(openapi_url=None)

    @app.get("/")
    async def hello() -> PlainTextResponse:
        return PlainTextResponse(HELLO, media_type="text/plain")

    return app


def arguments() -> argparse.Namespace:
    """--port, --root and --tls, and --mode for servers that speak several interfaces."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--root", default="")
    parser.add_argument("--mode", default="")
    parser.add_argument("--tls", default="", help="a folder with cert.pem and key.pem: HTTPS")
    parser.add_argument("--busy", choices=("", "spin", "hold"), default="")
    return parser.parse_args()
