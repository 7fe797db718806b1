"""Programs end, whatever their servers do at that moment: without a hang, a crash or output."""

import pytest
from programs import ends_well, local, run, script
from support import Wire, fetch, request, run_script


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


@pytest.mark.parametrize("serve", ["httpuv.service(0)", "while True: httpuv.service(10)"])
def test_exit_while_a_daemon_thread_serves(serve: str) -> None:
    code = f"""
    start()
    def run():
        {serve}
    threading.Thread(target=run, daemon=True).start()
    sys.stdin.readline()
    """
    for _ in range(3):
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
        ends_well(child)  # long before the callback would


@pytest.mark.parametrize(
    "callbacks",
    [
        "{'call': busy}",
        "{'onHeaders': busy}",
        "{'call': lambda req: {'status': 200, 'body': iter_busy()}}",
        "{'call': hello, 'onBodyData': busy}",
    ],
)
def test_exit_while_a_daemon_thread_wants_the_gil_in_a_callback(callbacks: str) -> None:
    """CPython before 3.14 ends that thread, which must not drop references on its way."""
    code = f"""
    begun = threading.Event()
    def busy(*args):
        begun.set()
        while True:
            time.sleep(0.0005)
    def iter_busy():
        yield b""
        busy()
    start({callbacks})
    threading.Thread(target=lambda: httpuv.service(0), daemon=True).start()
    begun.wait()
    """
    for _ in range(3):
        with script(code) as child, Wire(local(child)) as wire:
            wire.send(request(method="POST", body=b"x" * 100))
            ends_well(child)


def test_exit_while_daemon_threads_call_the_package() -> None:
    """Calls that give up the GIL ask for it when the interpreter does not give it any more."""
    code = """
    server = start()
    begun = threading.Semaphore(0)
    def run():
        begun.release()
        while True:
            # As setStaticPath(), which a stopped server refuses.
            server._core.set_routes([], server._mime)
    for _ in range(3):
        threading.Thread(target=run, daemon=True).start()
    for _ in range(3):
        begun.acquire()
    """
    for _ in range(5):
        with script(code) as child:
            child.line()
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


def test_exit_while_a_daemon_thread_stops_its_server() -> None:
    """It would be ended in the middle of C++, and the process with it."""
    for _ in range(5):
        output = run_script("""
            import contextlib, logging, socket, threading, time
            import httpuv

            logging.getLogger("httpuv.access").addHandler(logging.NullHandler())

            def ask():
                where = "127.0.0.1", httpuv.listServers()[0].getPort()
                with contextlib.suppress(OSError), socket.create_connection(where) as client:
                    while True:
                        client.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" * 8)
                        answered.set() if client.recv(9999) else None

            answered = threading.Event()
            app = lambda req: {"status": 200, "body": "x"}
            options = {"args": ("127.0.0.1", 0, app), "kwargs": {"accessLog": True, "quiet": True}}
            threading.Thread(target=httpuv.runServer, **options, daemon=True).start()
            while not httpuv.listServers():
                time.sleep(0.001)
            for _ in range(4):
                threading.Thread(target=ask, daemon=True).start()
            assert answered.wait(20)
            print("over")
        """)
        assert output == "over\n"
