"""FastAPI and Starlette."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest

fastapi = pytest.importorskip("fastapi")

from fastapi import BackgroundTasks, Depends, FastAPI, File, Form, HTTPException, UploadFile  # noqa: E402
from fastapi.responses import StreamingResponse  # noqa: E402
from pydantic import BaseModel  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.base import BaseHTTPMiddleware  # noqa: E402
from starlette.requests import Request  # noqa: E402
from starlette.responses import FileResponse, PlainTextResponse  # noqa: E402
from starlette.routing import Mount, Route  # noqa: E402
from starlette.staticfiles import StaticFiles  # noqa: E402
from starlette.websockets import WebSocket, WebSocketDisconnect  # noqa: E402

PATIENCE = 30.0


class Item(BaseModel):
    name: str
    price: float


events: list[str] = []


async def own_session() -> AsyncIterator[str]:
    events.append("session opened")
    yield "session"
    events.append("session closed")


def plain_session() -> Iterator[str]:
    yield "plain"


def test_fastapi(asgi: Callable[..., Any]) -> None:
    background = threading.Event()
    events.clear()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        events.append("startup")
        yield {"from": "lifespan"}
        events.append("shutdown")

    app = FastAPI(lifespan=lifespan)

    @app.get("/items/{number}")
    async def item(number: int, q: str = "") -> dict[str, Any]:
        return {"number": number, "q": q}

    @app.post("/items")
    async def create(item: Item) -> Item:
        return item

    @app.get("/sync")
    def sync(session: Annotated[str, Depends(plain_session)]) -> str:
        assert threading.current_thread() is not threading.main_thread()
        return session

    @app.get("/session")
    async def with_session(request: Request, session: Annotated[str, Depends(own_session)]) -> str:
        return session + request.state.__getattr__("from")

    @app.post("/upload")
    async def upload(
        file: Annotated[UploadFile, File()], note: Annotated[str, Form()]
    ) -> dict[str, Any]:
        content = await file.read()
        return {"name": file.filename, "size": len(content), "note": note}

    @app.get("/background")
    async def later(tasks: BackgroundTasks) -> str:
        tasks.add_task(background.set)
        return "sent"

    @app.get("/fails")
    async def fails() -> None:
        raise HTTPException(418, "teapot")

    @app.get("/events")
    async def stream() -> StreamingResponse:
        async def endless() -> AsyncIterator[str]:
            number = 0
            try:
                while True:
                    yield f"data: {number}\n\n"
                    number += 1
                    await asyncio.sleep(0.001)
            finally:
                events.append("stream closed")

        return StreamingResponse(endless(), media_type="text/event-stream")

    @app.websocket("/ws")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept(subprotocol="chat", headers=[(b"x-own", b"1")])
        try:
            while True:
                await websocket.send_json({"echo": await websocket.receive_json()})
        except WebSocketDisconnect as error:
            events.append(f"disconnect {error.code}")

    site = asgi(app)
    get = site.http.get
    assert get("/items/3?q=a%20b").json() == {"number": 3, "q": "a b"}
    assert get("/items/x").status_code == 422
    assert site.http.post("/items", json={"name": "a", "price": 1.5}).json()["price"] == 1.5
    assert site.http.post("/items", json={"name": "a"}).status_code == 422
    assert get("/sync").json() == "plain"
    assert get("/session").json() == "sessionlifespan"
    big = b"x" * 3_000_000
    answer = site.http.post("/upload", files={"file": ("f.bin", big)}, data={"note": "é"})
    assert answer.json() == {"name": "f.bin", "size": len(big), "note": "é"}
    assert get("/background").json() == "sent"
    assert background.wait(PATIENCE)
    assert get("/fails").status_code == 418
    assert "/items/{number}" in get("/openapi.json").text
    assert get("/docs").status_code == 200
    with site.http.stream("GET", "/events") as response:
        lines = response.iter_lines()
        assert [next(lines) for _ in range(3)] == ["data: 0", "", "data: 1"]
    with site.websocket("/ws", subprotocols=["chat"]) as client:
        assert client.subprotocol == "chat"
        client.send('{"a": 1}')
        assert client.recv(timeout=PATIENCE) == '{"echo":{"a":1}}'
    site.http.close()
    assert events[:3] == ["startup", "session opened", "session closed"]


def test_starlette(asgi: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("0123456789")
    (tmp_path / "ours.txt").write_text("sent by C++")

    class Marks(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Any) -> Any:
            response = await call_next(request)
            response.headers["x-marked"] = request.url.path
            return response

    async def hello(request: Request) -> PlainTextResponse:
        body = await request.body()
        return PlainTextResponse(f"{request.client.host} {len(body)} {request.url_for('hello')}")

    async def file(request: Request) -> FileResponse:
        return FileResponse(tmp_path / "f.txt")

    app = Starlette(
        routes=[
            Route("/hello", hello, methods=["GET", "POST"], name="hello"),
            Route("/file", file),
            Mount("/static", StaticFiles(directory=tmp_path)),
        ],
        middleware=[Middleware(Marks)],
    )
    site = asgi(app, staticPaths={"/ours": str(tmp_path)}, mounts={"/below": app})
    answer = site.http.post("/hello", content=b"x" * 200_000)
    assert answer.text == f"127.0.0.1 200000 {site.url}/hello"
    assert answer.headers["x-marked"] == "/hello"
    assert site.http.get("/file").text == "0123456789"
    assert site.http.get("/file", headers={"Range": "bytes=2-4"}).text == "234"
    assert site.http.get("/static/f.txt").text == "0123456789"
    assert site.http.get("/static/none").status_code == 404
    assert site.http.get("/ours/ours.txt").text == "sent by C++"
    assert site.http.get("/below/hello").text.endswith("/below/hello")
    assert site.http.get("/below/static/f.txt").text == "0123456789"
