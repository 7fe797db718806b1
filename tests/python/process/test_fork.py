"""A forked child starts clean, and the parent's servers do not notice."""

from programs import ends_well, local, run, script
from support import Wire, request


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


def test_a_child_stops_what_its_parent_is_using() -> None:
    run(
        """
        server = start(dispatch=2)
        port = server.getPort()
        end = threading.Event()
        def load():
            with socket.create_connection(("127.0.0.1", port)) as s:
                while not end.is_set():
                    s.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n" * 8)
                    s.recv(65536)
        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(60):
            child = os.fork()
            if child == 0:
                signal.alarm(10)
                server.stop()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        end.set()
        for thread in threads:
            thread.join()
        """
    )


def test_a_child_stops_what_its_parent_is_stopping() -> None:
    run(
        """
        async def call(req):
            await req["httpuv.disconnected"]
        server = start(call, dispatch="thread")
        with socket.create_connection(("127.0.0.1", server.getPort())) as s:
            s.sendall(b"GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
            while not server._core.stats()["in_flight"]:
                time.sleep(0.01)
            stopping = threading.Thread(target=server.stop, args=(10,))
            stopping.start()
            while server.isRunning():
                time.sleep(0.01)
            child = os.fork()
            if child == 0:
                signal.alarm(10)
                server.stop()
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        stopping.join()
        """
    )


def test_a_child_stops_and_the_parents_asyncio_loop_goes_on() -> None:
    run(
        """
        import asyncio
        async def main():
            with start() as server:
                child = os.fork()
                if child == 0:
                    server.stop()
                    os._exit(0)
                assert os.waitpid(child, 0)[1] == 0
                answer = await asyncio.wait_for(asyncio.to_thread(get, server.getPort()), 10)
                assert answer.endswith(b"hello")
        asyncio.run(main())
        """
    )


def test_locks_that_another_thread_held() -> None:
    run(
        """
        from httpuv.answers import pending, presence
        from httpuv.rook import websocket_link
        held = threading.Event()
        go = threading.Event()
        def hold():
            with pending._over_lock, presence._lock, websocket_link._switching:
                held.set()
                go.wait()
        threading.Thread(target=hold).start()
        assert held.wait(10)
        child = os.fork()
        if child == 0:
            free = [m.acquire(timeout=5) for m in
                    (pending._over_lock, presence._lock, websocket_link._switching)]
            os._exit(0 if all(free) else 1)
        go.set()
        assert os.waitpid(child, 0)[1] == 0
        """
    )


def test_a_thread_that_forks_in_its_callback_ends_in_the_child() -> None:
    run(
        """
        children = []
        def call(req):
            child = os.fork()
            if child == 0:
                signal.alarm(10)
            else:
                children.append(child)
            return hello(req)
        with start(call, dispatch="thread") as server:
            assert get(server.getPort()).endswith(b"hello")
            assert os.waitpid(children[0], 0)[1] == 0
        """
    )
