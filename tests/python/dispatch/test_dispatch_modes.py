"""dispatch=: the thread that runs the callbacks."""

from __future__ import annotations

import asyncio
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import httpuv
import pytest
from support import PATIENCE, Wire, address, fetch, request, run_script


def start(app: Any, dispatch: Any, **options: Any) -> httpuv.WebServer:
    return httpuv.startServer("127.0.0.1", 0, app, dispatch=dispatch, **options)


def who(req: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": threading.current_thread().name}


def in_a_thread(server: httpuv.WebServer, target: str = "/") -> Any:
    return asyncio.to_thread(fetch, address(server), request(target))


def run(main: Callable[[], Any]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(main(), PATIENCE)

    asyncio.run(bounded())


def test_thread_needs_nobody() -> None:
    with start(who, "thread") as server:
        assert fetch(address(server), request()).body == b"httpuv callbacks"
        assert fetch(address(server), request()).body == b"httpuv callbacks"
    assert not any(each.name == "httpuv callbacks" for each in threading.enumerate())


def test_thread_from_any_thread() -> None:
    servers: list[httpuv.WebServer] = []
    thread = threading.Thread(target=lambda: servers.append(start(who, "thread")))
    thread.start()
    thread.join()
    assert fetch(address(servers[0]), request()).body == b"httpuv callbacks"
    servers[0].stop()


def test_thread_survives_what_callbacks_raise(log: Any) -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        if req["PATH_INFO"] == "/exit":
            sys.exit("on purpose")
        if req["PATH_INFO"] == "/raise":
            raise ValueError("by accident")
        return {"status": 200, "body": "fine"}

    with start(call, "thread") as server:
        assert fetch(address(server), request("/exit")).status == 500
        assert fetch(address(server), request("/raise")).status == 500
        assert fetch(address(server), request()).body == b"fine"
    log.expect("on purpose", "by accident")


def test_a_stuck_callback_does_not_hold_up_stop() -> None:
    free = threading.Event()
    inside = threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        inside.set()
        free.wait(PATIENCE)
        return {"status": 200}

    server = start(call, "thread")
    with Wire(address(server)) as wire:
        wire.send(request())
        assert inside.wait(PATIENCE)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 5
        assert wire.at_end()
    free.set()


def test_thread_stops_itself() -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        server.stop(5)
        return {"status": 200}

    server = start(call, "thread")
    with Wire(address(server)) as wire:
        wire.send(request())
        wire.rest()
    assert not server.isRunning()


def test_thread_runs_later() -> None:
    ran = threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        httpuv.later(ran.set, 0.01)
        return {"status": 200}

    with start(call, "thread") as server:
        fetch(address(server), request())
        assert ran.wait(PATIENCE)


@pytest.mark.parametrize("dispatch", ["asyncio", "auto"])
def test_asyncio(dispatch: str) -> None:
    async def main() -> None:
        with start(who, dispatch) as server:
            answers = await asyncio.gather(*(in_a_thread(server) for _ in range(20)))
        assert {answer.body for answer in answers} == {b"MainThread"}

    run(main)


def test_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        with start(who, "auto") as server:
            assert (await in_a_thread(server)).body == b"MainThread"

    loop = uvloop.new_event_loop()
    loop.run_until_complete(asyncio.wait_for(main(), PATIENCE))
    loop.close()


def test_asyncio_runs_later_in_time_and_rests() -> None:
    async def main() -> None:
        with start(who, "asyncio") as server:
            ran = asyncio.Event()
            began = time.monotonic()
            httpuv.later(ran.set, 0.05)
            await ran.wait()
            assert time.monotonic() - began >= 0.05
            server._dispatcher.source.wake()
            cpu = time.thread_time()
            await asyncio.sleep(0.2)
            assert time.thread_time() - cpu < 0.1, "the loop spins"

    run(main)


def test_asyncio_loops_in_two_threads() -> None:
    def other() -> None:
        async def main() -> None:
            with start(who, "auto") as server:
                bodies.append((await in_a_thread(server)).body)

        run(main)

    async def main() -> None:
        with start(who, "auto") as server:
            await asyncio.to_thread(other)
            bodies.append((await in_a_thread(server)).body)

    bodies: list[bytes] = []
    run(main)
    assert bodies[0] != bodies[1] == b"MainThread"


def test_asyncio_again_after_the_last_server() -> None:
    async def main() -> None:
        for _ in range(3):
            with start(who, "asyncio") as server:
                assert (await in_a_thread(server)).status == 200

    run(main)


def test_asyncio_stopped_from_another_thread_and_after_its_loop() -> None:
    left: list[httpuv.WebServer] = []

    async def main() -> None:
        server = start(who, "asyncio")
        await asyncio.to_thread(server.stop)
        left.append(start(who, "asyncio"))

    run(main)
    left[0].stop()


def test_asyncio_later_keeps_its_order_and_is_cancelled() -> None:
    async def main() -> None:
        with start(who, "asyncio"):
            ran: list[int] = []
            done = asyncio.Event()
            cancels = [httpuv.later(lambda n=n: ran.append(n), n // 4 / 100) for n in range(12)]
            httpuv.later(done.set, 0.05)
            assert cancels[5]() is True
            assert cancels[5]() is False
            await done.wait()
            assert ran == [n for n in range(12) if n != 5]
            assert cancels[0]() is False

    run(main)


def test_service_runs_what_belongs_to_the_loop_here() -> None:
    async def main() -> None:
        with start(who, "auto") as server:
            done = threading.Event()
            thread = threading.Thread(
                target=lambda: (fetch(address(server), request()), done.set())
            )
            thread.start()
            while not done.is_set():
                httpuv.service(20)
            thread.join()

    run(main)


def test_service_is_explicit_too() -> None:
    async def main() -> None:
        with start(who, "service") as server:
            answer = asyncio.ensure_future(in_a_thread(server))
            await asyncio.sleep(0.05)
            assert not answer.done()
            done = await asyncio.to_thread(_until, answer.done)
            assert done

    def _until(finished: Callable[[], bool]) -> bool:
        while not finished():
            httpuv.service(20)
        return True

    run(main)


def test_wrong_values() -> None:
    with pytest.raises(RuntimeError, match="running asyncio loop"):
        start(who, "asyncio")
    with pytest.raises(ValueError, match="dispatch must be"):
        start(who, "threads")
    with pytest.raises(TypeError, match="dispatch must be"):
        start(who, 1.5)
    assert httpuv.listServers() == []


def test_one_of_your_own() -> None:
    class Selecting(httpuv.Dispatcher):
        events: list[str]

        def __init__(self) -> None:
            super().__init__()
            self.events = []

        def start(self) -> None:
            self.events.append("start")

        def stop(self) -> None:
            self.events.append("stop")

        def loop(self, done: Callable[[], bool]) -> None:
            while not done():
                select.select([self.fileno()], [], [], self.timeout())
                self.run()

    mine = Selecting()
    ran = threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        httpuv.later(ran.set, 0.01)
        return who(req)

    with start(call, mine) as one, start(call, mine) as two:
        bodies: list[bytes] = []

        def client() -> None:
            for server in (one, two):
                bodies.append(fetch(address(server), request()).body)
            mine.source.wake()

        thread = threading.Thread(target=client)
        thread.start()
        mine.loop(lambda: len(bodies) == 2 and ran.is_set())  # later() is about it, too
        thread.join()
        assert bodies == [b"MainThread"] * 2
        assert mine.events == ["start"]
    assert mine.events == ["start", "stop"]


@pytest.mark.parametrize("dispatch", ["thread", "service"])
def test_never_stopped_ends_with_the_interpreter(dispatch: str) -> None:
    run_script(f"""
        import httpuv
        httpuv.startServer("127.0.0.1", 0, lambda req: {{"status": 200}}, dispatch={dispatch!r})
    """)


def test_asyncio_never_stopped_ends_with_the_interpreter() -> None:
    run_script("""
        import asyncio, httpuv
        async def main():
            httpuv.startServer("127.0.0.1", 0, lambda req: {"status": 200})
        asyncio.run(main())
    """)


def test_stop_runs_the_callbacks_it_waits_for() -> None:
    with start(who, "service") as server, Wire(address(server)) as wire:
        wire.send(request())
        while not server._dispatcher.source.queue.pending():
            time.sleep(0.001)
        began = time.monotonic()
        server.stop(timeout=PATIENCE)
        assert time.monotonic() - began < PATIENCE / 2
        assert wire.response().body == b"MainThread"


def test_asyncio_stop_lets_coroutines_finish() -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def call(req: dict[str, Any]) -> dict[str, Any]:
            begun.set()
            await asyncio.sleep(0.05)
            return {"status": 200, "body": "finished"}

        server = start(call, "asyncio")
        answer = asyncio.ensure_future(in_a_thread(server))
        await begun.wait()
        await server.aclose(timeout=PATIENCE)
        assert (await answer).body == b"finished"

    run(main)


def test_asyncio_stop_is_bounded_on_the_loop_itself() -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def call(req: dict[str, Any]) -> dict[str, Any]:
            begun.set()
            await asyncio.sleep(PATIENCE)
            return {"status": 200}

        server = start(call, "asyncio")
        with Wire(address(server)) as wire:
            wire.send(request())
            await begun.wait()
            began = time.monotonic()
            server.stop(timeout=0.1)
            assert time.monotonic() - began < 5

    run(main)


def test_asyncio_loops_that_are_over_leave_nothing() -> None:
    run_script(
        """
        import asyncio, gc, os
        import httpuv

        async def main():
            with httpuv.startServer("127.0.0.1", 0, lambda req: {"status": 200}):
                await asyncio.sleep(0)

        def descriptors():
            gc.collect()
            return len(os.listdir("/proc/self/fd"))

        for _ in range(3):
            asyncio.run(main())
        before = descriptors()
        for _ in range(20):
            asyncio.run(main())
        assert descriptors() <= before, (before, descriptors())
        """
    )
