"""aiohttp on uvloop."""

from __future__ import annotations

import asyncio
import contextlib

import busy
import common
import uvloop
from aiohttp import WSMsgType, web

everyone: set[web.WebSocketResponse] = set()


async def hello(request: web.Request) -> web.Response:
    return web.Response(body=common.HELLO, content_type="text/plain")


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    for piece in common.stream():
        await response.write(piece)
    await response.write_eof()
    return response


async def send(ws: web.WebSocketResponse, kind: WSMsgType, data: str | bytes) -> None:
    if kind is WSMsgType.TEXT:
        assert isinstance(data, str)
        await ws.send_str(data)
    else:
        assert isinstance(data, bytes)
        await ws.send_bytes(data)


async def websocket(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(compress=False, max_msg_size=2**24)
    await ws.prepare(request)
    async for message in ws:
        await send(ws, message.type, message.data)
    return ws


async def broadcast(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    everyone.add(ws)
    try:
        async for message in ws:
            for other in tuple(everyone):
                # One that has gone does not end the others.
                with contextlib.suppress(ConnectionError):
                    await send(other, message.type, message.data)
    finally:
        everyone.discard(ws)
    return ws


async def main() -> None:
    arguments = common.arguments()
    busy.occupy(arguments.busy)
    app = web.Application()
    app.router.add_get("/", hello)
    app.router.add_get("/stream", stream)
    app.router.add_get("/ws", websocket)
    app.router.add_get("/broadcast", broadcast)
    if arguments.root:
        app.router.add_static("/static", arguments.root)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", arguments.port, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
