"""Answers that are awaited: coroutine functions, futures, anything awaitable."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import httpuv
import pytest
from starting import Start, leaves
from support import PATIENCE, Wire, address, fetch, request


def ok(body: str = "fine") -> dict[str, Any]:
    return {"status": 200, "body": body}


def test_coroutines(start: Start) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        if req["PATH_INFO"] == "/slow":
            await asyncio.sleep(0.05)
        return ok(req["PATH_INFO"])

    with start(call) as server, Wire(address(server)) as wire:
        for target in ("/at-once", "/slow", "/again"):
            wire.send(request(target))
            assert wire.response().body == target.encode()


def test_pipelined_answers_come_in_order(start: Start) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep({"/a": 0.1, "/b": 0.05}.get(req["PATH_INFO"], 0))
        return ok(req["PATH_INFO"])

    with start(call) as server, Wire(address(server)) as wire:
        wire.send(request("/a"), request("/b"), request("/c"))
        assert [wire.response().body for _ in "abc"] == [b"/a", b"/b", b"/c"]


def test_any_awaitable(start: Start) -> None:
    class Soon:
        def __await__(self) -> Generator[Any, None, dict[str, Any]]:
            yield from asyncio.sleep(0.01).__await__()
            return ok("awaited")

    with start(lambda req: Soon()) as server:
        assert fetch(address(server), request()).body == b"awaited"


def test_a_callable_object(start: Start) -> None:
    class App:
        async def __call__(self, req: dict[str, Any]) -> dict[str, Any]:
            assert not req["httpuv.disconnected"].is_set()
            return ok()

    with start(App()) as server:
        assert fetch(address(server), request()).body == b"fine"


def test_concurrent_futures(start: Start, log: Any) -> None:
    def work(target: str) -> Any:
        if target == "/raise":
            raise ValueError("in a worker")
        return ok(target) if target != "/wrong" else 17

    with (
        concurrent.futures.ThreadPoolExecutor(2) as pool,
        start(lambda req: pool.submit(work, req["PATH_INFO"])) as server,
    ):
        assert fetch(address(server), request("/x")).body == b"/x"
        assert fetch(address(server), request("/raise")).status == 500
        assert fetch(address(server), request("/wrong")).status == 500
    log.expect("in a worker", "a response must be a dict")


def test_a_future_may_be_done_before(start: Start) -> None:
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    future.set_result(ok())
    with start(lambda req: future) as server:
        for _ in range(3):
            assert fetch(address(server), request()).body == b"fine"


def test_exceptions_tell_the_client_nothing(start: Start, log: Any) -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        if req["PATH_INFO"] == "/late":
            await asyncio.sleep(0.01)
        raise ValueError("a secret")

    with start(call) as server, Wire(address(server)) as wire:
        for target in ("/now", "/late"):
            wire.send(request(target))
            answer = wire.response()
            assert answer.status == 500
            assert b"secret" not in answer.body
        log.expect("call failed for GET /now", "call failed for GET /late", "a secret")


@pytest.mark.parametrize("result", [None, 5, {"body": "x"}, {"status": 200, "headers": 5}])
def test_wrong_results(start: Start, log: Any, result: object) -> None:
    async def call(req: dict[str, Any]) -> Any:
        return result

    with start(call) as server:
        assert fetch(address(server), request()).status == 500
    log.expect("TypeError")


def test_a_thousand_at_once(start: Start) -> None:
    many = 1000
    inside = 0
    gate = threading.Event()

    async def call(req: dict[str, Any]) -> dict[str, Any]:
        nonlocal inside
        inside += 1
        while not gate.is_set():
            await asyncio.sleep(0.02)
        return ok(req["PATH_INFO"])

    with start(call) as server:
        wires = [Wire(address(server)) for _ in range(many // 4)]
        for wire in wires:
            wire.send(*(request(f"/{n}") for n in range(4)))
        until = time.monotonic() + PATIENCE
        while inside < many:
            assert time.monotonic() < until, f"only {inside} at once"
            time.sleep(0.01)
        gate.set()
        for wire in wires:
            assert [wire.response().body for _ in range(4)] == [b"/%d" % n for n in range(4)]
            wire.close()
        assert not server._answers.open


def test_timeout(start: Start, log: Any) -> None:
    cancelled = threading.Event()

    async def call(req: dict[str, Any]) -> dict[str, Any]:
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            cancelled.set()
        return ok()

    with start(call, callTimeout=0.05) as server, Wire(address(server)) as wire:
        wire.send(request())
        assert wire.response().status == 503
        assert cancelled.wait(PATIENCE)
        log.expect("no answer in 0.05 s for GET /")


def test_timeout_of_a_future(start: Start) -> None:
    never: concurrent.futures.Future[Any] = concurrent.futures.Future()
    ended = threading.Event()
    never.add_done_callback(lambda _: ended.set())
    with start(lambda req: never, callTimeout=0.05) as server:
        assert fetch(address(server), request()).status == 503
        assert ended.wait(20)  # it is cancelled behind the answer
        assert never.cancelled()


def test_timeout_of_one_request(start: Start, log: Any) -> None:
    never: concurrent.futures.Future[Any] = concurrent.futures.Future()

    async def wait(req: dict[str, Any]) -> dict[str, Any]:
        if req["PATH_INFO"] == "/own":
            req["httpuv.timeout"] = 0.05
        if req["PATH_INFO"] == "/none":
            req["httpuv.timeout"] = None
        await asyncio.sleep(0.3 if req["PATH_INFO"] == "/none" else PATIENCE)
        return ok()

    def call(req: dict[str, Any]) -> Any:
        if req["PATH_INFO"] == "/future":
            req["httpuv.timeout"] = 0.05
            return never
        if req["PATH_INFO"] == "/wrong":
            req["httpuv.timeout"] = "soon"
        return wait(req)

    with start(call, callTimeout=PATIENCE) as server:
        for target in ("/own", "/future"):
            assert fetch(address(server), request(target)).status == 503
            log.expect(f"no answer in 0.05 s for GET {target}")
        assert fetch(address(server), request("/wrong")).status == 500
        log.expect("httpuv.timeout must be a number of seconds")
    with start(wait, callTimeout=0.05) as server:
        assert fetch(address(server), request("/none")).status == 200
        assert fetch(address(server), request("/all")).status == 503
    with start(wait) as server:
        assert fetch(address(server), request("/own")).status == 503


@pytest.mark.parametrize("value", [0, -1, float("nan"), "1", True])
def test_wrong_timeout(value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="callTimeout"):
        httpuv.startServer("127.0.0.1", 0, ok, callTimeout=value)


@leaves
def test_cancelled_when_the_client_goes(start: Start, leave: Callable[[Wire], None]) -> None:
    begun, cancelled = threading.Event(), threading.Event()
    gone: list[bool] = []

    async def call(req: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        try:
            await asyncio.sleep(PATIENCE)
        except asyncio.CancelledError:
            gone.append(req["httpuv.disconnected"].is_set())
            cancelled.set()
            raise
        return ok()

    with start(call) as server:
        wire = Wire(address(server))
        wire.send(request())
        assert begun.wait(PATIENCE)
        leave(wire)
        assert cancelled.wait(PATIENCE)
        assert gone == [True]
        wire.close()


def test_cancelled_before_it_began() -> None:
    """Its loop was busy when it came and when its client went: it begins, and cleans up."""
    busy, go, cleaned = threading.Event(), threading.Event(), threading.Event()
    gone: list[Any] = []

    async def work(target: str) -> dict[str, Any]:
        try:
            if target == "/busy":
                busy.set()
                assert go.wait(PATIENCE)  # the loop stands still
                return ok()
            await asyncio.sleep(PATIENCE)
            return ok()
        finally:
            if target == "/left":
                cleaned.set()

    def call(req: dict[str, Any]) -> Any:
        gone.append(req)
        return work(req["PATH_INFO"])

    with (
        httpuv.startServer("127.0.0.1", 0, call, dispatch="thread") as server,
        Wire(address(server)) as one,
    ):
        one.send(request("/busy"))
        assert busy.wait(PATIENCE)
        with Wire(address(server)) as two:
            two.send(request("/left"))
            while len(gone) < 2 or "httpuv.disconnected" not in gone[1]:
                time.sleep(0.001)
            two.reset()
        assert gone[1]["httpuv.disconnected"].wait(PATIENCE)
        go.set()
        assert one.response().status == 200
        assert cleaned.wait(PATIENCE)


@leaves
def test_worker_asks_for_its_client(start: Start, leave: Callable[[Wire], None]) -> None:
    noticed = threading.Event()
    returned = threading.Event()

    def work(req: dict[str, Any]) -> dict[str, Any]:
        returned.wait(PATIENCE)
        while "httpuv.disconnected" not in req:
            time.sleep(0.001)
        assert not req["httpuv.disconnected"].wait(0.001)
        begun.set()
        if req["httpuv.disconnected"].wait(PATIENCE):
            noticed.set()
        return ok()

    begun = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:

        def call(req: dict[str, Any]) -> Any:
            returned.set()
            return pool.submit(work, req)

        with start(call) as server:
            wire = Wire(address(server))
            wire.send(request())
            assert begun.wait(PATIENCE)
            leave(wire)
            assert noticed.wait(PATIENCE)
            wire.close()


@leaves
def test_a_plain_function_asks_for_its_client(start: Start, leave: Callable[[Wire], None]) -> None:
    begun, noticed = threading.Event(), threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        assert not httpuv.disconnected()
        begun.set()
        until = time.monotonic() + PATIENCE
        while not httpuv.disconnected():
            assert time.monotonic() < until
            time.sleep(0.005)
        noticed.set()
        return ok()

    with start(call) as server:
        wire = Wire(address(server))
        wire.send(request())
        assert begun.wait(PATIENCE)
        leave(wire)
        assert noticed.wait(PATIENCE)
        wire.close()


def test_nobody_is_asked_about_outside_of_callbacks() -> None:
    with pytest.raises(RuntimeError, match="no request is being answered"):
        httpuv.disconnected()


def test_disconnected_may_be_awaited(start: Start) -> None:
    begun, noticed = threading.Event(), threading.Event()
    others: list[asyncio.Task[None]] = []

    async def other(gone: Any) -> None:
        begun.set()
        await gone
        noticed.set()

    async def call(req: dict[str, Any]) -> dict[str, Any]:
        others.append(asyncio.ensure_future(other(req["httpuv.disconnected"])))
        await asyncio.sleep(PATIENCE)
        return ok()

    with start(call) as server:
        with Wire(address(server)) as wire:
            wire.send(request())
            assert begun.wait(PATIENCE)
            wire.reset()
        assert noticed.wait(PATIENCE)


def test_stop_cancels(start: Start) -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def call(req: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            cancelled.set()
        return ok()

    server = start(call)
    with Wire(address(server)) as wire:
        wire.send(request())
        assert begun.wait(PATIENCE)
        server.stop()
        assert cancelled.wait(PATIENCE)
        assert wire.at_end()


def test_stop_lets_answers_finish(start: Start) -> None:
    begun = threading.Event()

    async def call(req: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        await asyncio.sleep(0.1)
        return ok()

    server = start(call)
    with Wire(address(server)) as wire:
        wire.send(request())
        assert begun.wait(PATIENCE)
        began = time.monotonic()
        server.stop(timeout=PATIENCE)
        assert time.monotonic() - began < PATIENCE / 2
        assert wire.response().body == b"fine"


def test_a_loop_that_ends_takes_no_answers_of_others_with_it() -> None:
    others = 40
    own: asyncio.Future[dict[str, Any]] | None = None
    begun = threading.Event()
    waiting: list[asyncio.AbstractEventLoop] = []
    gate: list[asyncio.Event] = []

    def run_own() -> None:
        # The answer is given in the last turn of this loop: nothing that it is to do later is done.
        nonlocal own
        loop = asyncio.new_event_loop()
        own = loop.create_future()
        begun.set()

        async def resolve() -> None:
            while not own._callbacks:
                await asyncio.sleep(0.01)
            own.set_result({"status": 200, "body": "own"})

        loop.run_until_complete(resolve())
        loop.close()

    async def wait() -> dict[str, Any]:
        if not gate:
            gate.append(asyncio.Event())
        waiting.append(asyncio.get_running_loop())
        await gate[0].wait()
        return {"status": 200, "body": "other"}

    def call(req: dict[str, Any]) -> Any:
        if req["PATH_INFO"] != "/own":
            return wait()
        thread.start()
        begun.wait()
        return own

    thread = threading.Thread(target=run_own)
    with httpuv.startServer("127.0.0.1", 0, call, dispatch="thread") as server:
        assert fetch(address(server), request("/own")).body == b"own"
        thread.join()
        wires = [Wire(address(server)) for _ in range(others)]
        for wire in wires:
            wire.send(request())
        until = time.monotonic() + PATIENCE
        while len(waiting) < others:
            assert time.monotonic() < until
            time.sleep(0.01)
        waiting[0].call_soon_threadsafe(gate[0].set)
        for wire in wires:
            assert wire.response().body == b"other"
            wire.close()
