"""The asyncio loop of a thread that serves callbacks ends with its thread."""

import asyncio
import threading

import httpuv
import pytest
from programs import run
from support import Wire, request


async def answer(_: object) -> dict[str, object]:
    return {"status": 200, "body": "done"}


def test_a_thread_that_ends_closes_its_loop() -> None:
    run("""
        async def answer(req):
            return {"status": 200, "body": "done"}

        def served_by_a_thread_that_ends():
            with httpuv.startServer("127.0.0.1", 0, answer, dispatch="service") as server:
                thread = threading.Thread(target=lambda: httpuv.runNow(20))
                thread.start()
                assert get(server.getPort()).endswith(b"done")
                thread.join()

        served_by_a_thread_that_ends()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            served_by_a_thread_that_ends()
        assert len(os.listdir("/proc/self/fd")) == before
    """)


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


LOOPS = """
    import asyncio
    async def where(_):
        await asyncio.sleep(0)
        return {"status": 200, "body": threading.current_thread().name}
    def body(server):
        return get(server.getPort()).split(b"\\r\\n\\r\\n")[1].decode()
"""


def test_a_thread_that_serves_runs_coroutines_that_come_later() -> None:
    code = """
    begun = threading.Event()
    httpuv.later(begun.set)
    threading.Thread(target=httpuv.service, args=(0,), name="serves", daemon=True).start()
    begun.wait()
    say(body(start(where)))
    """
    assert run(LOOPS + code).split()[1:] == ["serves"]


def test_another_thread_goes_on_with_the_coroutines_of_one_that_ends() -> None:
    code = """
    server = start(where)
    def first():
        with_loop.set()
        httpuv.service(300)
    with_loop = threading.Event()
    one = threading.Thread(target=first, name="first")
    one.start()
    with_loop.wait()
    say(body(server))
    threading.Thread(target=httpuv.service, args=(0,), name="second", daemon=True).start()
    one.join()
    say(body(server))
    """
    assert run(LOOPS + code).split()[1:] == ["first", "second"]


def test_an_exception_of_any_callback_leaves_the_loop() -> None:
    """Not only of the first one, for which the thread looks at timers and deadlines, too."""

    class Stop(BaseException): ...

    async def call(req: dict[str, object]) -> dict[str, object]:
        if req["PATH_INFO"] == "/stop":
            raise Stop
        return {"status": 200}

    result = []

    def serve() -> None:
        with (
            httpuv.startServer("127.0.0.1", 0, call, dispatch="service") as server,
            Wire(("127.0.0.1", server.getPort())) as wire,
        ):
            wire.send(request() * 3 + request("/stop") + request())
            with pytest.raises(Stop):
                httpuv.service(20_000)
            httpuv.runNow(20)
            result.extend(wire.response().status for _ in range(5))

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()
    assert result == [200, 200, 200, 500, 200]


def test_a_timer_that_a_callback_sets_runs_in_time() -> None:
    async def main() -> None:
        ran = asyncio.Event()

        def call(req: dict[str, object]) -> dict[str, object]:
            if req["PATH_INFO"] == "/later":
                httpuv.later(ran.set, 0.01)
            return {"status": 200}

        with httpuv.startServer("127.0.0.1", 0, call) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.getPort())
            for target in ("/", "/", "/later"):
                writer.write(request(target))
                assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            await asyncio.wait_for(ran.wait(), 20)
            writer.close()

    asyncio.run(main())


def test_tasks_that_answer_in_one_iteration_of_the_loop() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def call(_: object) -> dict[str, object]:
            await go.wait()
            return {"status": 200, "body": "x"}

        with httpuv.startServer("127.0.0.1", 0, call) as server:
            clients = [
                await asyncio.open_connection("127.0.0.1", server.getPort()) for _ in range(20)
            ]
            for _, writer in clients:
                writer.write(request())
            while server.stats()["in_flight"] < len(clients):
                await asyncio.sleep(0.01)
            go.set()  # all of them answer in one iteration of the loop
            for reader, writer in clients:
                assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
                writer.close()

    asyncio.run(main())
