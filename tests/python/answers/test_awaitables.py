"""What callbacks return that can be awaited is run or refused, of any kind, never dropped."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import threading
import types
import warnings
from collections.abc import Callable, Generator, Iterator
from typing import Any

import httpuv
import pytest
from conftest import Log, Serve
from support import PATIENCE, address, fetch, get, request
from ws_support import Client, close_frame

Done = Callable[[], None]


@pytest.fixture(autouse=True)
def _nothing_is_dropped() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # "was never awaited"
        yield


async def coroutine(done: Done) -> None:
    await asyncio.sleep(0)
    done()


@types.coroutine
def generator(done: Done) -> Generator[Any, Any, None]:
    yield from asyncio.sleep(0).__await__()
    done()


class Compiled:
    """As compilers of Python make them: no coroutine of Python's own, but it can be awaited."""

    def __init__(self, done: Done) -> None:
        self.done = done

    def __await__(self) -> Generator[Any, Any, None]:
        return coroutine(self.done).__await__()


class Method:
    async def __call__(self, done: Done) -> None:
        await coroutine(done)


def future(done: Done) -> concurrent.futures.Future[None]:
    """That fails, which must be told."""
    made: concurrent.futures.Future[None] = concurrent.futures.Future()
    made.set_exception(ValueError("of a future"))
    done()
    return made


KINDS = [coroutine, generator, Compiled, Method(), functools.partial(coroutine), future]


@pytest.fixture(params=KINDS, ids=["async", "generator", "compiled", "method", "partial", "future"])
def kind(request: pytest.FixtureRequest) -> Callable[[Done], object]:
    return request.param  # type: ignore[no-any-return]


def test_later(running: object, kind: Callable[[Done], object]) -> None:
    ran = threading.Event()
    httpuv.later(lambda: kind(ran.set))
    assert ran.wait(PATIENCE)


def test_later_logs_what_it_raises(running: object, log: Log) -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("in a coroutine")

    httpuv.later(fails)
    log.expect("a callback of later() failed", "in a coroutine")


def test_later_in_an_asyncio_loop() -> None:
    async def main() -> None:
        ran = asyncio.Event()

        async def later() -> None:
            await asyncio.sleep(0)
            ran.set()  # which is of this loop

        with httpuv.startServer("127.0.0.1", 0, {}, dispatch="asyncio"):
            httpuv.later(later)
            # Those of later() wait where callbacks run: that of the process if not of this loop.
            while not ran.is_set():
                await asyncio.sleep(0.01)
                httpuv.runNow()

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


@pytest.mark.parametrize("where", ["onMessage", "onPong", "onClose", "onWSOpen"])
def test_of_a_websocket(serve: Serve, kind: Callable[[Done], object], where: str) -> None:
    ran = threading.Event()

    def callback(*args: object) -> object:
        return kind(ran.set)

    def on_open(ws: httpuv.WebSocket) -> object:
        ws.ping()
        if where == "onWSOpen":
            return callback()
        getattr(ws, where)(callback)
        return None

    with Client.open(serve({"onWSOpen": on_open})) as client:
        client.say(1, "x")
        assert client.frame().opcode == 9  # pongs are told of from then on
        client.say(10)
        if where == "onClose":
            client.send(close_frame())
        assert ran.wait(PATIENCE)


def test_what_a_future_of_a_websocket_raises(serve: Serve, log: Log) -> None:
    with Client.open(serve({"onWSOpen": lambda ws: future(lambda: None)})) as client:
        assert client.closed()[0] == 1011
    log.expect("onWSOpen failed", "of a future")


def test_of_on_body_data(serve: Serve, kind: Callable[[Done], object], log: Log) -> None:
    """There is nothing that could wait for it before the next piece."""
    app = {"onBodyData": lambda req, data: kind(lambda: None), "call": lambda req: {"status": 200}}
    answer = fetch(address(serve(app)), request("/", method="POST", body=b"x"))
    assert answer.status == 500
    log.expect("onBodyData")


def test_coroutine_functions_are_refused_at_the_start() -> None:
    class OnHeaders:
        async def __call__(self, req: dict[str, Any]) -> None: ...

    for name in ("onHeaders", "onBodyData"):
        with pytest.raises(TypeError, match=f"{name} must be a plain function"):
            httpuv.startServer("127.0.0.1", 0, {name: OnHeaders()})


def test_of_call(serve: Serve) -> None:
    async def answer() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"status": 200, "body": "ok"}

    @types.coroutine
    def from_generator() -> Generator[Any, Any, dict[str, Any]]:
        return (yield from answer().__await__())

    class Compiled:
        def __await__(self) -> Generator[Any, Any, dict[str, Any]]:
            return answer().__await__()

    made = {"/a": answer, "/b": from_generator, "/c": Compiled, "/d": functools.partial(answer)}
    server = serve(lambda req: made[req["PATH_INFO"]]())
    for path in made:
        assert get(server, path).body == b"ok"
