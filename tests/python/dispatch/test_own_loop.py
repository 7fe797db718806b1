"""The asyncio loop of a thread that serves callbacks ends with its thread."""

import os
import threading

import httpuv
import pytest
from support import Wire, request


async def answer(_: object) -> dict[str, object]:
    return {"status": 200, "body": "done"}


def served_by_a_thread_that_ends() -> None:
    with httpuv.startServer("127.0.0.1", 0, answer, dispatch="service") as server:
        thread = threading.Thread(target=lambda: httpuv.runNow(20))
        thread.start()
        with Wire(("127.0.0.1", server.getPort())) as wire:
            wire.send(request())
            assert wire.response().body == b"done"
        thread.join()


def test_a_thread_that_ends_closes_its_loop() -> None:
    served_by_a_thread_that_ends()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        served_by_a_thread_that_ends()
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_no_exception_leaves_the_loop() -> None:
    class Stop(BaseException): ...

    async def call(req: dict[str, object]) -> dict[str, object]:
        return {"status": 200}

    def raising(_: object) -> None:
        raise Stop

    result = []

    def serve() -> None:
        for app in (call, raising):
            with (
                httpuv.startServer("127.0.0.1", 0, app, dispatch="service") as server,
                Wire(("127.0.0.1", server.getPort())) as wire,
            ):
                wire.send(request())
                if app is call:
                    httpuv.runNow(20)  # this thread has its own loop from now on
                else:
                    with pytest.raises(Stop):
                        httpuv.service(20_000)
                result.append(wire.response().status)

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()
    assert result == [200, 500]
