"""Context variables: each callback runs in its own copy of the context of the start."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import httpuv
import pytest
from conftest import Serve
from support import address, fetch, get, request
from ws_support import Client

name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")


def swap(new: str) -> str:
    """Set the variable; what it was before."""
    before = name.get()
    name.set(new)
    return before


def answer(text: str) -> dict[str, Any]:
    return {"status": 200, "body": text}


@pytest.fixture(params=["thread", 3, "service"])
def start(request: pytest.FixtureRequest, serve: Serve) -> Serve:
    """Start a server in a context in which the variable has a value."""

    def started(app: Any, **options: Any) -> httpuv.WebServer:
        context = contextvars.copy_context()
        context.run(name.set, "start")
        return context.run(serve, app, dispatch=request.param, **options)  # type: ignore[no-any-return]

    return started


def test_call(start: Serve) -> None:
    server = start(lambda req: answer(swap(req["PATH_INFO"])))
    assert [get(server, path).body for path in ("/a", "/b")] == [b"start"] * 2


def test_on_headers_and_call_do_not_share_one(start: Serve) -> None:
    server = start(
        {"onHeaders": lambda req: swap("headers") and None, "call": lambda req: answer(swap("x"))}
    )
    assert get(server, "/").body == b"start"
    assert get(server, "/", "Content-Length: 0", method="POST").body == b"start"


def test_a_coroutine_function(start: Serve) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        before = swap(req["PATH_INFO"])
        await asyncio.sleep(0)
        return answer(f"{before} {name.get()}")

    server = start(call)
    assert [get(server, path).body for path in ("/a", "/b")] == [b"start /a", b"start /b"]


def test_a_coroutine_inherits_what_the_plain_function_set(start: Serve) -> None:
    async def later() -> dict[str, Any]:
        return answer(name.get())

    def call(req: dict[str, Any]) -> Any:
        name.set(req["PATH_INFO"])
        return later()

    server = start(call)
    assert [get(server, path).body for path in ("/a", "/b")] == [b"/a", b"/b"]


def test_a_generator_keeps_its_own(start: Serve) -> None:
    def pieces() -> Iterator[bytes]:
        name.set("generator")
        for _ in range(20):  # more than is sent in one go
            yield b"." * 100_000
        yield name.get().encode()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        name.set("call")
        return {"status": 200, "body": pieces()}

    server = start(call)
    assert get(server, "/").body.endswith(b".generator")
    assert get(server, "/").body.endswith(b".generator")


def test_websocket_callbacks(start: Serve) -> None:
    def on_open(ws: httpuv.WebSocket) -> None:
        swap("open")
        ws.onMessage(lambda binary, message: ws.send(swap("message")) and None)

    with Client.open(start({"onWSOpen": on_open})) as client:
        client.say(1, "1")
        client.say(1, "2")
        assert [client.message(), client.message()] == ["start", "start"]


def test_later_runs_in_a_copy_of_the_callers() -> None:
    seen: list[str] = []

    def body() -> None:
        name.set("caller")
        httpuv.later(lambda: seen.append(swap("later")))
        name.set("afterwards")
        while not seen:
            httpuv.runNow(1)
        seen.append(name.get())

    contextvars.copy_context().run(body)
    assert seen == ["caller", "afterwards"]


def test_the_program_that_calls_service_keeps_its_own() -> None:
    bodies: list[bytes] = []

    def program() -> str:
        with httpuv.startServer(
            "127.0.0.1", 0, lambda req: answer(swap("x")), dispatch="service"
        ) as server:
            client = threading.Thread(target=lambda: bodies.append(get(server, "/").body))
            client.start()
            name.set("program")
            while client.is_alive():
                httpuv.service(10)
            return name.get()

    assert contextvars.copy_context().run(program) == "program"
    assert bodies == [b"nobody"]


def test_in_an_asyncio_loop() -> None:
    async def main() -> list[bytes]:
        with httpuv.startServer("127.0.0.1", 0, lambda req: answer(swap(req["PATH_INFO"]))) as s:
            return [(await asyncio.to_thread(get, s, path)).body for path in ("/a", "/b")]

    assert asyncio.run(main()) == [b"nobody", b"nobody"]


def test_a_body_in_pieces(start: Serve) -> None:
    seen: list[str] = []

    def call(req: dict[str, Any]) -> dict[str, Any]:
        return answer(name.get())

    server = start({"onBodyData": lambda req, data: seen.append(swap("data")), "call": call})
    body = request("/", method="POST", body=b"x" * 100_000)
    assert fetch(address(server), body).body == b"start"
    assert set(seen) == {"start"}
