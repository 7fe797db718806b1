"""Programs that type checkers must accept."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpuv


def typed(req: httpuv.Request) -> httpuv.Response:
    agent: str = req["HEADERS"].get("User-Agent", "")
    length = len(req["rook.input"].read())
    return {
        "status": 200,
        "headers": {"X-Agent": agent, "Set-Cookie": ["a=1", "b=2"], "X-Length": length},
        "body": b"ok",
    }


def loose(req: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": {"file": "/etc/hostname"}}


def stream(req: httpuv.Request) -> httpuv.Response:
    def pieces() -> Iterator[bytes]:
        yield b"a"

    return {"status": 200, "body": pieces()}


async def later(req: httpuv.Request) -> httpuv.Response:
    async def pieces() -> AsyncIterator[str]:
        yield "a"

    return {"status": 200, "headers": [("A", "b")], "body": pieces()}


def on_headers(req: httpuv.Request) -> httpuv.Response | None:
    return None


def opened(ws: httpuv.WebSocket) -> None:
    ws.subscribe("news")
    ws.onMessage(lambda binary, message: ws.send(message))
    ws.onClose(lambda: None)


async def reads(ws: httpuv.WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


class Site:
    def call(self, req: httpuv.Request) -> httpuv.Response:
        return {"status": 204}


class Chat:
    onWSOpen = staticmethod(opened)


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None: ...


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    return [b""]


app: httpuv.App = {
    "call": typed,
    "onHeaders": on_headers,
    "onWSOpen": opened,
    "staticPaths": {"/": ".", "/private": httpuv.excludeStaticPath()},
    "staticPathOptions": httpuv.staticPathOptions(indexhtml=False),
}
inferred = {"call": later, "onWSOpen": reads, "streamBody": False}


async def main() -> None:
    for each in (app, inferred, typed, loose, stream, later, Site(), Chat(), asgi, wsgi):
        async with httpuv.startServer("127.0.0.1", 0, each) as server:
            server.publish("news", "text")
    httpuv.startServer("127.0.0.1", 0, [])
    server = httpuv.startServer(
        "127.0.0.1",
        0,
        {"call": lambda req: {"status": 200}},
        dispatch=2,
        limits=httpuv.Limits(max_body_bytes=1),
        wsOverflow="drop",
        coroutines="thread",
        mounts={"/a": httpuv.Mount(asgi, interface="asgi"), "/w": wsgi},
        replace=True,
    )
    server.app = wsgi
    text: str = httpuv.encodeURI("a b")
    texts: list[str | None] = httpuv.encodeURI(["a b", None])
    print(text, texts, httpuv.ipFamily("::1"), server.url, server.getStaticPaths())
    httpuv.startPipeServer("/tmp/s", None, app).stop()
    await server.aclose()


asyncio.run(main())
