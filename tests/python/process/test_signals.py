"""Signals: Ctrl-C, the program's own handlers, SIGPIPE."""

import os
import signal
import time

import pytest
from programs import ends_well, local, run, script
from support import Wire, fetch, request


@pytest.mark.clock
@pytest.mark.parametrize(
    "loop",
    [
        "httpuv.service(0)",
        "httpuv.service(math.inf)",
        "httpuv.service(1000000)",
        "httpuv.runNow(math.inf)",
        "httpuv.runServer('127.0.0.1', 0, hello, quiet=True); raise KeyboardInterrupt",
    ],
)
def test_keyboard_interrupt_within_100_ms(loop: str) -> None:
    code = f"""
    start()
    try:
        say("ready")
        {loop}
    except KeyboardInterrupt:
        say(time.monotonic())
    """
    # What is measured includes the machine's other work, so most of the tries decide.
    within = []
    while len(within) < 3 or (sum(within) <= len(within) / 2 and len(within) < 15):
        with script(code) as child:
            child.line()
            child.line()
            sent = time.monotonic()
            os.kill(child.pid, signal.SIGINT)
            within.append(float(child.line()) - sent < 0.1)
            ends_well(child)
    assert sum(within) > len(within) / 2, within


def test_keyboard_interrupt_while_another_thread_serves() -> None:
    code = """
    start()
    threading.Thread(target=lambda: httpuv.service(0), daemon=True).start()
    try:
        say("ready")
        httpuv.service(0)  # waits for its turn
    except KeyboardInterrupt:
        say("interrupted")
    """
    with script(code) as child:
        child.line()
        child.line()
        os.kill(child.pid, signal.SIGINT)
        assert child.line() == "interrupted"
        ends_well(child)


def test_keyboard_interrupt_in_a_callback_loses_nothing() -> None:
    code = """
    seen = []
    def call(req):
        seen.append(req["PATH_INFO"])
        if len(seen) == 1:
            signal.raise_signal(signal.SIGINT)
        return {"status": 200, "body": "hello"}
    start(call)
    try:
        httpuv.service(0)
    except KeyboardInterrupt:
        say("interrupted", *seen)
    while len(seen) < 3:
        httpuv.service(100)
    say(*seen)
    """
    with script(code) as child, Wire(local(child)) as wire:
        wire.send(request("/1"), request("/2"), request("/3"))
        assert child.line() == "interrupted /1"
        assert child.line() == "/1 /2 /3"
        assert wire.response().status == 500
        assert wire.response().status == 200
        ends_well(child)


def test_other_signal_handlers_run_and_the_loop_goes_on() -> None:
    code = """
    signal.signal(signal.SIGUSR1, lambda *_: say("handled"))
    start()
    say("ready")
    httpuv.service(0)
    """
    with script(code) as child:
        where = local(child)
        child.line()
        for _ in range(5):
            os.kill(child.pid, signal.SIGUSR1)
            assert child.line() == "handled"
            assert fetch(where, request()).body == b"hello"
        os.kill(child.pid, signal.SIGINT)
        status, _, errors = child.finish()
        assert status == -signal.SIGINT
        assert errors.splitlines()[-1] == "KeyboardInterrupt"


def test_a_signal_at_the_end_of_a_handler_is_not_missed() -> None:
    """While a handler runs, the next signal may ring in a turn of the loop's own thread."""
    code = """
    def first(*_):
        time.sleep(0.004)
        say("first")
    signal.signal(signal.SIGUSR1, first)
    signal.signal(signal.SIGHUP, lambda *_: say("second"))
    start()
    httpuv.later(lambda: say("ready"))  # the loop is running
    httpuv.service(0)
    """
    with script(code) as child:
        local(child)
        assert child.line() == "ready"
        for _ in range(200):
            os.kill(child.pid, signal.SIGUSR1)
            assert child.line() == "first"
            os.kill(child.pid, signal.SIGHUP)  # Python has looked for signals for the last time
            assert child.line() == "second"


def test_interrupt_from_a_signal_handler() -> None:
    code = """
    signal.signal(signal.SIGTERM, lambda *_: httpuv.interrupt())
    start()
    httpuv.later(lambda: say("ready"))  # the loop is running
    httpuv.service(0)
    say("done")
    """
    with script(code) as child:
        child.line()
        child.line()
        os.kill(child.pid, signal.SIGTERM)
        assert child.line() == "done"
        ends_well(child)


def test_sigpipe_at_its_default() -> None:
    code = """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    start(lambda req: {"status": 200, "body": b"x" * 1_000_000})
    httpuv.service(0)
    """
    with script(code) as child:
        where = local(child)
        for _ in range(30):
            wire = Wire(where)
            wire.send(request() * 5)
            wire.reset()
        assert len(fetch(where, request()).body) == 1_000_000
        os.kill(child.pid, signal.SIGINT)
        child.finish()


def test_server_thread_takes_no_signals() -> None:
    run(
        """
        start()
        blocked = []
        for task in os.listdir("/proc/self/task"):
            if int(task) != os.getpid():
                for line in open(f"/proc/self/task/{task}/status"):
                    if line.startswith("SigBlk:"):
                        blocked.append(int(line.split()[1], 16))
        wanted = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD):
            wanted |= 1 << (number - 1)
        assert any(mask & wanted == wanted for mask in blocked), blocked
        """
    )
