"""Where a server can listen, and what happens when it cannot."""

import errno
import os
import socket
import stat
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpuv
import pytest
from conftest import Log
from programs import PRELUDE, run
from support import Wire, address, fetch, listening, request, run_script


def hello(req: dict) -> dict:
    return {"status": 200, "body": "hello"}


def reachable(host: str, port: int) -> bool:
    try:
        return fetch((host, port), request()).body == b"hello"
    except OSError:
        return False


pytestmark = pytest.mark.usefixtures("running")


@pytest.mark.parametrize(
    ("host", "yes", "no"),
    [
        ("127.0.0.1", ["127.0.0.1"], ["::1", "127.0.0.2"]),
        ("127.0.0.2", ["127.0.0.2"], ["127.0.0.1"]),
        ("0.0.0.0", ["127.0.0.1", "127.0.0.2"], ["::1"]),
        ("::1", ["::1"], ["127.0.0.1"]),
        ("::", ["::1", "127.0.0.1"], []),
        ("::/0", ["::1", "127.0.0.1"], []),
        ("localhost", ["127.0.0.1"], ["127.0.0.2"]),
    ],
)
def test_hosts(host: str, yes: list[str], no: list[str]) -> None:
    with httpuv.startServer(host, 0, hello) as server:
        assert server.getHost() == host
        assert server.getPort() > 0
        for each in yes:
            assert reachable(each, server.getPort()), each
        for each in no:
            assert not reachable(each, server.getPort()), each


def test_given_port() -> None:
    with socket.socket() as kept:
        # Bound and not listening, with SO_REUSEADDR: the server may bind it too, other programs are
        # not given it.
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        port = kept.getsockname()[1]
        with httpuv.startServer("127.0.0.1", float(port), hello) as server:
            assert server.getPort() == port
            assert reachable("127.0.0.1", port)


def test_several_at_once() -> None:
    servers = [
        httpuv.startServer("127.0.0.1", 0, lambda req, n=n: {"status": 200, "body": str(n)})
        for n in range(10)
    ]
    assert len({server.getPort() for server in servers}) == 10
    for n, server in enumerate(servers):
        assert fetch(address(server), request()).body == str(n).encode()


def test_taken_port(log: Log) -> None:
    with listening() as port:
        with pytest.raises(OSError) as caught:
            httpuv.startServer("127.0.0.1", port, hello)
        assert caught.value.errno == errno.EADDRINUSE
        assert caught.value.filename == f"127.0.0.1:{port}"
        assert caught.value.strerror == os.strerror(errno.EADDRINUSE)
        log.expect("ERROR", f"127.0.0.1:{port}", "in use")
        assert httpuv.listServers() == []
    # Nothing is left behind: the port is free at once.
    with httpuv.startServer("127.0.0.1", port, hello):
        assert reachable("127.0.0.1", port)


def test_quiet(log: Log) -> None:
    with listening() as port, pytest.raises(OSError):
        httpuv.startServer("127.0.0.1", port, hello, quiet=True)
    assert log.text() == ""


def test_port_is_free_at_once_after_stop() -> None:
    port = 0
    for _ in range(20):
        with httpuv.startServer("127.0.0.1", port, hello) as server, Wire(address(server)) as wire:
            port = server.getPort()
            wire.send(request())
            assert wire.response().body == b"hello"


def test_two_servers_cannot_share_a_port() -> None:
    with httpuv.startServer("127.0.0.1", 0, hello) as server:
        with pytest.raises(OSError) as caught:
            httpuv.startServer("127.0.0.1", server.getPort(), hello)
        assert caught.value.errno == errno.EADDRINUSE
        assert reachable("127.0.0.1", server.getPort())


def test_foreign_address() -> None:
    with pytest.raises(OSError) as caught:
        httpuv.startServer("192.0.2.1", 0, hello)
    assert caught.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.skipif(os.geteuid() == 0, reason="root may bind any port")
def test_privileged_port() -> None:
    with pytest.raises(PermissionError) as caught:
        httpuv.startServer("127.0.0.1", 1, hello)
    assert caught.value.errno == errno.EACCES


@pytest.mark.parametrize("host", ["no.such.host.invalid", "500.0.0.500", "a b", ""])
def test_no_address(host: str) -> None:
    with pytest.raises(OSError):
        httpuv.startServer(host, 0, hello)


@pytest.mark.parametrize(
    ("host", "port", "kind", "message"),
    [
        (None, 0, TypeError, "host must be str, not NoneType"),
        (5, 0, TypeError, "host must be str"),
        ("127.0.0.1", -1, ValueError, "port must be from 0 to 65535, not -1"),
        ("127.0.0.1", 65536, ValueError, "port must be"),
        ("127.0.0.1", "80", TypeError, "port must be a whole number, not '80'"),
        ("127.0.0.1", 80.5, TypeError, "port must be a whole number"),
        ("127.0.0.1", None, TypeError, "port must be a whole number"),
        ("127.0.0.1", True, TypeError, "port must be a whole number"),
    ],
)
def test_wrong_arguments(host: object, port: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        httpuv.startServer(host, port, hello)


# --- Unix sockets ---


def test_pipe(tmp_path: Path) -> None:
    name = tmp_path / "socket"
    with httpuv.startPipeServer(name, None, hello) as server:
        assert isinstance(server, httpuv.PipeServer)
        assert server.getName() == str(name)
        assert server.getMask() is None
        assert stat.S_ISSOCK(name.stat().st_mode)
        assert fetch(str(name), request()).body == b"hello"
        assert fetch(str(name), request(host="")).body == b"hello"
    assert not name.exists()


@pytest.mark.parametrize(
    ("mask", "mode"), [(0o777, 0o000), (0o117, 0o660), (0o000, 0o777), (0o77, 0o700), (79.0, 0o660)]
)
def test_mask(tmp_path: Path, mask: float, mode: int) -> None:
    before = os.umask(0o022)
    try:
        with httpuv.startPipeServer(str(tmp_path / "socket"), mask, hello) as server:
            assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == mode
            assert server.getMask() == mask
            assert os.umask(0o022) == 0o022  # the process's is what it was
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [None, -1])
def test_no_mask(tmp_path: Path, mask: int | None) -> None:
    before = os.umask(0o027)
    try:
        with httpuv.startPipeServer(str(tmp_path / "socket"), mask, hello) as server:
            assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o750
            assert server.getMask() is None
    finally:
        os.umask(before)


def test_pipe_that_somebody_listens_on(tmp_path: Path, log: Log) -> None:
    name = str(tmp_path / "socket")
    with httpuv.startPipeServer(name, None, hello):
        with pytest.raises(OSError) as caught:
            httpuv.startPipeServer(name, None, hello)
        assert caught.value.errno == errno.EADDRINUSE
        assert caught.value.filename == name
        log.expect(name)
        assert fetch(name, request()).body == b"hello"


def test_stale_pipe_is_replaced(tmp_path: Path) -> None:
    name = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(name)
    with httpuv.startPipeServer(name, None, hello):
        assert fetch(name, request()).body == b"hello"


def test_other_files_are_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    with pytest.raises(OSError) as caught:
        httpuv.startPipeServer(str(file), None, hello)
    assert caught.value.errno == errno.EADDRINUSE
    assert file.read_text() == "precious"


def test_the_umask_of_other_threads_is_left_alone(tmp_path: Path) -> None:
    # In a separate process: it sees the umask that files get while servers start.
    code = """
    os.umask(0o077)
    done = threading.Event()
    modes = set()
    def maker():
        while not done.is_set():
            fd = os.open(sys.argv[1] + "/file", os.O_CREAT | os.O_WRONLY, 0o666)
            modes.add(os.fstat(fd).st_mode & 0o777)
            os.close(fd)
            os.unlink(sys.argv[1] + "/file")
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=maker)
    thread.start()
    for _ in range(300):
        httpuv.startPipeServer(sys.argv[1] + "/socket", 0, hello, dispatch="thread").stop()
    done.set()
    thread.join()
    say(*map(oct, modes))
    """
    assert run_script(PRELUDE + textwrap.dedent(code), str(tmp_path)) == "0o600\n"


def test_a_relative_pipe_survives_chdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    monkeypatch.chdir(first)
    with httpuv.startPipeServer("socket", None, hello) as server:
        monkeypatch.chdir(second)
        assert server.getName() == "socket"
        assert fetch(str(first / "socket"), request()).body == b"hello"
    assert list(first.iterdir()) == []


def test_of_many_starts_on_a_stale_pipe_one_wins(tmp_path: Path) -> None:
    name = str(tmp_path / "socket")
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(name)
        begin = threading.Barrier(4)

        def start(begin: threading.Barrier = begin) -> httpuv.PipeServer | int | None:
            begin.wait()
            try:
                return httpuv.startPipeServer(name, None, hello, quiet=True, dispatch="thread")
            except OSError as error:
                return error.errno

        with ThreadPoolExecutor(4) as pool:
            results = [each.result() for each in [pool.submit(start) for _ in range(4)]]
        servers = [each for each in results if isinstance(each, httpuv.PipeServer)]
        assert len(servers) == 1, results
        assert [each for each in results if each not in servers] == [errno.EADDRINUSE] * 3
        assert fetch(name, request()).body == b"hello"
        servers[0].stop()


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_an_abstract_pipe() -> None:
    name = f"\0httpuv test {os.getpid()} ü"
    with httpuv.startPipeServer(name, None, hello) as server:
        assert server.getName() == name
        assert repr(server) == f"<PipeServer @{name[1:]} running>"
        assert fetch(name, request()).body == b"hello"
        with pytest.raises(OSError) as caught:
            httpuv.startPipeServer(name, None, hello, quiet=True)
        assert caught.value.errno == errno.EADDRINUSE
        assert caught.value.filename == name


def test_pipe_failures(tmp_path: Path) -> None:
    for name, code in [
        (str(tmp_path / "none" / "socket"), errno.ENOENT),
        (str(tmp_path / ("x" * 200)), errno.ENAMETOOLONG),
    ]:
        with pytest.raises(OSError) as caught:
            httpuv.startPipeServer(name, None, hello, quiet=True)
        assert caught.value.errno == code
        assert caught.value.filename == name
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "mask", "kind", "message"),
    [
        ("", None, ValueError, "name must not be empty"),
        ("a\0b", None, ValueError, "NUL"),
        ("\0a\0b", None, ValueError, "NUL"),
        ("\0", None, ValueError, "characters after its NUL"),
        ("\0a", 0o77, ValueError, "mask must be None"),
        (None, None, TypeError, "NoneType"),
        (b"x", None, TypeError, "name must be str"),
        (5, None, TypeError, "name must be str or a path object, not int"),
        ("x", "777", TypeError, "mask must be a whole number"),
        ("x", 0o1000, ValueError, "mask must be"),
    ],
)
def test_wrong_pipe_arguments(
    name: object, mask: object, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        httpuv.startPipeServer(name, mask, hello)


def test_failures_leave_no_descriptor_or_thread() -> None:
    run("""
        def count():
            return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

        def fails(kind, port, app):
            try:
                httpuv.startServer("127.0.0.1", port, app, quiet=True)
            except kind:
                return
            raise AssertionError("it has started")

        with socket.create_server(("127.0.0.1", 0)) as other:
            for i in range(40):
                if i == 20:
                    before = count()
                fails(OSError, other.getsockname()[1], hello)
                fails(TypeError, 0, {"call": 5})
            descriptors, threads = count()
        # A thread that has ended is there a moment longer.
        assert descriptors == before[0] and threads <= before[1]
    """)
