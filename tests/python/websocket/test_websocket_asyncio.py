"""WebSockets in asyncio: iteration, `await ws.send()`, back-pressure, coroutines as callbacks.

The callbacks run on the test's own loop, which watches the queue's descriptor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import httpuv
import psutil
import pytest
from conftest import Log
from support import PATIENCE
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from ws_support import BINARY, TEXT, Client, close_frame, frame, handshake

WebSocket = httpuv.WebSocket
OnOpen = Callable[[WebSocket], Any]
T = TypeVar("T")
MIB = 1 << 20


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a test in a loop, for a limited time."""
    return asyncio.run(asyncio.wait_for(main(), 2 * PATIENCE))


def start(on_open: OnOpen, **options: Any) -> httpuv.WebServer:
    return httpuv.startServer("127.0.0.1", 0, {"onWSOpen": on_open}, **options)


def client_of(server: httpuv.WebServer, **options: Any) -> connect:
    return connect(f"ws://127.0.0.1:{server.getPort()}/", max_size=None, **options)


async def in_thread(function: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, function)


def test_iteration() -> None:
    ended: list[Any] = []

    async def on_open(ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)
        ended.append((ws.closeCode, ws.closeReason, ws.wasClean))

    async def main() -> None:
        with start(on_open) as server:
            async with client_of(server) as client:
                for message in ("text", b"bytes", "x" * MIB):
                    await client.send(message)
                    assert await client.recv() == message
                await client.close(3000, "bye")
            while not ended:
                await asyncio.sleep(0)
        assert ended == [(3000, "bye", True)]

    run(main)


def test_messages_from_before_the_coroutine_began_are_kept() -> None:
    async def main() -> None:
        got: asyncio.Queue[Any] = asyncio.Queue()
        go = asyncio.Event()

        async def on_open(ws: WebSocket) -> None:
            await go.wait()
            async for message in ws:
                got.put_nowait(message)
            got.put_nowait(ws.closeCode)

        with start(on_open) as server:

            def talk() -> None:
                with Client.open(server) as client:
                    for number in range(100):
                        client.say(TEXT, str(number))
                    client.send(close_frame(4000))
                    client.end()

            talking = asyncio.ensure_future(in_thread(talk))
            await asyncio.sleep(0.05)  # let some of it come too early
            go.set()
            assert [await got.get() for _ in range(100)] == [str(n) for n in range(100)]
            assert await got.get() == 4000
            await talking

    run(main)


def test_callbacks_that_are_registered_late_miss_nothing() -> None:
    async def main() -> None:
        events: asyncio.Queue[Any] = asyncio.Queue()
        go = asyncio.Event()

        async def on_open(ws: WebSocket) -> None:
            await go.wait()
            ws.onMessage(lambda binary, message: events.put_nowait(message))
            ws.onClose(lambda: events.put_nowait(ws.closeCode))

        with start(on_open) as server:

            def talk() -> None:
                with Client.open(server) as client:
                    client.send(frame(TEXT, "a") + frame(BINARY, "b") + close_frame(4000))
                    client.end()

            talking = asyncio.ensure_future(in_thread(talk))
            await asyncio.sleep(0.05)
            assert events.empty()
            go.set()
            assert [await events.get() for _ in range(3)] == ["a", b"b", 4000]
            await talking

    run(main)


def test_callbacks_of_a_coroutine_that_goes_on() -> None:
    async def main() -> None:
        forever = asyncio.Event()

        async def on_open(ws: WebSocket) -> None:
            await asyncio.sleep(0)
            ws.onMessage(lambda binary, message: ws.send(message))
            await forever.wait()

        with start(on_open) as server:
            async with client_of(server) as client:
                for number in range(3):
                    await client.send(str(number))
                    assert await client.recv() == str(number)
            forever.set()

    run(main)


def test_aiter_in_a_plain_on_ws_open() -> None:
    async def main() -> None:
        tasks = []

        async def handle(messages: Any, ws: WebSocket) -> None:
            async for message in messages:
                ws.send(message)

        def on_open(ws: WebSocket) -> None:
            messages = ws.__aiter__()  # from here on they are kept
            tasks.append(asyncio.ensure_future(handle(messages, ws)))

        with start(on_open) as server:
            async with client_of(server) as client:
                await client.send("x")
                assert await client.recv() == "x"
            await tasks[0]

    run(main)


def test_anext_gets_one() -> None:
    async def main() -> None:
        async def on_open(ws: WebSocket) -> None:
            name = await ws.__anext__()
            ws.onMessage(lambda binary, message: ws.send(f"{name}: {message!r}"))

        with start(on_open) as server:
            async with client_of(server) as client:
                await client.send("me")
                await asyncio.sleep(0.05)
                await client.send("hello")
                assert await client.recv() == "me: 'hello'"

    run(main)


def test_iteration_ends_when_we_close() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def on_open(ws: WebSocket) -> None:
            async for message in ws:
                ws.close(4000, str(message))
            assert ws.readyState == WebSocket.CLOSED
            assert (ws.closeCode, ws.wasClean) == (4000, True)
            ended.set()

        with start(on_open) as server:
            async with client_of(server) as client:
                await client.send("enough")
                with pytest.raises(ConnectionClosed):
                    await client.recv()
                assert (client.close_code, client.close_reason) == (4000, "enough")
            await ended.wait()

    run(main)


def test_iteration_ends_when_the_server_stops() -> None:
    async def main() -> None:
        opened, ended = asyncio.Event(), asyncio.Event()

        async def on_open(ws: WebSocket) -> None:
            opened.set()
            async for _ in ws:
                pass
            ended.set()

        server = start(on_open)
        async with client_of(server) as client:
            await opened.wait()
            await in_thread(server.stop)
            await ended.wait()
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1001

    run(main)


def test_several_readers_share_the_messages() -> None:
    async def main() -> None:
        got: list[Any] = []

        async def read(ws: WebSocket) -> None:
            async for message in ws:
                got.append(message)
                await asyncio.sleep(0)

        async def on_open(ws: WebSocket) -> None:
            await asyncio.gather(*(read(each) for each in (ws, ws.clone(), ws.clone())))
            got.append("all ended")

        with start(on_open) as server:
            async with client_of(server) as client:
                for number in range(50):
                    await client.send(str(number))
            while "all ended" not in got:
                await asyncio.sleep(0)
        assert sorted(got[:-1], key=int) == [str(number) for number in range(50)]

    run(main)


def test_a_cancelled_reader_takes_nothing_with_it() -> None:
    async def main() -> None:
        rest: asyncio.Queue[Any] = asyncio.Queue()

        async def on_open(ws: WebSocket) -> None:
            try:
                await asyncio.wait_for(ws.__anext__(), 0.05)
            except asyncio.TimeoutError:
                ws.send("go")
            async for message in ws:
                rest.put_nowait(message)

        with start(on_open) as server:
            async with client_of(server) as client:
                assert await client.recv() == "go"
                await client.send("first")
                assert await rest.get() == "first"

    run(main)


def test_an_unread_inbox_holds_the_client_back() -> None:
    async def main() -> None:
        go = asyncio.Event()
        totals: list[int] = []

        async def on_open(ws: WebSocket) -> None:
            await go.wait()
            async for message in ws:
                totals.append(len(message))

        with start(on_open, limits=httpuv.Limits(ws_unread_bytes=200_000)) as server:
            sent = 0

            def talk() -> None:
                nonlocal sent
                with Client.open(server) as client:
                    chunk = frame(BINARY, bytes(100_000))
                    for _ in range(400):
                        client.send(chunk)
                        sent += 1
                    assert client.farewell() == (1000, "")

            talking = asyncio.ensure_future(in_thread(talk))
            before = -1
            while before != sent:  # until it stands still
                before = sent
                await asyncio.sleep(0.2)
            assert 0 < sent < 400
            go.set()
            await talking
        assert totals == [100_000] * 400

    run(main)


def test_who_stops_iterating_does_not_hold_the_client_back() -> None:
    async def main() -> None:
        async def on_open(ws: WebSocket) -> None:
            async for message in ws:
                assert message == b"first"
                break

        with start(on_open, limits=httpuv.Limits(ws_unread_bytes=200_000)) as server:

            def talk() -> tuple[int, str]:
                with Client.open(server) as client:
                    client.say(BINARY, "first")
                    for _ in range(200):
                        client.say(BINARY, bytes(100_000))
                    return client.farewell()

            assert await in_thread(talk) == (1000, "")

    run(main)


def test_awaiting_send_waits_for_a_slow_client() -> None:
    async def main() -> None:
        amounts: list[int] = []
        ended = asyncio.Event()
        process = psutil.Process()
        sizes: list[int] = []

        async def on_open(ws: WebSocket) -> None:
            for number in range(256):
                await ws.send(bytes([number]) * MIB)
                if number % 32 == 0:
                    amounts.append(ws.bufferedAmount)
                    sizes.append(process.memory_info().rss)
            ws.close()
            ended.set()

        with start(on_open) as server:

            def read() -> None:
                with Client.open(server) as client:
                    for number in range(256):
                        assert client.message() == bytes([number]) * MIB
                    assert client.closed() == (1000, "")

            await in_thread(read)
            await ended.wait()
        assert max(amounts) <= 65536
        if "HTTPUV_SANITIZED" not in os.environ:
            assert max(sizes) - sizes[0] < 48 * MIB

    run(main)


def test_awaiting_send_does_not_wait_for_a_fast_client() -> None:
    async def main() -> None:
        async def on_open(ws: WebSocket) -> None:
            turns = 0
            done = asyncio.Event()

            async def count() -> None:
                nonlocal turns
                while not done.is_set():
                    turns += 1
                    await asyncio.sleep(0)

            counting = asyncio.ensure_future(count())
            for _ in range(100):
                await ws.send("short")
            done.set()
            await counting
            ws.send(f"{turns} turns")

        with start(on_open) as server:
            async with client_of(server) as client:
                for _ in range(100):
                    assert await client.recv() == "short"
                turns = await client.recv()
                assert int(str(turns).split()[0]) <= 102  # one each: it gives way, no more

    run(main)


def test_awaiting_send_ends_when_the_client_goes() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def on_open(ws: WebSocket) -> None:
            with contextlib.suppress(httpuv.ConnectionClosed):
                while True:
                    await ws.send(bytes(MIB))
            ws.send("quietly nothing")
            ended.set()

        with start(on_open) as server:
            client = await in_thread(lambda: Client.open(server))
            await asyncio.sleep(0.1)
            client.reset()
            await ended.wait()

    run(main)


def test_send_need_not_be_awaited() -> None:
    async def main() -> None:
        def on_open(ws: WebSocket) -> None:
            ws.onMessage(lambda binary, message: ws.send(message))  # returns what could be

        with start(on_open) as server:
            async with client_of(server) as client:
                await client.send("x")
                assert await client.recv() == "x"

    run(main)


def test_callbacks_that_are_coroutine_functions() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        def on_open(ws: WebSocket) -> None:
            @ws.onMessage
            async def on_message(binary: bool, message: str) -> None:
                await asyncio.sleep(0.01)
                await ws.send(message.upper())

            @ws.onClose
            async def on_close() -> None:
                await asyncio.sleep(0)
                ended.set()

        with start(on_open) as server:

            def talk() -> None:
                with Client.open(server) as client:
                    # Its answer is waited for before the Close is answered.
                    client.send(frame(TEXT, "loud") + close_frame(1000))
                    assert client.message() == "LOUD"
                    assert client.closed() == (1000, "")

            await in_thread(talk)
            await ended.wait()

    run(main)


def test_an_answer_in_a_loop_comes_before_the_close() -> None:
    async def main() -> None:
        async def on_open(ws: WebSocket) -> None:
            async for message in ws:
                await asyncio.sleep(0.01)
                await ws.send(message)

        with start(on_open) as server:

            def talk() -> None:
                with Client.open(server) as client:
                    client.send(frame(TEXT, "one") + frame(TEXT, "two") + close_frame(1000))
                    assert [client.message(), client.message()] == ["one", "two"]
                    assert client.closed() == (1000, "")

            await in_thread(talk)

    run(main)


def test_every_message_is_accounted_for(running: threading.Thread) -> None:
    """The bound on unread messages is tight, and another thread may use them at any moment."""
    arrived: list[WebSocket] = []
    opened = threading.Event()

    def on_open(ws: WebSocket) -> None:
        ws.__aiter__()
        arrived.append(ws)
        opened.set()

    server = start(on_open, limits=httpuv.Limits(ws_unread_bytes=2000))
    total = 5000

    def talk() -> None:
        with Client.open(server) as client:
            for number in range(total):
                client.say(TEXT, str(number) * 100)
            assert client.farewell() == (1000, "")

    async def main() -> None:
        talking = asyncio.ensure_future(in_thread(talk))
        await in_thread(opened.wait)
        number = 0
        async for message in arrived[0]:
            assert message == str(number) * 100
            number += 1
        assert number == total
        await talking

    run(main)


@pytest.mark.parametrize("where", ["onWSOpen", "onMessage"])
def test_failing_coroutines_close_with_1011(log: Log, where: str) -> None:
    async def main() -> None:
        async def fail(*args: Any) -> None:
            await asyncio.sleep(0)
            raise RuntimeError("later on")

        def on_open(ws: WebSocket) -> Awaitable[None] | None:
            if where == "onWSOpen":
                return fail()
            ws.onMessage(fail)
            return None

        with start(on_open) as server:
            async with client_of(server) as client:
                await client.send("x")
                with pytest.raises(ConnectionClosed):
                    await client.recv()
                assert client.close_code == 1011
        log.expect(f"{where} failed for GET /", "RuntimeError: later on")

    run(main)


def test_a_cancelled_coroutine_closes_with_1001() -> None:
    async def main() -> None:
        task: list[asyncio.Task[Any]] = []

        async def on_open(ws: WebSocket) -> None:
            task.append(asyncio.current_task())  # type: ignore[arg-type]
            async for _ in ws:
                pass

        with start(on_open) as server:
            async with client_of(server) as client:
                while not task:
                    await asyncio.sleep(0)
                task[0].cancel()
                with pytest.raises(ConnectionClosed):
                    await client.recv()
                assert client.close_code == 1001

    run(main)


def test_the_callbacks_may_run_on_another_thread(running: threading.Thread) -> None:
    """service() runs them there; the loop here iterates and waits."""
    arrived: list[WebSocket] = []
    opened = threading.Event()

    def on_open(ws: WebSocket) -> None:
        ws.__aiter__()
        arrived.append(ws)
        opened.set()

    server = start(on_open)

    async def main() -> None:
        async def serve() -> None:
            await in_thread(opened.wait)
            ws = arrived[0]
            async for message in ws:
                await ws.send(message * 2)

        async def talk(client: ClientConnection) -> None:
            for size in (1, 100, 200_000, MIB) * 5:
                await client.send(bytes(size))
                assert await client.recv() == bytes(2 * size)
            await client.close()

        async with client_of(server) as client:
            await asyncio.gather(serve(), talk(client))

    run(main)


@pytest.mark.parametrize("where", ["callbacks", "thread"])
def test_without_a_loop_coroutines_run_in_one_of_their_own(
    running: threading.Thread, where: str
) -> None:
    async def on_open(ws: WebSocket) -> None:
        assert (threading.current_thread() is running) == (where == "callbacks")
        ws.onClose(ended.set)
        async for message in ws:
            await asyncio.sleep(0.001)
            await ws.send(message)

    ended = threading.Event()
    with start(on_open, coroutines=where) as server, Client.open(server) as client:
        client.send(b"".join(frame(TEXT, str(number)) for number in range(200)) + close_frame())
        assert [client.message() for _ in range(200)] == [str(number) for number in range(200)]
        assert client.closed() == (1000, "")
        client.end()
        assert ended.wait(PATIENCE)


def test_two_loops_at_once() -> None:
    """Servers of two threads' loops, each with its own callbacks."""
    failures: list[BaseException] = []

    async def main() -> None:
        me = threading.get_ident()

        async def on_open(ws: WebSocket) -> None:
            async for message in ws:
                assert threading.get_ident() == me
                await ws.send(message)

        with start(on_open, dispatch="asyncio") as server:
            async with client_of(server) as client:
                for number in range(200):
                    await client.send(str(number))
                    assert await client.recv() == str(number)

    def thread() -> None:
        try:
            run(main)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=thread) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failures == []


def test_hundreds_at_once() -> None:
    async def main() -> None:
        async def on_open(ws: WebSocket) -> None:
            async for message in ws:
                await ws.send(message)

        with start(on_open) as server:

            def talk() -> None:
                clients = [Client.open(server) for _ in range(300)]
                for number, client in enumerate(clients):
                    client.say(TEXT, str(number))
                for number, client in enumerate(clients):
                    assert client.message() == str(number)
                for client in clients:
                    client.send(close_frame())
                for client in clients:
                    assert client.closed() == (1000, "")
                    client.close()

            begin = time.monotonic()
            await in_thread(talk)
            assert time.monotonic() - begin < PATIENCE

    run(main)


def test_another_task_iterates_on_when_onWSOpen_is_over() -> None:
    """Also when it is busy with a message at that moment: those behind it wait for it."""
    got: list[str | bytes] = []
    ended = threading.Event()
    tasks = []

    async def on_open(ws: WebSocket) -> None:
        opening = asyncio.current_task()
        busy, settled = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def settle() -> None:
            loop.call_soon_threadsafe(settled.set)

        async def pump() -> None:
            async for message in ws:
                got.append(message)
                if message != "0":
                    continue
                busy.set()
                assert opening is not None
                await asyncio.wait([opening])
                # Behind what its end causes where the callbacks run.
                ws._link.socket.call_soon(settle)
                await settled.wait()
            ended.set()

        tasks.append(asyncio.ensure_future(pump()))
        await busy.wait()
        while len(ws._link.inbox or ()) < 4:
            await asyncio.sleep(0.01)

    with start(on_open, dispatch="thread") as server, Client.open(server) as client:
        client.send(*(frame(TEXT, str(number)) for number in range(5)), close_frame())
        assert ended.wait(PATIENCE)
    assert got == ["0", "1", "2", "3", "4"]


def test_a_task_that_onWSOpen_only_starts_gets_every_message() -> None:
    """onWSOpen never waits, so it is over before the task's first step."""
    tasks: set[asyncio.Task[None]] = set()

    async def pump(ws: WebSocket) -> None:
        async for message in ws:
            await ws.send(message)

    async def on_open(ws: WebSocket) -> None:
        tasks.add(asyncio.create_task(pump(ws)))

    with start(on_open, dispatch="thread") as server:
        for _ in range(100):
            with Client(("127.0.0.1", server.getPort())) as client:
                client.send(handshake() + frame(TEXT, "early") + frame(TEXT, "bird"))
                assert client.response().status == 101
                assert [client.message(), client.message()] == ["early", "bird"]
