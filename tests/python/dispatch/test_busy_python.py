"""What C++ does goes on while the interpreter does something else."""

import threading
import time

import httpuv
from programs import ends_well, local, script
from support import PATIENCE, Wire, fetch, request
from ws_support import TEXT, Client, frame


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


def test_what_a_callback_sends_leaves_while_it_goes_on() -> None:
    go_on = threading.Event()
    went_on = []

    def on_open(ws: httpuv.WebSocket) -> None:
        @ws.onMessage
        def work(binary: bool, message: str | bytes) -> None:
            time.sleep(0.05)  # the loop sleeps by now
            ws.send("begun")
            went_on.append(go_on.wait(PATIENCE / 2))

    app = {"onWSOpen": on_open}
    with (
        httpuv.startServer("127.0.0.1", 0, app, dispatch="thread") as server,
        Client.open(server) as client,
    ):
        client.send(frame(TEXT, "work"))
        assert client.frame().payload == b"begun"
        go_on.set()
        client.send(frame(TEXT, "more"))
        assert client.frame().payload == b"begun"
    assert went_on[0], "it came when the callback was through"
