"""The thread that runs callbacks drives the loop of its server while it has nothing else to do."""

import os
import signal
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import httpuv
import pytest
from programs import ends_well, local, run, script
from support import Wire, fetch, get, request
from ws_support import Client

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are looked at in /proc")

#: How often each thread of the program gave the processor away, in a separate program.
SWITCHES = """
    def switches():
        total = 0
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/status") as status:
                total += sum(int(line.split()[1]) for line in status if line.startswith("vol"))
        return total
"""


#: Programs that serve until `end()`, which is called on another thread; watch() looks at them.
IDLE = {
    "service": """
        server = start()
        watch(server.getPort(), httpuv.interrupt)
        httpuv.service(0)
    """,
    "no server": """
        watch(None, httpuv.interrupt)
        httpuv.service(0)
    """,
    "two servers": """
        server, other = start(), start()
        watch(server.getPort(), httpuv.interrupt)
        httpuv.service(0)
    """,
    "another thread leads": """
        server = start()
        threading.Thread(target=httpuv.service, args=(0,)).start()
        get(server.getPort())  # that one leads
        watch(server.getPort(), httpuv.interrupt)
        httpuv.service(0)
    """,
    "ioThreads": """
        server = start(ioThreads=2)
        watch(server.getPort(), httpuv.interrupt)
        httpuv.service(0)
    """,
    "runServer": """
        port = httpuv.randomPort()
        watch(port, httpuv.interrupt)
        httpuv.runServer("127.0.0.1", port, hello, quiet=True)
    """,
    "runServer, coroutines": """
        async def call(req):
            return hello(req)
        port = httpuv.randomPort()
        watch(port, httpuv.interrupt)
        httpuv.runServer("127.0.0.1", port, call, quiet=True)
    """,
    "thread": """
        server, ended = start(dispatch="thread"), threading.Event()
        watch(server.getPort(), ended.set)
        ended.wait()
    """,
    "four threads": """
        server, ended = start(dispatch=4), threading.Event()
        watch(server.getPort(), ended.set)
        ended.wait()
    """,
    "asyncio": """
        import asyncio
        async def main():
            ended, loop = asyncio.Event(), asyncio.get_running_loop()
            with start(dispatch="asyncio") as server:
                watch(server.getPort(), lambda: loop.call_soon_threadsafe(ended.set))
                await ended.wait()
        asyncio.run(main())
    """,
    "asgi": """
        import asyncio
        from httpuv import asgi
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"hello"})
        server = asgi.Server(asgi.Config(app, port=httpuv.randomPort(), lifespan="off"))
        watch(server.config.port, lambda: setattr(server, "should_exit", True))
        RUN
    """,
}
IDLE["uvloop"] = IDLE["asyncio"].replace("asyncio.run(", "import uvloop; uvloop.run(")
IDLE["asgi in asyncio"] = IDLE["asgi"].replace("RUN", "asyncio.run(server.serve())")
IDLE["asgi"] = IDLE["asgi"].replace("RUN", "server.run()")


@pytest.mark.parametrize("mode", IDLE)
def test_an_idle_server_wakes_no_thread(mode: str) -> None:
    if mode == "uvloop":
        pytest.importorskip("uvloop")
    code = f"""
    {SWITCHES}
    def watch(port, end):
        def look():
            while port is not None:
                try:
                    get(port)
                    break
                except ConnectionRefusedError:
                    time.sleep(0.01)
            time.sleep(0.5)  # until all have gone to sleep
            before = switches()
            time.sleep(2.0)
            say("woken", switches() - before)
            end()
        threading.Thread(target=look).start()
    """
    out = run(textwrap.dedent(code) + textwrap.dedent(IDLE[mode])).split()
    # This thread's own sleep, and the end of the wait that began before.
    assert int(out[out.index("woken") + 1]) <= 4


def test_a_loop_of_the_program_that_is_idle_wakes_as_often_as_it_returns() -> None:
    code = f"""
    {SWITCHES}
    server = start()
    def watch():
        get(server.getPort())
        time.sleep(0.5)
        before = switches()
        time.sleep(2.0)
        say(switches() - before)
        ended.append(True)
    ended = []
    threading.Thread(target=watch).start()
    while not ended:
        httpuv.service(500)
    """
    out = run(code).split()
    # Four returns, or five: this thread's, and two of the loop's own thread, which looks after the
    # loop while the program has it not.
    assert int(out[1]) <= 5 * 4 + 4


def test_a_request_that_waits_for_no_thread_keeps_none_awake() -> None:
    code = f"""
    {SWITCHES}
    server = start()
    client = socket.create_connection(("127.0.0.1", server.getPort()), 10)
    client.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
    time.sleep(0.5)
    before = switches()
    time.sleep(1.0)
    say(switches() - before)
    while not httpuv.runNow(0.1):
        pass
    say(client.recv(100).split()[1].decode())
    """
    out = run(code).split()
    assert int(out[1]) < 40  # the watch looks four times a second
    assert out[2] == "200"


def test_a_callback_that_blocks_holds_up_no_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("there")
    inside, go_on = threading.Event(), threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        inside.set()
        assert go_on.wait(20)
        return {"status": 200, "body": "late"}

    app = {"call": call, "staticPaths": {"/files": str(tmp_path)}}
    with httpuv.startServer("127.0.0.1", 0, app, dispatch="thread") as server:
        assert get(server, "/files/a").body == b"there"
        with Wire(("127.0.0.1", server.getPort())) as client:
            client.send(request("/"))
            assert inside.wait(20)
            for _ in range(3):
                assert get(server, "/files/a").body == b"there"
            go_on.set()
            assert client.response().body == b"late"


def test_ctrl_c_ends_a_wait_that_has_become_long() -> None:
    code = """
    start()
    try:
        say("ready")
        httpuv.service(0)
    except KeyboardInterrupt:
        say("interrupted")
        say(signal.set_wakeup_fd(-1))
    """
    with script(code) as child:
        where = local(child)
        child.line()
        assert fetch(where, request("/")).body == b"hello"
        threading.Event().wait(0.5)  # longer than it looks for signals by itself
        os.kill(child.pid, signal.SIGINT)
        assert child.line() == "interrupted"
        assert child.line() == "-1"
        ends_well(child)


def test_the_descriptor_for_signals_that_a_program_has_set_stays_its_own() -> None:
    code = """
    start()
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write)
    try:
        say("ready")
        httpuv.service(0)
    except KeyboardInterrupt:
        say(os.read(read, 10)[0] == signal.SIGINT, signal.set_wakeup_fd(-1) == write)
    """
    with script(code) as child:
        local(child)
        child.line()
        threading.Event().wait(0.3)
        os.kill(child.pid, signal.SIGINT)
        assert child.line() == "True True"
        ends_well(child)


def test_a_handler_that_raises_nothing_lets_the_wait_go_on() -> None:
    code = """
    start()
    signal.signal(signal.SIGUSR1, lambda *_: say("seen"))
    say("ready")
    httpuv.service(0)
    """
    with script(code) as child:
        where = local(child)
        child.line()
        for _ in range(3):
            threading.Event().wait(0.2)
            os.kill(child.pid, signal.SIGUSR1)
            assert child.line() == "seen"
            assert fetch(where, request("/")).body == b"hello"


def test_a_server_stops_from_inside_its_callback() -> None:
    code = """
    def call(req):
        server.stop()
        httpuv.interrupt()
        return {"status": 200, "body": "never"}
    server = start(call)
    def client():
        say(get(server.getPort()))
    thread = threading.Thread(target=client)
    thread.start()
    httpuv.service(0)
    thread.join()
    say("end")
    """
    assert run(code).split()[-1] == "end"


def test_a_second_server_from_inside_a_callback_is_served_too() -> None:
    code = """
    others = []
    def call(req):
        if not others:
            others.append(httpuv.startServer("127.0.0.1", 0, hello))
        return {"status": 200, "body": str(others[0].getPort())}
    server = start(call)
    def client():
        for _ in range(3):
            port = int(get(server.getPort()).split(b"\\r\\n\\r\\n")[1])
            say(get(port).split(b"\\r\\n\\r\\n")[1].decode())
        others[0].stop()
        get(server.getPort())
        httpuv.interrupt()
    threading.Thread(target=client).start()
    httpuv.service(0)
    """
    assert run(code).split()[1:] == ["hello"] * 3


def test_a_fork_in_a_callback_leaves_both_processes_well() -> None:
    code = """
    def call(req):
        child = os.fork()
        if child == 0:
            os._exit(7)
        return {"status": 200, "body": str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))}
    server = start(call)
    def client():
        for _ in range(3):
            say(get(server.getPort()).split(b"\\r\\n\\r\\n")[1].decode())
        httpuv.interrupt()
    threading.Thread(target=client).start()
    httpuv.service(0)
    """
    assert run(code).split()[1:] == ["7"] * 3


def test_a_child_that_goes_on_with_the_loop_of_its_parent_returns_from_it() -> None:
    code = """
    def call(req):
        if os.fork() == 0:
            return {"status": 200, "body": "child"}
        return {"status": 200, "body": "parent"}
    server = start(call)
    parent = os.getpid()
    def client():
        say(get(server.getPort()).split(b"\\r\\n\\r\\n")[1].decode())
        os.wait()
        httpuv.interrupt()
    threading.Thread(target=client).start()
    httpuv.service(0)
    if os.getpid() != parent:
        os._exit(0)
    say("end")
    """
    assert run(code).split()[1:] == ["parent", "end"]


def test_clients_that_break_off_do_not_end_a_program_with_the_default_sigpipe() -> None:
    code = """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    server = start(lambda req: {"status": 200, "body": b"x" * 3_000_000})
    def clients():
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", server.getPort()), 10) as s:
                s.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n" * 3)
                s.recv(1000)
        httpuv.interrupt()
    threading.Thread(target=clients).start()
    httpuv.service(0)
    say("end")
    """
    assert run(code).split()[-1] == "end"


def test_commands_of_other_threads_reach_a_driven_loop() -> None:
    sent = threading.Event()

    def open_socket(socket: httpuv.WebSocket) -> None:
        def later() -> None:
            for number in range(50):
                socket.send(str(number))
            sent.set()

        threading.Thread(target=later).start()

    app = {"call": lambda req: None, "onWSOpen": open_socket}
    with (
        httpuv.startServer("127.0.0.1", 0, app, dispatch="thread") as server,
        Client.open(server) as client,
    ):
        assert sent.wait(20)
        assert [client.message() for _ in range(50)] == [str(n) for n in range(50)]


#: An asyncio program: its loop waits for the server's, too. main() is its coroutine.
HOSTED = """
    import asyncio
    def host(main):
        HOST
    def in_thread(function, *arguments):
        return asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    class Connection:
        def __init__(self, port):
            self.socket = socket.create_connection(("127.0.0.1", port), 20)
        def get(self, target="/"):
            self.socket.sendall(f"GET {target} HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n".encode())
            data = b""
            while b"\\r\\n\\r\\n" not in data:
                data += self.socket.recv(65536) or b"\\r\\n\\r\\nclosed"
            return data.split(b"\\r\\n\\r\\n", 1)[1].decode()
"""
HOSTS = {
    "asyncio": "asyncio.run(main())",
    "uvloop": "import uvloop; uvloop.run(main())",
}


def hosted(kind: str, code: str) -> str:
    if kind == "uvloop":
        pytest.importorskip("uvloop")
    return run(textwrap.dedent(HOSTED.replace("HOST", HOSTS[kind])) + textwrap.dedent(code))


@pytest.mark.parametrize("kind", HOSTS)
def test_a_request_in_an_asyncio_program_costs_no_switch_of_threads(kind: str) -> None:
    code = f"""
    {SWITCHES}
    async def main():
        with start(dispatch="asyncio") as server:
            def requests():
                connection = Connection(server.getPort())
                least = 99
                # A machine with other work takes the loop away now and then.
                for _ in range(20):
                    before = switches()
                    for _ in range(100):
                        assert connection.get() == "hello"
                    least = min(least, switches() - before)
                return least
            say(await in_thread(requests))
    host(main)
    """
    # Each request puts this client's thread to sleep once, and the one that answers once. With a
    # hand-over there are at least two more.
    assert int(hosted(kind, code).split()[1]) < 300


@pytest.mark.parametrize("kind", HOSTS)
def test_files_are_served_while_an_asyncio_program_blocks(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("there")
    code = f"""
    async def main():
        app = {{"call": hello, "staticPaths": {{"/files": {str(tmp_path)!r}}}}}
        with start(app, dispatch="asyncio") as server:
            def files(go_on):
                connection = Connection(server.getPort())
                say(*(connection.get("/files/a") for _ in range(50)))
                go_on.set()
            for _ in range(3):
                connection = await in_thread(Connection, server.getPort())
                say(await in_thread(connection.get))  # the loop is lent
                go_on = threading.Event()
                thread = threading.Thread(target=files, args=(go_on,))
                thread.start()
                assert go_on.wait(20)  # no callback runs meanwhile
                say(await in_thread(connection.get))
    host(main)
    """
    expected = ["hello", *["there"] * 50, "hello"] * 3
    assert hosted(kind, code).split()[1:] == expected


@pytest.mark.parametrize("kind", HOSTS)
def test_deadlines_hold_in_an_asyncio_program_that_waits(kind: str) -> None:
    code = """
    async def main():
        limits = httpuv.Limits(idle_timeout=0.3)
        with start(dispatch="asyncio", limits=limits) as server:
            connection = await in_thread(Connection, server.getPort())
            for _ in range(3):
                assert await in_thread(connection.get) == "hello"
            say(await in_thread(connection.socket.recv, 10))  # closed by the server
    host(main)
    """
    assert hosted(kind, code).split()[1:] == ["b''"]


@pytest.mark.parametrize("kind", HOSTS)
def test_servers_come_and_go_in_an_asyncio_program(kind: str) -> None:
    code = """
    async def main():
        first = start(dispatch="asyncio")
        one = await in_thread(Connection, first.getPort())
        say(await in_thread(one.get))
        with start(dispatch="asyncio") as second:
            two = await in_thread(Connection, second.getPort())
            for _ in range(3):
                say(await in_thread(one.get), await in_thread(two.get))
            first.stop()
            for _ in range(3):
                say(await in_thread(two.get))
            third = start(dispatch="asyncio")
            await in_thread(second.stop)
        three = await in_thread(Connection, third.getPort())
        for _ in range(3):
            say(await in_thread(three.get))
        third.stop()
    host(main)
    """
    words = [word for word in hosted(kind, code).split() if not word.isdecimal()]
    assert words == ["hello"] * 13


@pytest.mark.parametrize("kind", HOSTS)
def test_what_other_threads_send_leaves_an_asyncio_program_that_waits(kind: str) -> None:
    code = """
    async def main():
        opened, sockets = asyncio.Event(), []
        def on_open(ws):
            sockets.append(ws)
            opened.set()
        app = {"call": hello, "onWSOpen": on_open}
        with start(app, dispatch="asyncio") as server:
            connection = await in_thread(Connection, server.getPort())
            head = [
                "GET / HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: upgrade",
                "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ]
            connection.socket.sendall("\\r\\n".join([*head, "", ""]).encode())
            await opened.wait()
            def talk():
                data = b""
                for number in range(100):
                    sockets[0].send(f"<{number}>")
                    while f"<{number}>".encode() not in data:
                        data += connection.socket.recv(65536)
            await in_thread(talk)
            say("all")
    host(main)
    """
    assert hosted(kind, code).split()[1:] == ["all"]


def test_a_fork_in_a_callback_of_an_asyncio_program_leaves_both_well() -> None:
    code = """
    def call(req):
        child = os.fork()
        if child == 0:
            os._exit(7)
        return {"status": 200, "body": str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))}
    async def main():
        with start(call, dispatch="asyncio") as server:
            connection = await in_thread(Connection, server.getPort())
            for _ in range(3):
                say(await in_thread(connection.get))
    host(main)
    """
    assert hosted("asyncio", code).split()[1:] == ["7"] * 3
