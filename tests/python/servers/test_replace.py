"""Starting again where a server of this process listens, and another application for a server."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpuv
import pytest
from support import PATIENCE, Response, Wire, address, get, request
from ws_support import TEXT, Client


def saying(text: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda req: {"status": 200, "body": text}


def fetch(server: httpuv.WebServer, target: str = "/") -> Response:
    return get(server, target)


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Other tests count threads."""
    yield
    httpuv.stopAllServers()
    for thread in threading.enumerate():
        if thread.name == "httpuv replaced":
            thread.join(PATIENCE)


# --- replace=True ---


def test_the_new_server_answers_and_the_old_one_has_ended() -> None:
    old = httpuv.startServer("127.0.0.1", 0, saying("old"), dispatch="thread")
    port = old.getPort()
    assert fetch(old).body == b"old"
    new = httpuv.startServer("127.0.0.1", port, saying("new"), dispatch="thread", replace=True)
    assert not old.isRunning()
    assert new.getPort() == port
    assert httpuv.listServers() == [new]
    assert fetch(new).body == b"new"
    assert old.wait(PATIENCE)
    # And again: its socket came from another server.
    third = httpuv.startServer("127.0.0.1", port, saying("third"), dispatch="thread", replace=True)
    assert new.wait(PATIENCE)
    assert fetch(third).body == b"third"
    third.stop()
    with pytest.raises(ConnectionRefusedError):
        Wire(("127.0.0.1", port))


def test_without_a_server_there_replace_is_an_ordinary_start() -> None:
    server = httpuv.startServer("127.0.0.1", 0, saying("a"), dispatch="thread", replace=True)
    assert fetch(server).body == b"a"


@pytest.mark.parametrize("keep_alive", [False, True])
def test_no_connection_is_refused_and_no_request_lost(keep_alive: bool) -> None:
    servers = [httpuv.startServer("127.0.0.1", 0, saying("0"), dispatch="thread")]
    where = address(servers[0])
    failures: list[BaseException] = []
    answers: list[bytes] = []
    over = threading.Event()
    fields = [] if keep_alive else ["Connection: close"]

    def hammer() -> None:
        try:
            while not over.is_set():
                with Wire(where) as wire:
                    closed = False
                    used = False
                    while not closed and not over.is_set():
                        try:
                            wire.send(request("/", *fields))
                            answer = wire.response()
                        except (EOFError, ConnectionError):
                            # Between an answer that kept the connection and the next request the
                            # server may close it (RFC 9112 section 9.6): the client repeats it.
                            if not used:
                                raise
                            break
                        used = True
                        answers.append(answer.body)
                        # A client may reuse a connection until it is told not to.
                        closed = answer.get("Connection") == "close"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 9):
        enough = len(answers) + 40
        while len(answers) < enough and not failures:
            over.wait(0.001)
        servers.append(
            httpuv.startServer(
                "127.0.0.1", where[1], saying(str(number)), dispatch="thread", replace=True
            )
        )
    while answers[-1] != b"8" and not failures:
        over.wait(0.001)
    over.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert failures == []
    assert {b"0", b"8"} <= set(answers)


def test_an_answer_under_way_arrives() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(req: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        assert go_on.wait(PATIENCE)
        return {"status": 200, "body": "slow"}

    old = httpuv.startServer("127.0.0.1", 0, slow, dispatch="thread")
    with Wire(address(old)) as wire:
        wire.send(request())
        assert begun.wait(PATIENCE)
        new = httpuv.startServer(
            "127.0.0.1", old.getPort(), saying("new"), dispatch="thread", replace=True
        )
        assert fetch(new).body == b"new"
        go_on.set()
        assert wire.response().body == b"slow"


def test_a_wrong_application_leaves_the_old_server_alone() -> None:
    old = httpuv.startServer("127.0.0.1", 0, saying("old"), dispatch="thread")
    with pytest.raises(TypeError):
        httpuv.startServer("127.0.0.1", old.getPort(), 5, replace=True)
    assert fetch(old).body == b"old"


def test_a_lifespan_that_fails_leaves_the_old_server_alone() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    old = httpuv.startServer("127.0.0.1", 0, saying("old"), dispatch="thread")
    with pytest.raises(RuntimeError, match="no database"):
        httpuv.startServer("127.0.0.1", old.getPort(), failing, dispatch="thread", replace=True)
    assert fetch(old).body == b"old"


def test_another_host_of_the_same_port_is_stopped_first() -> None:
    old = httpuv.startServer("0.0.0.0", 0, saying("old"), dispatch="thread")
    new = httpuv.startServer(
        "127.0.0.1", old.getPort(), saying("new"), dispatch="thread", replace=True
    )
    assert not old.isRunning()
    assert new.getHost() == "127.0.0.1"
    assert fetch(new).body == b"new"


def test_every_address_of_a_name_is_taken_over() -> None:
    old = httpuv.startServer("localhost", 0, saying("old"), dispatch="thread")
    port = old.getPort()
    new = httpuv.startServer("localhost", port, saying("new"), dispatch="thread", replace=True)
    assert old.wait(PATIENCE)
    assert fetch(new).body == b"new"


def test_a_unix_socket_keeps_its_file(tmp_path: Path) -> None:
    name = str(tmp_path / "s")
    old = httpuv.startPipeServer(name, 0o077, saying("old"), dispatch="thread")
    inode = os.stat(name).st_ino
    new = httpuv.startPipeServer(name, 0o077, saying("new"), dispatch="thread", replace=True)
    assert old.wait(PATIENCE)
    assert os.stat(name).st_ino == inode
    with Wire(name) as wire:
        wire.send(request())
        assert wire.response().body == b"new"
    new.stop()
    assert not os.path.exists(name)


def test_a_unix_socket_gets_another_mask(tmp_path: Path) -> None:
    name = tmp_path / "s"
    httpuv.startPipeServer(name, 0o077, saying("old"), dispatch="thread")
    httpuv.startPipeServer(name, 0o007, saying("new"), dispatch="thread", replace=True)
    assert os.stat(name).st_mode & 0o777 == 0o770


def test_the_error_names_the_server_and_the_remedy(tmp_path: Path) -> None:
    tcp = httpuv.startServer("127.0.0.1", 0, saying("a"))
    unix = httpuv.startPipeServer(tmp_path / "s", None, saying("a"))
    with pytest.raises(OSError, match="replace=True") as raised:
        httpuv.startServer("127.0.0.1", tcp.getPort(), saying("b"), quiet=True)
    assert raised.value.errno == errno.EADDRINUSE
    assert repr(tcp) in str(raised.value)
    with pytest.raises(OSError, match="replace=True") as raised:
        httpuv.startPipeServer(tmp_path / "s", None, saying("b"), quiet=True)
    assert repr(unix) in str(raised.value)


def test_in_a_notebook_the_loop_is_not_held_up() -> None:
    async def cell() -> None:
        begun = asyncio.Event()

        async def waits(req: dict[str, Any]) -> dict[str, Any]:
            begun.set()
            await asyncio.sleep(0.05)
            return {"status": 200, "body": "waited"}

        old = httpuv.startServer("127.0.0.1", 0, waits)
        answer = asyncio.ensure_future(asyncio.to_thread(fetch, old))
        await begun.wait()
        new = httpuv.startServer("127.0.0.1", old.getPort(), saying("new"), replace=True)
        assert (await answer).body == b"waited"
        assert (await asyncio.to_thread(fetch, new)).body == b"new"
        await new.aclose()

    asyncio.run(cell())


def test_replace_is_bool() -> None:
    with pytest.raises(TypeError, match="replace must be bool"):
        httpuv.startServer("127.0.0.1", 0, {}, replace=1)  # type: ignore[arg-type]


# --- server.app ---


def test_the_next_request_is_the_new_application_s() -> None:
    first, second = saying("first"), saying("second")
    server = httpuv.startServer("127.0.0.1", 0, first, dispatch="thread")
    assert server.app is first
    with Wire(address(server)) as wire:
        wire.send(request())
        assert wire.response().body == b"first"
        server.app = second
        assert server.app is second
        wire.send(request())
        assert wire.response().body == b"second"


def test_callbacks_come_and_go() -> None:
    server = httpuv.startServer("127.0.0.1", 0, {}, dispatch="thread")
    assert fetch(server).status == 404
    server.set_app({"call": saying("here"), "onHeaders": lambda req: None})
    assert fetch(server).body == b"here"
    server.set_app({"onHeaders": lambda req: {"status": 403, "body": "no"}})
    assert fetch(server).status == 403
    server.set_app([])
    assert fetch(server).status == 404


def test_open_websockets_keep_their_callbacks_and_topics() -> None:
    def opened(ws: httpuv.WebSocket) -> None:
        ws.subscribe("news")
        ws.onMessage(lambda binary, message: ws.send(f"old {message}"))

    server = httpuv.startServer("127.0.0.1", 0, {"onWSOpen": opened}, dispatch="thread")
    with Client.open(server) as client:
        client.say(TEXT, "a")
        assert client.message() == "old a"
        server.app = {"onWSOpen": lambda ws: ws.onMessage(lambda binary, message: ws.send("new"))}
        client.say(TEXT, "b")
        assert client.message() == "old b"
        server.publish("news", "all")
        assert client.message() == "all"
        with Client.open(server) as other:
            other.say(TEXT, "a")
            assert other.message() == "new"


def asgi(text: str, seen: list[str]) -> Callable[..., Any]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            seen.append(f"{text} up")
            await send({"type": "lifespan.startup.complete"})
            await receive()
            seen.append(f"{text} down")
            await send({"type": "lifespan.shutdown.complete"})
            return
        assert scope["server"][1] > 0
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text.encode()})

    return app


def wsgi(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"wsgi"]


def test_every_interface_takes_the_place_of_every_other() -> None:
    seen: list[str] = []
    server = httpuv.startServer("127.0.0.1", 0, saying("rook"), dispatch="thread")
    for app, body in [
        (asgi("one", seen), b"one"),
        (asgi("two", seen), b"two"),
        (wsgi, b"wsgi"),
        (saying("rook"), b"rook"),
        (wsgi, b"wsgi"),
        (asgi("three", seen), b"three"),
        (saying("rook"), b"rook"),
    ]:
        server.app = app
        assert fetch(server).body == body
    server.stop()
    assert [each for each in seen if each.endswith("up")] == ["one up", "two up", "three up"]
    assert {"one down", "two down", "three down"} <= set(seen)


def test_mounts_and_static_paths_stay(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("file")
    server = httpuv.startServer(
        "127.0.0.1",
        0,
        {"call": saying("a"), "staticPaths": {"/s": tmp_path}},
        dispatch="thread",
        mounts={"/m": wsgi},
    )
    server.app = {"call": saying("b"), "staticPaths": {"/t": tmp_path}}
    assert fetch(server, "/m").body == b"wsgi"
    assert fetch(server, "/s/f").body == b"file"
    assert fetch(server, "/t/f").body == b"file"
    assert fetch(server, "/").body == b"b"


def test_what_cannot_be_swapped_is_refused_and_nothing_changes() -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        return {"status": 200}

    server = httpuv.startServer("127.0.0.1", 0, saying("a"), dispatch="thread")
    for app in (
        {"call": call, "streamBody": True},
        {"call": saying("b"), "onBodyData": lambda req, data: None},
    ):
        with pytest.raises(ValueError, match="replace=True"):
            server.app = app
    with pytest.raises(TypeError, match="app must be"):
        server.app = 5
    assert fetch(server).body == b"a"
    server.stop()
    with pytest.raises(RuntimeError, match="not running"):
        server.app = saying("c")


def test_an_upload_that_has_begun_goes_on_with_its_application() -> None:
    def made(name: str) -> dict[str, Any]:
        pieces: list[bytes] = []
        return {
            "onBodyData": lambda req, data: pieces.append(data),
            "call": lambda req: {"status": 200, "body": f"{name} {b''.join(pieces)!r}"},
        }

    server = httpuv.startServer("127.0.0.1", 0, made("old"), dispatch="thread")
    with Wire(address(server)) as wire:
        wire.send(b"PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert wire.head().status == 100
        server.app = made("new")
        wire.send(b"abcd")
        assert wire.response().body == b"old b'abcd'"
        wire.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nxy")
        assert wire.response().body == b"new b'xy'"


def test_an_application_with_bodies_in_pieces_gives_way_and_comes_back() -> None:
    async def call(req: dict[str, Any]) -> dict[str, Any]:
        return {"status": 200, "body": await req["rook.input"].read()}

    streaming = {"call": call, "streamBody": True}
    server = httpuv.startServer("127.0.0.1", 0, streaming, dispatch="thread")
    post = request("/", method="POST", body=b"abc")
    for app, body in [(wsgi, b"wsgi"), (streaming, b"abc")]:
        server.app = app
        with Wire(address(server)) as wire:
            wire.send(post)
            assert wire.response().body == body


def test_swapping_under_load_loses_nothing() -> None:
    server = httpuv.startServer("127.0.0.1", 0, saying("0"), dispatch=2)
    failures: list[object] = []
    over = threading.Event()

    def hammer() -> None:
        try:
            with Wire(address(server)) as wire:
                while not over.is_set():
                    wire.send(request())
                    answer = wire.response()
                    if answer.status != 200:
                        failures.append(answer)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(60):
        server.app = wsgi if number % 3 == 0 else saying(str(number))
    over.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert failures == []
