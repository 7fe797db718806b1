"""uvicorn on uvloop and httptools; files by Starlette's StaticFiles. --mode fastapi: FastAPI."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable
from typing import Any

import busy
import common
import uvicorn
from starlette.staticfiles import StaticFiles


class App:
    def __init__(self, root: str) -> None:
        self.files = StaticFiles(directory=root) if root else None
        self.everyone: set[Any] = set()

    def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Awaitable[None]:
        """Not a coroutine itself, which would make each request of the common ones dearer."""
        path = scope["path"]
        if path == "/broadcast":
            return self.broadcast(receive, send)
        if self.files is not None and path.startswith("/static/"):
            return self.files({**scope, "root_path": "/static"}, receive, send)
        return common.asgi_app(scope, receive, send)

    async def broadcast(self, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        self.everyone.add(send)
        try:
            while (event := await receive())["type"] == "websocket.receive":
                message = {**event, "type": "websocket.send"}
                for other in tuple(self.everyone):
                    # One that has gone does not end the others.
                    with contextlib.suppress(Exception):
                        await other(message)
        finally:
            self.everyone.discard(send)


if __name__ == "__main__":
    arguments = common.arguments()
    busy.occupy(arguments.busy)
    uvicorn.run(
        common.fastapi_app() if arguments.mode == "fastapi" else App(arguments.root),
        host="127.0.0.1",
        port=arguments.port,
        interface="asgi3",
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
