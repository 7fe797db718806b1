"""Exit, signals, fork, cycles: each in a process of its own, with a time limit."""

import os
import signal
import statistics
import textwrap
import time

import pytest
from support import Script, Wire, fetch, request, run_script

PRELUDE = """
import ctypes, math, os, signal, socket, sys, threading, time
import warnings
import httpuv

# Python 3.12 and later warn of what these tests are about.
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)

def say(*words):
    print(*words, flush=True)

def hello(req):
    return {"status": 200, "body": "hello"}

def start(app=hello, **options):
    server = httpuv.startServer("127.0.0.1", 0, app, **options)
    say(server.getPort())
    return server

def get(port, target="/"):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(f"GET {target} HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n".encode())
        data = b""
        while more := s.recv(65536):
            data += more
        return data
"""


def script(code: str) -> Script:
    return Script(PRELUDE + textwrap.dedent(code))


def run(code: str) -> str:
    return run_script(PRELUDE + textwrap.dedent(code))


def local(child: Script) -> tuple[str, int]:
    return ("127.0.0.1", int(child.line()))


def ends_well(child: Script) -> str:
    status, output, errors = child.finish()
    assert (status, errors) == (0, ""), f"{status}\n{output}\n{errors}"
    return output


# --- exit ---


def test_exit_with_a_server_nobody_stopped() -> None:
    run("start(); start()")


def test_exit_right_after_start() -> None:
    run("httpuv.startServer('127.0.0.1', 0, {}); os.write(1, b'')")


def test_exit_with_requests_waiting_and_connections_open() -> None:
    with script("start(); sys.stdin.readline()") as child:
        where = local(child)
        with Wire(where) as first, Wire(where) as second, Wire(where):
            first.send(request() * 10)
            second.send(request()[:-5])
            child.tell()
            ends_well(child)
            assert first.at_end()
            assert second.at_end()


def test_exit_in_the_middle_of_large_answers() -> None:
    code = """
    start(lambda req: {"status": 200, "body": b"x" * 50_000_000})
    while not httpuv.runNow(1): pass
    """
    with script(code) as child, Wire(local(child)) as wire:
        wire.send(request())
        ends_well(child)
        assert len(wire.rest()) < 50_000_000


@pytest.mark.parametrize("how", ["sys.exit(3)", "raise SystemExit(3)"])
def test_exit_from_inside_a_callback(how: str) -> None:
    code = f"""
    def call(req):
        {how}
    start(call)
    httpuv.service(0)
    """
    with script(code) as child, Wire(local(child)) as wire:
        wire.send(request())
        status, _, errors = child.finish()
        assert (status, errors) == (3, "")


def test_exit_while_a_daemon_thread_serves() -> None:
    code = """
    start()
    threading.Thread(target=lambda: httpuv.service(0), daemon=True).start()
    sys.stdin.readline()
    """
    for _ in range(5):
        with script(code) as child:
            assert fetch(local(child), request()).body == b"hello"
            child.tell()
            ends_well(child)


def test_exit_while_a_daemon_thread_calls_service_for_ever() -> None:
    code = """
    start()
    def run():
        while True:
            httpuv.service(10)
    threading.Thread(target=run, daemon=True).start()
    sys.stdin.readline()
    """
    with script(code) as child:
        assert fetch(local(child), request()).body == b"hello"
        child.tell()
        ends_well(child)


def test_exit_while_a_daemon_thread_is_in_a_callback() -> None:
    code = """
    busy = threading.Event()
    def call(req):
        busy.set()
        time.sleep(1000)
    start(call)
    threading.Thread(target=lambda: httpuv.service(0), daemon=True).start()
    busy.wait()
    """
    with script(code) as child, Wire(local(child)) as wire:
        wire.send(request())
        start = time.monotonic()
        ends_well(child)
        assert time.monotonic() - start < 10


@pytest.mark.skipif(
    "HTTPUV_SANITIZED" in os.environ,
    reason="CPython ends the thread with pthread_exit(); unwinding it, a debug build of pybind11"
    " insists on a GIL that is gone",
)
def test_exit_while_a_daemon_thread_wants_the_gil_in_a_callback() -> None:
    code = """
    busy = threading.Event()
    def call(req):
        busy.set()
        while True:
            time.sleep(0.0005)
    start(call)
    threading.Thread(target=lambda: httpuv.service(0), daemon=True).start()
    busy.wait()
    """
    for _ in range(5):
        with script(code) as child, Wire(local(child)) as wire:
            wire.send(request())
            ends_well(child)


def test_exit_under_load() -> None:
    code = """
    start()
    threading.Timer(0.3, lambda: httpuv.interrupt()).start()
    httpuv.service(0)
    """
    for _ in range(3):
        with script(code) as child:
            where = local(child)
            wires = [Wire(where) for _ in range(20)]
            try:
                while child.process.poll() is None:
                    for wire in wires:
                        wire.send(request() * 5)
                    for wire in wires:
                        for _ in range(5):
                            wire.response()
            except (OSError, EOFError):
                pass
            ends_well(child)
            for wire in wires:
                wire.close()


def test_unhandled_exception_is_what_is_seen() -> None:
    with script("start(); raise RuntimeError('mine')") as child:
        child.line()
        status, _, errors = child.finish()
        assert status == 1
        assert errors.splitlines()[-1] == "RuntimeError: mine"


def test_pipes_are_removed_at_exit(tmp_path) -> None:
    path = tmp_path / "socket"
    run(f"httpuv.startPipeServer({str(path)!r}, None, hello); assert os.path.exists({str(path)!r})")
    assert not path.exists()


# --- signals ---


@pytest.mark.parametrize(
    "loop",
    [
        "httpuv.service(0)",
        "httpuv.service(math.inf)",
        "httpuv.service(1000000)",
        "httpuv.runNow(math.inf)",
        "httpuv.runServer('127.0.0.1', 0, hello)",
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
    delays = []
    for _ in range(3):
        with script(code) as child:
            child.line()
            child.line()
            os.kill(child.pid, signal.SIGINT)
            sent = time.monotonic()
            delays.append(float(child.line()) - sent)
            ends_well(child)
    assert statistics.median(delays) < 0.1


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


# --- fork ---


def test_fork() -> None:
    code = """
    server = start()
    port = server.getPort()
    say("ready")
    child = os.fork()
    if child == 0:
        assert httpuv.listServers() == []
        assert not server.isRunning()
        server.stop()
        assert httpuv.runNow() is False
        # It starts clean: its own server works.
        with httpuv.startServer("127.0.0.1", 0, hello) as own:
            thread = threading.Thread(target=lambda: say(get(own.getPort())[-5:].decode()))
            thread.start()
            while thread.is_alive():
                httpuv.service(10)
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
    # The parent goes on, and its server was not hurt.
    thread = threading.Thread(target=lambda: say(get(port)[-5:].decode()))
    thread.start()
    while thread.is_alive():
        httpuv.service(10)
    """
    with script(code) as child:
        child.line()
        assert child.line() == "ready"
        assert child.line() == "hello"
        assert child.line() == "hello"
        ends_well(child)


def test_port_is_free_although_a_child_lives_on() -> None:
    run(
        """
        server = start()
        port = server.getPort()
        r, w = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(w)
            os.read(r, 1)  # until the parent is through
            os._exit(0)
        server.stop()
        httpuv.startServer("127.0.0.1", port, hello).stop()
        os.close(w)
        assert os.waitpid(child, 0)[1] == 0
        """
    )


def test_connections_are_the_parents_alone() -> None:
    code = """
    server = start()
    httpuv.service(100)
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(w)
        os.read(r, 1)
        os._exit(0)
    httpuv.runNow(10)
    server.stop()
    say("stopped")
    sys.stdin.readline()
    os.close(w)
    os.waitpid(child, 0)
    """
    with script(code) as child, Wire(local(child)) as wire:
        wire.send(request())
        assert wire.response().body == b"hello"
        assert child.line() == "stopped"
        assert wire.at_end()  # FIN, although the child lives
        child.tell()
        ends_well(child)


def test_fork_inside_a_callback() -> None:
    code = """
    def call(req):
        child = os.fork()
        if child == 0:
            return {"status": 500, "body": "the child's"}
        assert os.waitpid(child, 0)[1] == 0
        return {"status": 200, "body": "the parent's"}

    server = start(call)
    parent = os.getpid()
    ran = []
    httpuv.later(lambda: ran.append(1), 0.2)
    httpuv.service(500)
    if os.getpid() != parent:
        # The child left the parent's loop at once, and ends as any program does.
        assert ran == []
        assert httpuv.listServers() == []
        sys.exit(0)
    say("parent")
    """
    with script(code) as child, Wire(local(child)) as wire:
        wire.send(request())
        response = wire.response()
        assert (response.status, response.body) == (200, b"the parent's")
        assert child.line() == "parent"
        ends_well(child)


def test_fork_while_serving_under_load() -> None:
    code = """
    start()
    def forks():
        for _ in range(30):
            child = os.fork()
            if child == 0:
                with httpuv.startServer("127.0.0.1", 0, hello):
                    pass
                sys.stdout = None
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        say("forked")
        httpuv.interrupt()
    threading.Thread(target=forks).start()
    httpuv.service(0)
    """
    with script(code) as child:
        where = local(child)
        with Wire(where) as wire:
            answered = 0
            try:
                while True:
                    wire.send(request())
                    assert wire.response().body == b"hello"
                    answered += 1
            except (OSError, EOFError):
                pass
        assert answered > 0
        assert child.line() == "forked"
        ends_well(child)


def test_subprocess_and_multiprocessing() -> None:
    run(
        """
        import multiprocessing, subprocess
        server = start()
        five = subprocess.run([sys.executable, "-c", "print(5)"], capture_output=True)
        assert five.stdout == b"5\\n"
        context = multiprocessing.get_context("fork")
        with context.Pool(2) as pool:
            assert pool.map(abs, [-1, -2]) == [1, 2]
        assert server.isRunning()
        """
    )


# --- cycles ---


def test_1000_cycles() -> None:
    run(
        """
        def resources():
            return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
        for i in range(1000):
            httpuv.startServer("127.0.0.1", 0, hello).stop()
            if i == 10:
                before = resources()
        assert resources() == before, (before, resources())
        """
    )


def test_100_cycles_under_load() -> None:
    run(
        """
        stop = threading.Event()
        ports = []
        answers = [0]
        def load():
            while not stop.is_set():
                try:
                    answers[0] += get(ports[-1]).endswith(b"hello") if ports else 0
                except OSError:
                    pass
        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(100):
            with httpuv.startServer("127.0.0.1", 0, hello) as server:
                ports.append(server.getPort())
                before = answers[0]
                until = time.monotonic() + 10
                while answers[0] == before and time.monotonic() < until:
                    httpuv.service(5)
        stop.set()
        for thread in threads:
            thread.join()
        assert answers[0] >= 100, answers
        """
    )


def test_cycles_from_several_threads() -> None:
    run(
        """
        def cycle():
            for _ in range(50):
                httpuv.startServer("127.0.0.1", 0, hello).stop()
        threads = [threading.Thread(target=cycle) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert httpuv.listServers() == []
        """
    )


# --- a busy interpreter ---


def test_files_are_served_while_the_gil_is_held(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"static")
    code = f"""
    start({{"staticPaths": {{"/": {str(tmp_path)!r}}}}})
    say("holding")
    # PyDLL calls with the GIL held: no Python runs until the test writes a byte.
    ctypes.PyDLL(None).read(0, ctypes.create_string_buffer(1), 1)
    say("released")
    """
    with script(code) as child:
        where = local(child)
        assert child.line() == "holding"
        with Wire(where) as wire:
            for _ in range(100):
                wire.send(request("/file"))
                assert wire.response().body == b"static"
            wire.send(request("/none"))
            assert wire.response().status == 404
        assert fetch(where, b"GET / HTTP/1.1\r\n\r\n").status == 400
        child.tell()
        assert child.line() == "released"
        ends_well(child)


def test_files_are_served_while_python_spins(tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"static")
    code = f"""
    start({{"staticPaths": {{"/": {str(tmp_path)!r}}}}})
    go = []
    threading.Thread(target=lambda: (sys.stdin.readline(), go.append(1))).start()
    while not go:
        pass
    """
    with script(code) as child, Wire(local(child)) as wire:
        for _ in range(200):
            wire.send(request("/file"))
            assert wire.response().body == b"static"
        child.tell()
        ends_well(child)


def test_limits_hold_while_the_gil_is_held() -> None:
    code = """
    start(limits=httpuv.Limits(header_timeout=0.2, max_head_bytes=1000))
    say("holding")
    ctypes.PyDLL(None).read(0, ctypes.create_string_buffer(1), 1)
    """
    with script(code) as child:
        where = local(child)
        child.line()
        with Wire(where) as wire:
            wire.send(b"GET / HT")
            assert wire.response().status == 408
        assert fetch(where, request("/", "A: " + "x" * 2000)).status == 431
        child.tell()
        ends_well(child)
