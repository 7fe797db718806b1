"""Awaiting ws.send(): it gives way, waits for the client, and says when the client has gone."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from typing import Any

import httpuv
import pytest
from conftest import Log, Serve
from support import PATIENCE, get
from ws_support import Client, close_frame, wait_until


def call(req: dict[str, Any]) -> Any:
    async def answer() -> dict[str, Any]:
        return {"status": 200, "body": "ok"}

    return answer()


@pytest.fixture(params=["thread", "service"])
def dispatch(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_producer_ends_with_its_client(serve: Serve, log: Log, dispatch: str, how: str) -> None:
    ended: list[httpuv.ConnectionClosed] = []

    async def on_open(ws: httpuv.WebSocket) -> None:
        try:
            while True:
                await ws.send("x")
        except httpuv.ConnectionClosed as error:
            ended.append(error)
            raise

    server = serve({"onWSOpen": on_open, "call": call}, dispatch=dispatch)
    client = Client.open(server)
    assert get(server, "/").body == b"ok"  # the loop has its turns
    if how == "close":
        client.send(close_frame(1001, "leaving"))
        wait_until(lambda: bool(ended))
        assert (ended[0].code, ended[0].reason) == (1001, "leaving")
        assert str(ended[0]) == "the WebSocket was closed with 1001 (leaving)"
        client.close()
    else:
        client.reset()
        wait_until(lambda: bool(ended))
        assert (ended[0].code, ended[0].reason) == (1006, "")
    assert isinstance(ended[0], OSError)
    assert get(server, "/").body == b"ok"
    assert "failed" not in log.text()  # a client may leave at any time


def test_a_plain_send_stays_quiet(serve: Serve) -> None:
    returned: list[object] = []

    def on_open(ws: httpuv.WebSocket) -> None:
        ws.send("not awaited")
        ws.onClose(lambda: returned.append(ws.send("to nobody")))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Client.open(serve({"onWSOpen": on_open})) as client:
            assert client.message() == "not awaited"
            client.send(close_frame())
        wait_until(lambda: bool(returned))
        returned.clear()
        gc.collect()


def test_tasks(serve: Serve) -> None:
    seen: list[object] = []

    async def on_open(ws: httpuv.WebSocket) -> None:
        assert asyncio.iscoroutine(ws.send("1"))
        await asyncio.create_task(ws.send("2"))
        await asyncio.gather(ws.send("3"), asyncio.shield(ws.send("4")))
        await asyncio.wait_for(ws.send("5"), PATIENCE)
        if hasattr(asyncio, "TaskGroup"):
            async with asyncio.TaskGroup() as group:
                group.create_task(ws.send("6"))
        else:
            await ws.send("6")
        ws.close()
        for sending in (ws.send("7"), asyncio.create_task(ws.send("8"))):
            try:
                await sending
            except httpuv.ConnectionClosed as error:
                seen.append(error.code)

    with Client.open(serve({"onWSOpen": on_open})) as client:
        assert [client.message() for _ in range(6)] == list("123456")
        wait_until(lambda: len(seen) == 2)
    assert seen == [1000, 1000]


def test_one_that_waits_for_room_is_told(serve: Serve) -> None:
    seen: list[Any] = []
    begun = threading.Event()

    async def on_open(ws: httpuv.WebSocket) -> None:
        sending = asyncio.ensure_future(ws.send(b"x" * 8_000_000))
        await asyncio.sleep(0)
        begun.set()
        try:
            await sending
        except httpuv.ConnectionClosed as error:
            seen.append(error.code)

    client = Client.open(serve({"onWSOpen": on_open}))
    assert begun.wait(PATIENCE)
    client.reset()
    wait_until(lambda: bool(seen))
    assert seen == [1006]


def test_of_another_connection_it_is_a_failure(serve: Serve, log: Log) -> None:
    """The connection that it is about is not the one of the callback."""
    sockets: list[httpuv.WebSocket] = []

    async def on_open(ws: httpuv.WebSocket) -> None:
        sockets.append(ws)
        if len(sockets) == 2:
            await sockets[0].send("x")

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as first:
        wait_until(lambda: len(sockets) == 1)
        first.send(close_frame())
        wait_until(lambda: sockets[0].readyState == httpuv.WebSocket.CLOSED)
    with Client.open(server) as second:
        assert second.closed()[0] == 1011
    log.expect("onWSOpen failed", "ConnectionClosed")


def test_returned_by_a_callback(serve: Serve, log: Log) -> None:
    def on_open(ws: httpuv.WebSocket) -> None:
        ws.onMessage(lambda binary, message: ws.send(message))
        ws.onClose(lambda: ws.send("to nobody"))

    with Client.open(serve({"onWSOpen": on_open})) as client:
        client.say(1, "echo")
        assert client.message() == "echo"
        client.send(close_frame())
        client.rest()
    assert "failed" not in log.text()
