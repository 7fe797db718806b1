"""Server objects: their life, their getters, the list of them."""

import threading
from pathlib import Path

import httpuv
import pytest
from conftest import Log, Serve
from support import Wire, address, fetch, request


def hello(req: dict) -> dict:
    return {"status": 200, "body": "hello"}


def start() -> httpuv.WebServer:
    return httpuv.startServer("127.0.0.1", 0, hello)


def refuses(server: httpuv.WebServer) -> bool:
    try:
        Wire(address(server)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_life() -> None:
    server = start()
    assert isinstance(server, httpuv.WebServer)
    assert server.isRunning()
    assert repr(server) == f"<WebServer 127.0.0.1:{server.getPort()} running>"
    assert httpuv.listServers() == [server]
    server.stop()
    assert not server.isRunning()
    assert repr(server) == f"<WebServer 127.0.0.1:{server.getPort()} stopped>"
    assert httpuv.listServers() == []
    assert refuses(server)
    server.stop()
    httpuv.stopServer(server)


def test_constructors() -> None:
    with httpuv.WebServer("127.0.0.1", 0, hello) as server:
        assert server.isRunning()


def test_repr_of_others(tmp_path: Path) -> None:
    with httpuv.startServer("::1", 0, hello) as server:
        assert repr(server) == f"<WebServer [::1]:{server.getPort()} running>"
    with httpuv.startPipeServer(tmp_path / "x", None, hello) as server:
        assert repr(server) == f"<PipeServer {tmp_path}/x running>"


def test_context_manager() -> None:
    with start() as server:
        assert server.isRunning()
    assert not server.isRunning()
    with pytest.raises(RuntimeError, match="mine"), start() as server:
        raise RuntimeError("mine")
    assert not server.isRunning()
    with start() as server:
        server.stop()


def test_list_is_in_order_and_a_copy(tmp_path: Path) -> None:
    first, second = start(), httpuv.startPipeServer(tmp_path / "x", None, hello)
    third = start()
    httpuv.listServers().clear()
    assert httpuv.listServers() == [first, second, third]
    second.stop()
    assert httpuv.listServers() == [first, third]
    httpuv.stopAllServers()
    assert httpuv.listServers() == []
    assert not any(server.isRunning() for server in (first, second, third))
    httpuv.stopAllServers()


def test_server_nobody_holds_goes_on(running: object) -> None:
    port = start().getPort()
    assert fetch(("127.0.0.1", port), request()).body == b"hello"


def test_stop_closes_connections(serve: Serve) -> None:
    server = serve(hello)
    with Wire(address(server)) as idle, Wire(address(server)) as fresh:
        idle.send(request())
        idle.response()
        server.stop()
        assert idle.at_end()
        assert fresh.at_end()


def test_stop_with_requests_waiting() -> None:
    with start() as server, Wire(address(server)) as wire:
        wire.send(request() * 5)
        assert httpuv.runNow(20, all=False)
        server.stop()
        assert wire.rest().count(b"HTTP/1.1 ") <= 1
        httpuv.service(None)  # no thread runs those of the others


def test_stop_from_inside_call() -> None:
    def call(req: dict) -> dict:
        server.stop()
        assert not server.isRunning()
        server.stop()
        return {"status": 200}

    server = httpuv.startServer("127.0.0.1", 0, call)
    with Wire(address(server)) as wire:
        wire.send(request())
        while server.isRunning():
            httpuv.runNow(20)
        wire.rest()
    assert refuses(server)


def test_stop_from_another_thread() -> None:
    server = start()
    threads = [threading.Thread(target=server.stop) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not server.isRunning()


def test_stop_while_the_loop_waits(running: object) -> None:
    server = start()
    server.stop()
    assert refuses(server)


def test_stop_with_time_to_finish(running: object) -> None:
    begun, go = threading.Event(), threading.Event()

    def call(req: dict) -> dict:
        begun.set()
        assert go.wait(20)
        return {"status": 200, "body": "finished"}

    server = httpuv.startServer("127.0.0.1", 0, call)
    with Wire(address(server)) as wire, Wire(address(server)) as idle:
        wire.send(request())
        assert begun.wait(20)
        stopper = threading.Thread(target=server.stop, args=(20,))
        stopper.start()
        assert idle.at_end()  # it is stopping
        assert stopper.is_alive()
        go.set()
        response = wire.response()
        assert response.body == b"finished"
        assert (response.get("Connection") or "").lower() == "close"
        stopper.join(20)
        assert not stopper.is_alive()
    assert refuses(server)


@pytest.mark.parametrize(
    ("timeout", "kind"), [(-1, ValueError), (float("nan"), ValueError), ("1", TypeError)]
)
def test_wrong_timeout(timeout: object, kind: type[Exception]) -> None:
    with start() as server:
        with pytest.raises(kind, match="timeout must be"):
            server.stop(timeout)
        assert server.isRunning()


@pytest.mark.parametrize("server", [None, 5, "127.0.0.1"])
def test_stop_no_server(server: object) -> None:
    with pytest.raises(TypeError, match="server must be a WebServer or PipeServer"):
        httpuv.stopServer(server)


def test_daemonized() -> None:
    with pytest.warns(DeprecationWarning, match="use startServer") as caught:
        server = httpuv.startDaemonizedServer("127.0.0.1", 0, hello, quiet=True)
    assert caught[0].filename == __file__
    assert server.isRunning()
    with pytest.warns(DeprecationWarning, match="use stopServer") as caught:
        httpuv.stopDaemonizedServer(server)
    assert caught[0].filename == __file__
    assert not server.isRunning()


def test_start_and_stop_are_logged(log: Log) -> None:
    with start() as server:
        log.expect(f"INFO <WebServer 127.0.0.1:{server.getPort()} running>")


# --- static paths at run time ---


def test_static_path_getters(tmp_path: Path) -> None:
    path = httpuv.staticPath(tmp_path, fallthrough=True)
    options = httpuv.staticPathOptions(indexhtml=False)
    app = {
        "staticPaths": {"/a/": path, "b": str(tmp_path), "/c": httpuv.excludeStaticPath()},
        "staticPathOptions": options,
    }
    with httpuv.startServer("127.0.0.1", 0, app) as server:
        assert server.getStaticPaths() == {
            "/a": path,
            "/b": httpuv.staticPath(tmp_path),
            "/c": httpuv.excludeStaticPath(),
        }
        assert server.getStaticPathOptions() == options
        server.getStaticPaths().clear()
        assert len(server.getStaticPaths()) == 3


def test_set_and_remove_static_paths(tmp_path: Path, running: object) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    with start() as server, Wire(address(server)) as wire:

        def get(target: str) -> bytes:
            wire.send(request(target))
            return wire.response().body

        assert get("/s/file") == b"hello"
        server.setStaticPath("/s", tmp_path / "one")
        assert get("/s/file") == b"one"
        server.setStaticPath({"/s": str(tmp_path / "two"), "/t/": tmp_path / "one"})
        assert get("/s/file") == b"two"
        assert get("/t/file") == b"one"
        server.setStaticPath(u=httpuv.staticPath(tmp_path / "two"))
        assert get("/u/file") == b"two"
        server.setStaticPath("/s/file", httpuv.excludeStaticPath())
        assert get("/s/file") == b"hello"
        server.removeStaticPath("/s/file/")
        assert get("/s/file") == b"two"
        server.removeStaticPath(["/s", "t"], "/u")
        assert get("/s/file") == get("/t/file") == get("/u/file") == b"hello"
        assert server.getStaticPaths() == {}
        server.removeStaticPath("/never/there")


def test_set_static_path_option(tmp_path: Path, running: object) -> None:
    (tmp_path / "index.html").write_text("index")
    app = {"call": hello, "staticPaths": {"/": tmp_path}}
    with httpuv.startServer("127.0.0.1", 0, app) as server, Wire(address(server)) as wire:

        def get(target: str):
            wire.send(request(target))
            return wire.response()

        assert get("/").body == b"index"
        assert get("/none").status == 404
        server.setStaticPathOption(fallthrough=True)
        assert get("/none").body == b"hello"
        server.setStaticPathOption({"html_charset": ""}, headers={"X-A": "b"})
        assert get("/index.html").get("Content-Type") == "text/html"
        assert get("/index.html").get("X-A") == "b"
        server.setStaticPathOption(indexhtml=False)
        assert get("/").body == b"hello"
        assert server.getStaticPathOptions().fallthrough is True
        server.setStaticPathOption(httpuv.staticPathOptions())
        assert server.getStaticPathOptions() == httpuv.staticPathOptions()


@pytest.mark.parametrize(
    ("arguments", "named", "kind", "message"),
    [
        (("/a",), {}, TypeError, "needs a local path"),
        ((None, "/tmp"), {}, TypeError, "needs a URL path"),
        (({"/a": 5},), {}, TypeError, "must be a path or a staticPath"),
        (("/a", "/no/such/dir"), {}, FileNotFoundError, "/no/such/dir"),
        (([("/a", "/tmp")],), {}, TypeError, "staticPaths must be a dict"),
    ],
)
def test_wrong_static_paths(
    arguments: tuple, named: dict, kind: type[Exception], message: str
) -> None:
    with start() as server:
        with pytest.raises(kind, match=message):
            server.setStaticPath(*arguments, **named)
        assert server.getStaticPaths() == {}


def test_wrong_static_path_option() -> None:
    with start() as server:
        before = server.getStaticPathOptions()
        with pytest.raises(TypeError, match="unknown static path option 'indexHtml'"):
            server.setStaticPathOption(indexHtml=True)
        with pytest.raises(TypeError, match="indexhtml must be"):
            server.setStaticPathOption(indexhtml="yes")
        assert server.getStaticPathOptions() == before


def test_static_paths_of_a_stopped_server(tmp_path: Path) -> None:
    server = start()
    server.stop()
    assert server.getStaticPaths() == {}
    for change in (
        lambda: server.setStaticPath("/a", tmp_path),
        lambda: server.removeStaticPath("/a"),
        lambda: server.setStaticPathOption(indexhtml=True),
    ):
        with pytest.raises(RuntimeError, match="stopped> is not running"):
            change()


def test_changes_from_several_threads(tmp_path: Path) -> None:
    with start() as server:

        def add(number: int) -> None:
            for i in range(20):
                server.setStaticPath(f"/{number}/{i}", tmp_path)

        threads = [threading.Thread(target=add, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.getStaticPaths()) == 100


@pytest.mark.parametrize(
    ("option", "kind", "message"),
    [
        ({"mimeTypes": [".x"]}, TypeError, "mimeTypes must be a dict"),
        ({"mimeTypes": {".x": 5}}, TypeError, "mimeTypes must be text"),
        ({"mimeTypes": {".x": "nonsense"}}, ValueError, "not a media type"),
        ({"mimeTypes": {".x": "a/b\r\nc: d"}}, ValueError, "not a media type"),
        ({"allowedHosts": "localhost"}, TypeError, "allowedHosts must be a list"),
        ({"allowedHosts": [5]}, TypeError, "allowedHosts must be a list"),
        ({"allowedHosts": ["a.example:0"]}, ValueError, "the port must be"),
    ],
)
def test_wrong_options(option: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        httpuv.startServer("127.0.0.1", 0, hello, **option)


def test_a_server_in_the_list_has_its_port() -> None:
    ports: set[int] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            ports.update(each.getPort() for each in httpuv.listServers())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(100):
            httpuv.startServer("127.0.0.1", 0, {}, quiet=True).stop()
    finally:
        ended.set()
        thread.join()
    assert 0 not in ports
