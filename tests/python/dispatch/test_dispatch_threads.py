"""dispatch=<a number>: callbacks on several threads, each connection's in order."""

from __future__ import annotations

import concurrent.futures
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpuv
import pytest
from httpuv.dispatch.threads import ThreadDispatcher
from support import PATIENCE, Wire, address, fetch, request, run_script
from ws_support import TEXT, Client

THREADS = 4


def start(app: Any, dispatch: Any = THREADS, **options: Any) -> httpuv.WebServer:
    return httpuv.startServer("127.0.0.1", 0, app, dispatch=dispatch, **options)


def ok(body: str = "fine") -> dict[str, Any]:
    return {"status": 200, "body": body}


def callback_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "httpuv callbacks"]


class Alone:
    """Notes what is done under one key, and that it never is done twice at once."""

    def __init__(self) -> None:
        self.broken: list[Any] = []
        self._inside: set[Any] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def __call__(self, key: Any) -> Iterator[None]:
        with self._lock:
            if key in self._inside:
                self.broken.append(key)
            self._inside.add(key)
        yield
        with self._lock:
            self._inside.discard(key)


# --- at once, and in order ----------------------------------------------------------------------


def test_callbacks_that_block_run_at_once() -> None:
    together = threading.Barrier(THREADS)

    def call(req: dict[str, Any]) -> dict[str, Any]:
        together.wait(PATIENCE)
        return ok()

    with start(call) as server, contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(address(server))) for _ in range(THREADS)]
        for _ in range(5):
            for wire in wires:
                wire.send(request())
            assert [wire.response().status for wire in wires] == [200] * THREADS
        assert len(callback_threads()) == THREADS
    assert callback_threads() == []


def test_never_more_than_there_are_threads() -> None:
    inside, most = 0, 0
    lock = threading.Lock()
    full, go = threading.Event(), threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            if inside == 2:
                full.set()
        assert go.wait(PATIENCE)
        with lock:
            inside -= 1
        return ok()

    with start(call, 2) as server, contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(address(server))) for _ in range(8)]
        for wire in wires:
            wire.send(request())
        assert full.wait(PATIENCE)
        while server._dispatcher.source.queue.pending() < 6:
            time.sleep(0.001)
        go.set()
        assert [wire.response().status for wire in wires] == [200] * 8
    assert most == 2


def test_a_connection_waits_for_itself_and_nobody_for_it() -> None:
    go = threading.Event()
    order: list[str] = []

    def call(req: dict[str, Any]) -> dict[str, Any]:
        if req["PATH_INFO"] == "/0":
            assert go.wait(PATIENCE)
        if req["PATH_INFO"] != "/other":
            order.append(req["PATH_INFO"])
        return ok(req["PATH_INFO"])

    with start(call, 2) as server, Wire(address(server)) as slow:
        slow.send(*(request(f"/{n}") for n in range(10)))
        for _ in range(20):
            assert fetch(address(server), request("/other")).body == b"/other"
        assert order == []
        go.set()
        assert [slow.response().body for _ in range(10)] == [b"/%d" % n for n in range(10)]
    assert order == [f"/{n}" for n in range(10)]


def test_pipelined_requests_of_many_connections() -> None:
    alone = Alone()
    order: dict[str, list[str]] = {}

    def call(req: dict[str, Any]) -> dict[str, Any]:
        with alone(req["REMOTE_PORT"]):
            order.setdefault(req["REMOTE_PORT"], []).append(req["PATH_INFO"])
            if req["PATH_INFO"].endswith("0"):
                time.sleep(0.001)  # others get the GIL
        return ok(req["PATH_INFO"])

    expected = [f"/{n}" for n in range(100)]
    with start(call) as server, contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(address(server))) for _ in range(8)]
        for first in range(0, 100, 10):
            for wire in wires:
                wire.send(*map(request, expected[first : first + 10]))
        for wire in wires:
            assert [wire.response().body.decode() for _ in expected] == expected
    assert alone.broken == []
    assert list(order.values()) == [expected] * 8


def test_heads_and_bodies_keep_together() -> None:
    """onHeaders and call of a request share its environment, on whatever threads they run."""

    def on_headers(req: dict[str, Any]) -> None:
        req["seen"] = (req["PATH_INFO"], threading.get_ident())

    def call(req: dict[str, Any]) -> dict[str, Any]:
        assert req["seen"][0] == req["PATH_INFO"]
        return {"status": 200, "body": req["rook.input"].read()}

    def client(n: int) -> None:
        with Wire(address(server)) as wire:
            for i in range(20):
                wire.send(request(f"/{n}/{i}", method="POST", body=b"%d" % i))
                assert wire.response().body == b"%d" % i

    with (
        start({"onHeaders": on_headers, "call": call}) as server,
        concurrent.futures.ThreadPoolExecutor(8) as pool,
    ):
        list(pool.map(client, range(8)))


def test_websockets_keep_their_order() -> None:
    alone = Alone()
    got: dict[int, list[str]] = {}
    closed = threading.Semaphore(0)

    def on_open(ws: httpuv.WebSocket) -> None:
        mine = got.setdefault(int(ws.request["PATH_INFO"][1:]), [])

        @ws.onMessage
        def message(binary: bool, text: str) -> None:
            with alone(ws):
                mine.append(text)
                if text.endswith("7"):
                    time.sleep(0.001)
                ws.send(text)

        @ws.onClose
        def close() -> None:
            with alone(ws):
                mine.append("closed")
            closed.release()

    expected = [str(n) for n in range(200)]
    with start({"onWSOpen": on_open}) as server:
        clients = [Client.open(server, f"/{n}") for n in range(6)]
        for text in expected:
            for client in clients:
                client.say(TEXT, text)
        for client in clients:
            assert [client.message() for _ in expected] == expected
            client.farewell()
        for _ in clients:
            assert closed.acquire(timeout=PATIENCE)
    assert alone.broken == []
    assert list(got.values()) == [[*expected, "closed"]] * 6


def test_websockets_are_handled_at_once() -> None:
    together = threading.Barrier(2)

    def on_open(ws: httpuv.WebSocket) -> None:
        @ws.onMessage
        def message(binary: bool, text: str) -> None:
            together.wait(PATIENCE)
            ws.send("met")

    with start({"onWSOpen": on_open}, 2) as server:
        clients = [Client.open(server), Client.open(server)]
        for client in clients:
            client.say(TEXT, "here")
        for client in clients:
            assert client.message() == "met"
            client.farewell()


def test_a_flood_on_one_socket_is_nobody_elses() -> None:
    """What waits for one connection costs the others nothing, however much it is."""
    go = threading.Event()
    got: list[str] = []
    done = threading.Event()

    def on_open(ws: httpuv.WebSocket) -> None:
        @ws.onMessage
        def message(binary: bool, text: str) -> None:
            assert go.wait(PATIENCE)
            got.append(text)
            if text == "last":
                done.set()

    app = {"onWSOpen": on_open, "call": lambda req: ok()}
    with start(app, 2) as server:
        client = Client.open(server)
        for _ in range(5000):
            client.say(TEXT, "x")
        client.say(TEXT, "last")
        for _ in range(20):
            assert fetch(address(server), request()).status == 200
        go.set()
        assert done.wait(PATIENCE)
        client.farewell()
    assert len(got) == 5001


def test_streams_run_at_once_each_in_order() -> None:
    together = threading.Barrier(2)
    alone = Alone()
    closed: list[int] = []

    def pieces(n: int) -> Iterator[str]:
        try:
            together.wait(PATIENCE)
            for i in range(50):
                with alone(n):
                    if i % 10 == 0:
                        time.sleep(0.001)
                yield f"{i} "
        finally:
            closed.append(n)

    def call(req: dict[str, Any]) -> dict[str, Any]:
        return {"status": 200, "body": pieces(int(req["PATH_INFO"][1:]))}

    expected = "".join(f"{i} " for i in range(50)).encode()
    with start(call, 2) as server, Wire(address(server)) as one, Wire(address(server)) as two:
        one.send(request("/1"))
        two.send(request("/2"))
        assert one.response().body == two.response().body == expected
    assert alone.broken == []
    assert sorted(closed) == [1, 2]


def test_a_client_that_leaves_is_told_of_behind_its_request() -> None:
    inside, go = threading.Event(), threading.Event()
    told = threading.Event()
    answer: concurrent.futures.Future[Any] = concurrent.futures.Future()
    returned = False

    def call(req: dict[str, Any]) -> Any:
        nonlocal returned
        if req["PATH_INFO"] == "/other":
            return ok()
        inside.set()
        assert go.wait(PATIENCE)
        returned = True
        return answer

    def cancelled(_: Any) -> None:
        assert returned
        told.set()

    answer.add_done_callback(cancelled)
    with start(call, 2) as server:
        wire = Wire(address(server))
        wire.send(request())
        assert inside.wait(PATIENCE)
        wire.reset()
        for _ in range(5):
            assert fetch(address(server), request("/other")).status == 200
        assert not told.is_set()
        go.set()
        assert told.wait(PATIENCE)
        assert answer.cancelled()


def test_a_callback_may_run_those_of_its_own_connection() -> None:
    seen = threading.Event()

    def on_open(ws: httpuv.WebSocket) -> None:
        @ws.onMessage
        def message(binary: bool, text: str) -> None:
            if text == "second":
                seen.set()
                return
            until = time.monotonic() + PATIENCE
            while not seen.is_set() and time.monotonic() < until:
                httpuv.runNow(0.05)
            ws.send(f"seen: {seen.is_set()}")

    app = {"onWSOpen": on_open, "call": lambda req: ok()}
    with start(app, 2) as server:
        client = Client.open(server)
        client.say(TEXT, "first")
        for _ in range(5):  # so that the other thread meets what is the first one's
            assert fetch(address(server), request()).status == 200
        client.say(TEXT, "second")
        assert client.message() == "seen: True"
        client.farewell()


# --- later --------------------------------------------------------------------------------------


def test_timers_run_in_order_while_callbacks_block() -> None:
    alone = Alone()
    ran: list[int] = []
    go, done = threading.Event(), threading.Event()

    def timer(n: int) -> None:
        with alone("timers"):
            ran.append(n)
            time.sleep(0.001)
        if n == 19:
            done.set()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        for n in range(20):
            httpuv.later(lambda n=n: timer(n), n // 5 / 100)
        assert go.wait(PATIENCE)
        return ok()

    with start(call, 3) as server, Wire(address(server)) as wire:
        wire.send(request())
        assert done.wait(PATIENCE)
        go.set()
        assert wire.response().status == 200
    assert ran == list(range(20))
    assert alone.broken == []


def test_a_timer_comes_although_others_wait_for_a_later_one() -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        cancels.append(httpuv.later(lambda: None, 900))
        httpuv.later(ran.set, 0.02)
        return ok()

    cancels: list[Callable[[], bool]] = []
    with start(call) as server:
        for _ in range(5):
            ran = threading.Event()
            assert fetch(address(server), request()).status == 200
            assert ran.wait(PATIENCE)
        assert all(cancel() for cancel in cancels)


# --- failures -----------------------------------------------------------------------------------


def test_threads_survive_what_callbacks_raise(log: Any) -> None:
    def call(req: dict[str, Any]) -> dict[str, Any]:
        if req["PATH_INFO"] == "/exit":
            sys.exit("on purpose")
        if req["PATH_INFO"] == "/raise":
            raise ValueError("by accident")
        together.wait(PATIENCE)
        return ok()

    together = threading.Barrier(THREADS)
    with start(call) as server, contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(address(server))) for _ in range(THREADS)]
        for _ in range(3):
            for wire in wires:
                wire.send(request("/exit"), request("/raise"), request())
            for wire in wires:
                assert [wire.response().status for _ in range(3)] == [500, 500, 200]
    log.expect("on purpose", "by accident")


# --- the end ------------------------------------------------------------------------------------


def test_stop_while_all_wait_and_again() -> None:
    for _ in range(20):
        server = start(lambda req: ok())
        assert fetch(address(server), request()).status == 200
        server.stop()
        assert callback_threads() == []


def test_stuck_callbacks_do_not_hold_up_stop() -> None:
    free, inside = threading.Event(), threading.Semaphore(0)

    def call(req: dict[str, Any]) -> dict[str, Any]:
        inside.release()
        free.wait(PATIENCE)
        return ok()

    server = start(call)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(address(server))) for _ in range(2 * THREADS)]
        for wire in wires:
            wire.send(request())
        for _ in range(THREADS):
            assert inside.acquire(timeout=PATIENCE)
        threads = callback_threads()
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < PATIENCE / 2
        assert all(wire.at_end() for wire in wires)
    free.set()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_stop_lets_answers_finish() -> None:
    go, inside = threading.Event(), threading.Semaphore(0)

    def call(req: dict[str, Any]) -> dict[str, Any]:
        inside.release()
        assert go.wait(PATIENCE)
        return ok()

    server = start(call, 2)
    with Wire(address(server)) as one, Wire(address(server)) as two, Wire(address(server)) as three:
        for wire in (one, two, three):
            wire.send(request())
        for _ in range(2):
            assert inside.acquire(timeout=PATIENCE)
        while server._dispatcher.source.queue.pending() != 1:
            time.sleep(0.001)
        threading.Timer(0.05, go.set).start()
        began = time.monotonic()
        server.stop(timeout=PATIENCE)
        assert time.monotonic() - began < PATIENCE / 2
        assert [wire.response().status for wire in (one, two, three)] == [200] * 3
    assert callback_threads() == []


@pytest.mark.parametrize("timeout", [0, 1])
def test_stopped_by_all_its_callbacks_at_once(timeout: float) -> None:
    together = threading.Barrier(THREADS)

    def call(req: dict[str, Any]) -> dict[str, Any]:
        together.wait(PATIENCE)
        server.stop(timeout)
        return ok()

    server = start(call)
    threads = callback_threads()
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(address(server))) for _ in range(THREADS)]
        for wire in wires:
            wire.send(request())
        for wire in wires:
            with contextlib.suppress(ConnectionError):
                wire.rest()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert not server.isRunning()


def test_one_pool_for_two_servers() -> None:
    pool = ThreadDispatcher(2)
    together = threading.Barrier(2)

    def call(req: dict[str, Any]) -> dict[str, Any]:
        together.wait(PATIENCE)
        return ok()

    with start(call, pool) as first:
        with start(call, pool) as second, Wire(address(first)) as one, Wire(address(second)) as two:
            one.send(request())
            two.send(request())
            assert one.response().status == two.response().status == 200
            assert len(callback_threads()) == 2
        assert len(callback_threads()) == 2
    assert callback_threads() == []
    with start(lambda req: ok(), pool) as server:  # and again
        assert fetch(address(server), request()).status == 200


@pytest.mark.parametrize("dispatch", ["thread", 4])
@pytest.mark.parametrize("busy", ["idle", "in a callback", "in a stream"])
def test_never_stopped_ends_with_the_interpreter(dispatch: str | int, busy: str) -> None:
    run_script(f"""
        import socket, threading, httpuv
        inside, never = threading.Semaphore(0), threading.Event()
        def pieces():
            inside.release()
            while True:
                yield b"x"
        def call(req):
            if {busy == "in a stream"}:
                return {{"status": 200, "body": pieces()}}
            inside.release()
            never.wait()
        server = httpuv.startServer("127.0.0.1", 0, call, dispatch={dispatch!r})
        sockets = [socket.create_connection(("127.0.0.1", server.getPort())) for _ in range(2)]
        if {busy != "idle"}:
            for each in sockets:
                each.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
            inside.acquire()
    """)


# --- what it does not change --------------------------------------------------------------------


def test_service_and_run_now_run_nothing_of_a_pool() -> None:
    names: list[str] = []

    def call(req: dict[str, Any]) -> dict[str, Any]:
        names.append(threading.current_thread().name)
        return ok()

    with (
        start(call) as pooled,
        start(call, "service") as served,
        Wire(address(pooled)) as one,
        Wire(address(served)) as two,
    ):
        for _ in range(10):
            one.send(request())
            assert one.response().status == 200
        assert httpuv.runNow() is False
        assert set(names) == {"httpuv callbacks"}
        two.send(request())
        assert httpuv.runNow(PATIENCE) is True
        assert two.response().status == 200
        assert names[-1] == threading.current_thread().name


@pytest.mark.parametrize("dispatch", ["thread", 3])
def test_no_signal_handlers_whichever_thread_starts_it(dispatch: str | int) -> None:
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    wakeup = signal.set_wakeup_fd(-1)
    servers: list[httpuv.WebServer] = []
    thread = threading.Thread(target=lambda: servers.append(start(lambda req: ok(), dispatch)))
    thread.start()
    thread.join()
    with servers[0] as server:
        assert fetch(address(server), request()).status == 200
        assert {number: signal.getsignal(number) for number in signal.valid_signals()} == before
        assert signal.set_wakeup_fd(wakeup) == -1


@pytest.mark.parametrize(("value", "kind"), [(0, ValueError), (-2, ValueError), (True, TypeError)])
def test_wrong_numbers(value: object, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="dispatch must be"):
        start(lambda req: ok(), value)


def test_more_threads_than_there_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = threading.Thread.start
    left = 3

    def start_some(thread: threading.Thread) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError("can't start new thread")
        begin(thread)

    pool = ThreadDispatcher(5)
    monkeypatch.setattr(threading.Thread, "start", start_some)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        start(lambda req: ok(), pool)
    monkeypatch.undo()
    until = time.monotonic() + PATIENCE
    while callback_threads():
        assert time.monotonic() < until
        time.sleep(0.01)
    with start(lambda req: ok(), pool) as server:
        assert fetch(address(server), request()).status == 200
