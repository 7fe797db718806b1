"""Requests that no thread answers: the log says so, and with Python gone for good they get 503."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpuv
import pytest
from conftest import Log
from httpuv.answers.presence import Disconnected
from httpuv.dispatch import watch
from support import PATIENCE, Wire, address, get, request
from ws_support import Client


@pytest.fixture(autouse=True)
def _sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 0.2)
    monkeypatch.setattr(watch, "_STEP", 0.05)


def call(req: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": "ok"}


def no_watch() -> bool:
    return not any(each.name == "httpuv watch" for each in threading.enumerate())


def test_a_server_that_the_program_does_not_serve(log: Log) -> None:
    with (
        httpuv.startServer("127.0.0.1", 0, call, dispatch="service") as server,
        Wire(address(server)) as first,
        Wire(address(server)) as second,
    ):
        first.send(request())
        second.send(request())
        log.expect("WARNING", "2 requests or messages wait; call service()")
        while httpuv.runNow(0.1):
            pass
        assert first.response().body == second.response().body == b"ok"
    assert log.text().count("requests or messages wait") == 1
    assert no_watch()


def test_it_is_said_again_when_it_happens_again(log: Log) -> None:
    with httpuv.startServer("127.0.0.1", 0, call, dispatch="service") as server:
        for times in (1, 2):
            with Wire(address(server)) as wire:
                wire.send(request())
                while log.text().count("requests or messages wait") < times:
                    time.sleep(0.01)
                httpuv.runNow(1)
                assert wire.response().body == b"ok"


def test_a_callback_that_takes_long_is_no_reason(log: Log) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(req: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        assert go.wait(PATIENCE)
        return call(req)

    with (
        httpuv.startServer("127.0.0.1", 0, slow, dispatch="service") as server,
        Wire(address(server)) as first,
        Wire(address(server)) as second,
    ):
        thread = threading.Thread(target=lambda: httpuv.runNow(PATIENCE))
        thread.start()
        first.send(request())
        assert begun.wait(PATIENCE)
        second.send(request())
        time.sleep(0.6)  # three times as long as it may be reported after
        assert "wait;" not in log.text()
        go.set()
        thread.join()
        while httpuv.runNow(0.1):
            pass
        assert second.response().body == b"ok"


def started_in(loop: asyncio.AbstractEventLoop, app: object) -> httpuv.WebServer:
    async def start() -> httpuv.WebServer:
        return httpuv.startServer("127.0.0.1", 0, app)

    return loop.run_until_complete(start())


def test_a_loop_that_does_not_run(log: Log) -> None:
    loop = asyncio.new_event_loop()
    with started_in(loop, call) as server, Wire(address(server)) as wire:
        wire.send(request())
        log.expect("1 requests or messages wait; their asyncio loop does not run")
        loop.run_until_complete(asyncio.sleep(0.05))
        assert wire.response().body == b"ok"
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_a_loop_that_is_busy_is_reported_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_told", set())

    async def main() -> list[bytes]:
        bodies = []
        with httpuv.startServer("127.0.0.1", 0, call) as server:
            for _ in range(2):
                with Wire(address(server)) as wire:
                    wire.send(request())
                    # The loop blocks here, as by a call of requests.get().
                    if not bodies:
                        log.expect("WARNING", "1 requests or messages wait; their asyncio loop is")
                    else:
                        time.sleep(2 * watch.PATIENCE)
                    bodies.append((await asyncio.to_thread(wire.response)).body)
        return bodies

    assert asyncio.run(main()) == [b"ok", b"ok"]
    assert log.text().count("their asyncio loop is busy") == 1


def test_a_loop_that_is_closed(log: Log) -> None:
    loop = asyncio.new_event_loop()
    server = started_in(loop, {"call": call, "onWSOpen": lambda ws: None})
    with server, Client.open(server) as client:
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()
        assert [get(server, "/").status for _ in range(3)] == [503] * 3
        log.expect("WARNING", "1 requests or messages wait; their asyncio loop is closed")
        client.say(1, "x")
        assert client.closed()[0] == 1011
        assert asyncio.run(asyncio.to_thread(get, server, "/")).status == 503  # another loop
    assert log.text().count("wait;") == 1
    assert no_watch()


def test_a_body_whose_reader_is_gone(log: Log) -> None:
    loop = asyncio.new_event_loop()
    server = started_in(loop, {"call": call, "onBodyData": lambda req, data: None})
    with server, Wire(address(server)) as wire:
        wire.send(request("/", "Content-Length: 3", method="POST"))
        loop.run_until_complete(asyncio.sleep(0.1))
        loop.close()
        wire.send(b"abc")
        assert wire.response().status == 503


@pytest.mark.parametrize("dispatch", ["thread", 2])
def test_servers_with_threads_need_no_watch(dispatch: str | int) -> None:
    with httpuv.startServer("127.0.0.1", 0, call, dispatch=dispatch) as server:
        assert get(server, "/").body == b"ok"
        assert no_watch()


def test_one_watch_for_all_servers_of_the_process() -> None:
    servers = [httpuv.startServer("127.0.0.1", 0, call, dispatch="service") for _ in range(3)]
    assert sum(each.name == "httpuv watch" for each in threading.enumerate()) == 1
    for server in servers:
        server.stop()
    assert no_watch()


def test_waiting_for_a_client_in_a_coroutine() -> None:
    seen: list[Any] = []

    async def main() -> None:
        entered = asyncio.Event()

        async def answer(req: dict[str, Any]) -> None:
            gone = req["httpuv.disconnected"]
            seen.append(await gone.wait(0.01))
            entered.set()
            try:
                await asyncio.shield(gone.wait())
            finally:
                seen.append(gone.is_set())

        with httpuv.startServer("127.0.0.1", 0, answer) as server:
            wire = await asyncio.to_thread(Wire, address(server))
            wire.send(request())
            await asyncio.wait_for(entered.wait(), PATIENCE)
            wire.reset()
            while len(seen) < 2:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(main(), PATIENCE))
    assert seen == [False, True]


def test_a_plain_function_does_not_stop_its_loop(log: Log) -> None:
    async def main() -> int:
        def plain(req: dict[str, Any]) -> dict[str, Any]:
            Disconnected().wait()
            return {"status": 200}

        with httpuv.startServer("127.0.0.1", 0, plain) as server:
            return (await asyncio.to_thread(get, server, "/")).status

    assert asyncio.run(main()) == 500
    log.expect("would stop the asyncio loop")


def test_a_plain_function_waits_in_its_thread() -> None:
    gone = Disconnected()
    assert gone.wait(0.01) is False
    threading.Timer(0.05, gone._set).start()
    assert gone.wait(PATIENCE) is True
