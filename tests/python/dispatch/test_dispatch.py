"""service, interrupt, runServer, later and runNow, on any thread."""

import gc
import math
import os
import re
import signal
import threading
import time
import weakref
from collections.abc import Callable

import httpuv
import pytest
from conftest import Log
from httpuv import _core
from httpuv.dispatch import queue as dispatch
from programs import ends_well, local, script
from support import PATIENCE, Wire, address, fetch, request


@pytest.fixture(autouse=True)
def _no_timers_left() -> object:
    yield
    while httpuv.runNow():
        pass
    assert dispatch.default()._timers == []


def in_thread(func: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=func, daemon=True)
    thread.start()
    return thread


def joined(thread: threading.Thread) -> bool:
    thread.join(20)
    return not thread.is_alive()


# --- later and runNow ---


def test_later_runs_in_run_now() -> None:
    ran: list[int] = []
    httpuv.later(lambda: ran.append(1))
    assert ran == []
    assert httpuv.runNow() is True
    assert ran == [1]
    assert httpuv.runNow() is False


def test_order() -> None:
    ran: list[str] = []
    for name, delay in [("c", 0.03), ("a", 0.01), ("x", 0.0), ("b", 0.02), ("y", 0), ("z", -5)]:
        httpuv.later(lambda name=name: ran.append(name), delay)
    while len(ran) < 6:
        assert httpuv.runNow(20)
    assert ran == ["x", "y", "z", "a", "b", "c"]


def test_same_time_keeps_the_order_of_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(dispatch.time, "monotonic", lambda: now)
    ran: list[int] = []
    for i in range(100):
        httpuv.later(lambda i=i: ran.append(i))
    assert httpuv.runNow()
    assert ran == list(range(100))


def test_never_early() -> None:
    start, ran = time.monotonic(), []
    httpuv.later(lambda: ran.append(time.monotonic()), 0.05)
    assert httpuv.runNow(0.01) is False
    assert httpuv.runNow(20) is True
    assert 0.05 <= ran[0] - start < 5


def test_one_at_most() -> None:
    ran: list[int] = []
    for i in range(3):
        httpuv.later(lambda i=i: ran.append(i))
    for i in range(3):
        assert httpuv.runNow(all=False) is True
        assert ran == list(range(i + 1))
    assert httpuv.runNow(all=False) is False


def test_those_added_meanwhile_wait_for_the_next_round() -> None:
    ran: list[int] = []

    def again() -> None:
        ran.append(len(ran))
        if len(ran) < 5:
            httpuv.later(again)

    httpuv.later(again)
    for i in range(5):
        assert httpuv.runNow()
        assert len(ran) == i + 1


def test_a_timer_that_renews_itself_starves_nobody(running: object) -> None:
    stop = threading.Event()

    def again() -> None:
        if not stop.is_set():
            httpuv.later(again)

    again()
    with (
        httpuv.startServer("127.0.0.1", 0, lambda req: {"status": 200}) as server,
        Wire(address(server)) as wire,
    ):
        for _ in range(10):
            wire.send(request())
            assert wire.response().status == 200
    stop.set()


def test_cancel() -> None:
    ran: list[int] = []
    cancels = [httpuv.later(lambda i=i: ran.append(i), i / 1000) for i in range(10)]
    assert cancels[3]() is True
    assert cancels[3]() is False
    assert [cancel() for cancel in cancels[5:]] == [True] * 5
    while len(ran) < 4:
        assert httpuv.runNow(20)
    assert ran == [0, 1, 2, 4]
    assert cancels[0]() is False
    assert httpuv.runNow(0.05) is False


def test_cancelled_timers_are_let_go() -> None:
    class Thing: ...

    thing = Thing()
    gone = weakref.ref(thing)
    cancel = httpuv.later(lambda thing=thing: None, 1000)
    del thing
    assert cancel()
    gc.collect()
    assert gone() is None
    for _ in range(1000):
        httpuv.later(print, 1000)()
    assert len(dispatch.default()._timers) < 10


def test_cancel_from_inside() -> None:
    ran: list[str] = []
    httpuv.later(lambda: ran.append(f"cancelled {cancel()}"))
    cancel = httpuv.later(lambda: ran.append("not me"))
    httpuv.runNow()
    assert ran == ["cancelled True"]


def test_exceptions_are_logged(log: Log) -> None:
    ran: list[int] = []
    httpuv.later(lambda: 1 / 0)
    httpuv.later(lambda: ran.append(1))
    assert httpuv.runNow()
    assert ran == [1]
    log.expect("later() failed", "ZeroDivisionError", "Traceback")


def test_base_exceptions_leave() -> None:
    ran: list[int] = []

    def leave() -> None:
        raise KeyboardInterrupt

    httpuv.later(leave)
    httpuv.later(lambda: ran.append(1))
    with pytest.raises(KeyboardInterrupt):
        httpuv.runNow()
    assert ran == []
    assert httpuv.runNow()  # nothing is lost
    assert ran == [1]


@pytest.mark.clock
def test_wakes_a_loop_that_waits(running: threading.Thread) -> None:
    ran = threading.Event()
    # The fixture's loop is waiting, or about to: a timer from this thread must reach it at once.
    start = time.monotonic()
    httpuv.later(lambda: ran.set() if threading.current_thread() is running else None)
    assert ran.wait(20)
    assert time.monotonic() - start < 0.9  # its service(1000) would have looked by itself


def test_earlier_timer_wakes_too(running: threading.Thread) -> None:
    ran = threading.Event()
    cancel = httpuv.later(print, 900)
    httpuv.later(ran.set, 0.01)
    assert ran.wait(20)
    assert cancel()


def test_later_from_many_threads(running: threading.Thread) -> None:
    ran: list[int] = []
    done = threading.Semaphore(0)

    def add() -> None:
        for i in range(200):
            httpuv.later(lambda i=i: (ran.append(i), done.release()), i % 3 / 1000)

    for _ in range(5):
        in_thread(add)
    for _ in range(1000):
        assert done.acquire(timeout=20)
    assert sorted(ran) == sorted(list(range(200)) * 5)


@pytest.mark.parametrize(
    ("func", "delay", "kind", "message"),
    [
        (None, 0, TypeError, "func must be callable, not NoneType"),
        (print, "1", TypeError, "delaySecs must be a number, not '1'"),
        (print, True, TypeError, "delaySecs must be a number"),
        (print, math.inf, ValueError, "delaySecs must be finite"),
        (print, math.nan, ValueError, "delaySecs must be finite"),
    ],
)
def test_wrong_later(func: object, delay: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        httpuv.later(func, delay)


def test_wrong_run_now() -> None:
    with pytest.raises(TypeError, match="timeoutSecs must be a number"):
        httpuv.runNow("1")
    with pytest.raises(ValueError, match="timeoutSecs must not be nan"):
        httpuv.runNow(math.nan)


@pytest.mark.parametrize("timeout", [-1, math.inf])
def test_run_now_waits_as_long_as_it_takes(timeout: float) -> None:
    threading.Timer(0.05, lambda: httpuv.later(lambda: None)).start()
    assert httpuv.runNow(timeout) is True


def test_run_now_waits_for_a_request() -> None:
    with httpuv.startServer("127.0.0.1", 0, lambda req: {"status": 200}) as server:
        assert httpuv.runNow() is False
        assert httpuv.runNow(0.01) is False
        with Wire(address(server)) as wire:
            wire.send(request())
            assert httpuv.runNow(20) is True
            assert wire.response().status == 200


# --- service ---


def test_service_runs_for_the_time_it_is_given() -> None:
    ran: list[int] = []

    def again() -> None:
        ran.append(1)
        httpuv.later(again, 0.01)

    again()
    start = time.monotonic()
    httpuv.service(100)
    assert 0.1 <= time.monotonic() - start < 5
    assert len(ran) >= 3
    dispatch.default()._timers.clear()


def test_a_run_goes_on_until_it_is_woken() -> None:
    queue = _core.Queue()
    ran: list[int] = []

    def one() -> None:
        ran.append(1)
        if len(ran) < 5:
            queue.post(one)
        else:
            queue.wake()

    queue.post(one)
    assert queue.run(20, again=True) == 5
    queue.post(lambda: queue.post(one))
    assert queue.run(20) == 1  # what waits now, and no more


def test_a_run_that_is_never_idle_ends_in_time() -> None:
    queue = _core.Queue()

    def one() -> None:
        queue.post(one)

    queue.post(one)
    assert queue.run(0.02, again=True) > 1
    assert queue.pending() == 1


def test_default_is_a_second_unless_interactive(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float | None] = []
    monkeypatch.setattr(dispatch.Dispatcher, "serve", lambda self, s, until=None: asked.append(s))
    monkeypatch.setattr(dispatch, "interactive", lambda: False)
    httpuv.service()
    monkeypatch.setattr(dispatch, "interactive", lambda: True)
    httpuv.service()
    httpuv.service(250)
    httpuv.service(0)
    httpuv.service(math.inf)
    assert asked == [1.0, 0.1, 0.25, None, None]


@pytest.mark.parametrize("timeout", [None, math.nan])
def test_not_waiting(timeout: float | None) -> None:
    ran: list[int] = []
    for i in range(3):
        httpuv.later(lambda i=i: ran.append(i))
    httpuv.later(lambda: ran.append(9), 900)
    start = time.monotonic()
    httpuv.service(timeout)
    assert time.monotonic() - start < 5
    assert ran == [0, 1, 2]
    dispatch.default()._timers.clear()


@pytest.mark.parametrize(
    ("timeout", "kind", "message"),
    [
        (-1, ValueError, "timeoutMs must not be negative"),
        (-math.inf, ValueError, "timeoutMs must not be negative"),
        ("5", TypeError, "timeoutMs must be a number"),
        (True, TypeError, "timeoutMs must be a number"),
    ],
)
def test_wrong_service(timeout: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        httpuv.service(timeout)


# --- interrupt ---


@pytest.mark.parametrize("timeout", [0, math.inf, 60_000])
def test_interrupt_from_a_callback(timeout: float) -> None:
    ran: list[str] = []
    httpuv.later(lambda: (ran.append("first"), httpuv.interrupt()))
    httpuv.later(lambda: ran.append("second"))
    httpuv.service(timeout)
    assert ran == ["first"]  # no further task is processed
    httpuv.service(None)
    assert ran == ["first", "second"]


def test_interrupt_from_a_request_leaves_the_others() -> None:
    def call(req: dict) -> dict:
        httpuv.interrupt()
        return {"status": 200, "body": req["PATH_INFO"]}

    with httpuv.startServer("127.0.0.1", 0, call) as server, Wire(address(server)) as wire:
        wire.send(b"".join(request(f"/{i}") for i in range(5)))
        for i in range(5):
            httpuv.service(0)
            assert wire.response().body == f"/{i}".encode()
        wire.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            wire.response()


def test_interrupt_from_another_thread() -> None:
    for _ in range(20):
        entered = threading.Event()
        httpuv.later(entered.set)
        thread = in_thread(lambda: httpuv.service(0))
        assert entered.wait(20)
        httpuv.interrupt()
        assert joined(thread)


def test_interrupt_without_a_loop_does_nothing() -> None:
    httpuv.interrupt()
    ran: list[int] = []
    httpuv.later(lambda: ran.append(1), 0.02)
    assert httpuv.runNow(20)
    assert ran == [1]


def test_interrupt_ends_run_now() -> None:
    httpuv.later(entered.set) if (entered := threading.Event()) else None
    result: list[bool] = []

    def wait() -> None:
        httpuv.runNow()
        result.append(httpuv.runNow(math.inf))

    thread = in_thread(wait)
    assert entered.wait(20)
    while thread.is_alive():
        httpuv.interrupt()
        thread.join(0.01)
    assert result == [False]


def test_interrupt_ends_nested_loops() -> None:
    ran: list[str] = []

    def outer() -> None:
        httpuv.later(inner)
        httpuv.service(0)
        ran.append("outer")

    def inner() -> None:
        ran.append("inner")
        httpuv.interrupt()

    httpuv.later(outer)
    httpuv.later(lambda: ran.append("other"), 0.5)
    httpuv.service(0)
    assert ran == ["inner", "outer"]
    dispatch.default()._timers.clear()


def test_interrupt_ends_nested_loops_inside_requests() -> None:
    ran: list[str] = []

    def call(req: dict) -> dict:
        ran.append(req["PATH_INFO"])
        if req["PATH_INFO"] == "/nest":
            httpuv.service(0)
        elif req["PATH_INFO"] == "/interrupt":
            httpuv.interrupt()
        return {"status": 200}

    with httpuv.startServer("127.0.0.1", 0, call) as server, Wire(address(server)) as wire:
        wire.send(*(request(target) for target in ("/nest", "/interrupt", "/left")))
        httpuv.service(0)
        assert ran == ["/nest", "/interrupt"]
        assert wire.response().status == wire.response().status == 200
        httpuv.service(None)
        assert ran == ["/nest", "/interrupt", "/left"]


# --- several threads ---


def test_several_threads_may_serve() -> None:
    by: dict[str, int] = {}
    inside = threading.Lock()

    def call(req: dict) -> dict:
        assert inside.acquire(blocking=False), "two callbacks at once"
        name = threading.current_thread().name
        by[name] = by.get(name, 0) + 1
        inside.release()
        return {"status": 200}

    with httpuv.startServer("127.0.0.1", 0, call) as server:
        threads = [in_thread(lambda: httpuv.service(0)) for _ in range(4)]
        with Wire(address(server)) as wire:
            for _ in range(200):
                wire.send(request())
                assert wire.response().status == 200
        while any(thread.is_alive() for thread in threads):
            httpuv.interrupt()
            for thread in threads:
                thread.join(0.01)
    assert sum(by.values()) == 200


def test_those_that_wait_for_their_turn_keep_their_time(running: threading.Thread) -> None:
    start = time.monotonic()
    httpuv.service(50)  # the fixture's thread is the one that runs
    assert 0.05 <= time.monotonic() - start < 10
    assert httpuv.runNow(0) in (True, False)


def test_nested_service_runs_the_rest_of_the_batch() -> None:
    order: list[str] = []

    def call(req: dict) -> dict:
        order.append(f"begin {req['PATH_INFO']}")
        if req["PATH_INFO"] == "/0":
            while len(order) < 5:
                httpuv.service(None)
        order.append(f"end {req['PATH_INFO']}")
        return {"status": 200, "body": req["PATH_INFO"]}

    with httpuv.startServer("127.0.0.1", 0, call) as server, Wire(address(server)) as wire:
        wire.send(*(request(f"/{i}") for i in range(3)))
        while len(order) < 6:
            assert httpuv.runNow(20)
        for i in range(3):
            assert wire.response().body == f"/{i}".encode()
    assert order == ["begin /0", "begin /1", "end /1", "begin /2", "end /2", "end /0"]


# --- runServer ---


def test_run_server() -> None:
    answers: list[bytes] = []

    def client() -> None:
        while not httpuv.listServers():
            started.wait(0.01)
        with Wire(address(httpuv.listServers()[0])) as wire:
            wire.send(request())
            answers.append(wire.response().body)
        httpuv.interrupt()

    started = threading.Event()
    thread = in_thread(client)
    httpuv.runServer("127.0.0.1", 0, lambda req: {"status": 200, "body": "hello"})
    assert joined(thread)
    assert answers == [b"hello"]
    assert httpuv.listServers() == []


def test_run_server_ends_when_its_server_is_stopped() -> None:
    httpuv.later(lambda: httpuv.stopAllServers())
    httpuv.runServer("127.0.0.1", 0, {})
    threading.Timer(0.05, httpuv.stopAllServers).start()
    httpuv.runServer("127.0.0.1", 0, {})


def test_two_run_servers_end_each_with_its_own() -> None:
    """One leads and the other waits for its turn; either may be stopped first."""
    for first in (0, 1):
        threads: list[threading.Thread] = []
        for n in range(2):
            threads.append(in_thread(lambda: httpuv.runServer("127.0.0.1", 0, {})))
            while len(httpuv.listServers()) <= n:
                threads[n].join(0.001)
        servers = httpuv.listServers()
        servers[first].stop()
        assert joined(threads[first])
        assert threads[1 - first].is_alive()
        servers[1 - first].stop()
        assert joined(threads[1 - first])


def test_interrupt_reaches_all_loops() -> None:
    for _ in range(10):
        threads = [in_thread(lambda: httpuv.service(0)) for _ in range(4)]
        while any(thread.is_alive() for thread in threads):
            httpuv.interrupt()  # again if it came before a loop began
            for thread in threads:
                thread.join(0.005)


def test_a_callback_cancelled_by_the_one_before_it_does_not_run() -> None:
    ran: list[str] = []
    cancels: list[Callable[[], bool]] = []
    httpuv.later(lambda: ran.append(f"first {cancels[0]()} {cancels[0]()}"))
    cancels.append(httpuv.later(lambda: ran.append("second")))
    httpuv.later(lambda: ran.append("third"))
    while httpuv.runNow():
        pass
    assert ran == ["first True False", "third"]


def test_run_server_on_another_thread() -> None:
    thread = in_thread(lambda: httpuv.runServer("127.0.0.1", 0, {}))
    while thread.is_alive():
        httpuv.interrupt()
        thread.join(0.02)


def test_run_server_lets_exceptions_out_and_stops() -> None:
    def leave() -> None:
        raise SystemExit

    httpuv.later(leave)
    with pytest.raises(SystemExit):
        httpuv.runServer("127.0.0.1", 0, {})
    assert httpuv.listServers() == []


def test_two_run_servers_run_each_its_own_callbacks() -> None:
    """Also where one of them is busy, and interrupt() in a callback ends the loop that runs it."""
    held, go_on = threading.Event(), threading.Event()
    timers: list[str] = []

    def call(req: dict) -> dict:
        if req["PATH_INFO"] == "/hold":
            held.set()
            assert go_on.wait(PATIENCE)
        if req["PATH_INFO"] == "/interrupt":
            httpuv.later(lambda: timers.append(threading.current_thread().name))
            httpuv.later(httpuv.interrupt)
        return {"status": 200, "body": threading.current_thread().name}

    threads: list[threading.Thread] = []
    while len(threads) < 2:
        threads.append(in_thread(lambda: httpuv.runServer("127.0.0.1", 0, call)))
        while len(httpuv.listServers()) < len(threads):
            threads[-1].join(0.001)
    servers = httpuv.listServers()  # in the order in which they were started
    names = [fetch(address(server), request()).body.decode() for server in servers]
    assert names == [thread.name for thread in threads]
    for busy, other in ((0, 1), (1, 0)):
        held.clear()
        go_on.clear()
        with Wire(address(servers[busy])) as wire:
            wire.send(request("/hold"))
            assert held.wait(PATIENCE)
            for _ in range(5):
                assert fetch(address(servers[other]), request()).body.decode() == names[other]
            go_on.set()
            assert wire.response().status == 200
    for last in (1, 0):
        fetch(address(servers[last]), request("/interrupt"))
        assert joined(threads[last])
        assert threads[0].is_alive() == (last == 1)
    assert timers == [names[1], names[0]]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_run_server_ends_in_silence(name: str) -> None:
    code = """
    def call(req):
        if req["PATH_INFO"] == "/slow":
            say("slowly")
            sys.stdin.readline()
        return {"status": 200, "body": "hello"}
    httpuv.runServer("127.0.0.1", 0, call)
    say("over", httpuv.listServers(), signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)
    """
    with script(code) as child:
        found = re.fullmatch(
            r"Serving at http://127\.0\.0\.1:(\d+)/ \(Ctrl-C to stop\)", child.error_line()
        )
        assert found
        assert fetch(("127.0.0.1", int(found[1])), request()).body == b"hello"
        os.kill(child.pid, getattr(signal, name))
        assert child.line() == "over [] True"
        ends_well(child)


@pytest.mark.parametrize("again", [False, True])
def test_run_server_lets_an_answer_under_way_arrive(again: bool) -> None:
    """Unless Ctrl-C comes a second time."""
    code = """
    from concurrent.futures import Future
    answers = []
    def call(req):
        answers.append(Future())
        httpuv.later(lambda: say("called"))  # when this has returned
        return answers[0]
    def finish():
        if sys.stdin.readline():
            answers[0].set_result({"status": 200, "body": "hello"})
    threading.Thread(target=finish, daemon=True).start()
    def watch():
        while not httpuv.listServers():
            time.sleep(0.001)
        say(httpuv.listServers()[0].getPort())
        while httpuv.listServers():
            time.sleep(0.001)
        say("stopping")
    threading.Thread(target=watch, daemon=True).start()
    httpuv.runServer("127.0.0.1", 0, call, quiet=True, grace=100)
    say("over")
    """
    with script(code) as child, Wire(local(child)) as wire:
        wire.send(request())
        assert child.line() == "called"
        os.kill(child.pid, signal.SIGINT)
        assert child.line() == "stopping"
        if again:
            os.kill(child.pid, signal.SIGINT)
            assert wire.at_end()
        else:
            child.tell()
            assert wire.response().body == b"hello"
        assert child.line() == "over"
        ends_well(child)


def test_interrupt_interval_is_deprecated() -> None:
    httpuv.later(httpuv.interrupt)
    with pytest.warns(DeprecationWarning, match="interruptIntervalMs"):
        httpuv.runServer("127.0.0.1", 0, {}, 100)
