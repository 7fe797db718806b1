"""uvicorn on uvloop and httptools; files by Starlette's StaticFiles. --mode fastapi: FastAPI."""

from __future__ import annotations

import contextlib
from typing import Any

import busy
import common
import uvicorn
from starlette.staticfiles import StaticFiles


class App:
    def __init__(self, root: str) -> None:
        self.files = StaticFiles(directory=root) if root else None
        self.everyone: set[Any] = set()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope["path"]
        if scope["type"] == "websocket":
            await self.websocket(path, receive, send)
        elif self.files is not None and path.startswith("/static/"):
            await self.files({**scope, "root_path": "/static"}, receive, send)
        else:
            await common.asgi_app(scope, receive, send)

    async def websocket(self, path: str, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if path == "/broadcast":
            self.everyone.add(send)
        try:
            while (event := await receive())["type"] == "websocket.receive":
                message = {**event, "type": "websocket.send"}
                if path == "/broadcast":
                    for other in tuple(self.everyone):
                        # One that has gone does not end the others.
                        with contextlib.suppress(Exception):
                            await other(message)
                else:
                    await send(message)
        finally:
            self.everyone.discard(send)


if __name__ == "__main__":
    arguments = common.arguments()
    busy.occupy(arguments.busy)
    uvicorn.run(
        common.fastapi_app() if arguments.mode == "fastapi" else App(arguments.root),
        host="127.0.0.1",
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        log_level="critical",
        lifespan="off",
        ssl_certfile=f"{arguments.tls}/cert.pem" if arguments.tls else None,
        ssl_keyfile=f"{arguments.tls}/key.pem" if arguments.tls else None,
    )
