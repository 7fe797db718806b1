"""What every server here answers, so that all are asked for the same work.

GET /             12 bytes, text/plain
GET /static/...   the folder --root, where the server can serve files
GET /stream       100 pieces of 1 KiB, produced one by one
GET /block?HOW    12 bytes, after three seconds in which a thread is kept busy, see busy.py
GET /ws           WebSocket: each message comes back as it was sent
GET /broadcast    WebSocket: each message of one client goes to all of them
GET /body         1 MiB; GET /stream64k: 16 pieces of 64 KiB; both only of ours
POST /order       FastAPI: 1 KiB of JSON is validated and comes back
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

import busy

HELLO = b"Hello world!"
PIECE = b"x" * 1024
PIECES = 100
LARGE_PIECE = b"x" * 65536
LARGE_PIECES = 16
BODY = b"x" * (1 << 20)
#: Of TLS 1.3; what all servers agree on with the clients, which is checked.
CIPHER = "TLS_AES_256_GCM_SHA384"


def order() -> bytes:
    """1 KiB of JSON for FastAPI, as FastAPI writes it."""
    items = [{"id": n, "name": f"article {n:02}", "price": 9.5 + n, "tags": []} for n in range(16)]
    value = {"customer": "Ada", "items": items, "note": ""}
    lacking = 1024 - len(json.dumps(value, separators=(",", ":")))
    value["note"] = "n" * lacking
    return json.dumps(value, separators=(",", ":")).encode()


def stream() -> Iterator[bytes]:
    for _ in range(PIECES):
        yield PIECE


def large_stream() -> Iterator[bytes]:
    for _ in range(LARGE_PIECES):
        yield LARGE_PIECE


HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(HELLO)))]
RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS]


def wsgi_app(environ: dict[str, Any], start_response: Any) -> Any:
    """The routes /, /stream and /block by WSGI."""
    path = environ["PATH_INFO"]
    if path != "/":  # which is asked for most
        if path == "/stream":
            start_response("200 OK", HEADERS[:1])
            return stream()
        if path == "/block":
            busy.block(environ["QUERY_STRING"])
    start_response("200 OK", HEADERS)
    return [HELLO]


async def asgi_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The routes /, /stream, /block and /ws by ASGI."""
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
        if scope["path"] == "/block":
            busy.block(scope["query_string"].decode())
        await send({"type": "http.response.start", "status": 200, "headers": RAW_HEADERS})
        await send({"type": "http.response.body", "body": HELLO})


def fastapi_app() -> Any:
    """The routes / and /order of FastAPI."""
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse
    from pydantic import BaseModel

    class Item(BaseModel):
        id: int
        name: str
        price: float
        tags: list[str]

    class Order(BaseModel):
        customer: str
        items: list[Item]
        note: str

    # Annotations are text here and looked up among the names of the module.
    globals()["Order"] = Order
    app = FastAPI(openapi_url=None)

    @app.post("/order")
    async def take(order: Order) -> Order:
        return order

    @app.get("/")
    async def hello() -> PlainTextResponse:
        return PlainTextResponse(HELLO, media_type="text/plain")

    return app


def arguments() -> argparse.Namespace:
    """--port, --root, --temp and --tls, and --mode for servers that speak several interfaces."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--root", default="")
    parser.add_argument("--mode", default="")
    parser.add_argument("--temp", default="", help="a folder for what it writes")
    parser.add_argument("--tls", default="", help="a folder with cert.pem and key.pem: HTTPS")
    parser.add_argument("--busy", choices=("", "spin", "hold"), default="")
    return parser.parse_args()
