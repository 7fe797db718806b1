"""How a server listens: backlog, a shared port, a descriptor that listens already."""

import os
import socket
import struct
import sys
from pathlib import Path

import httpuv
import pytest
from conftest import Serve
from support import fetch, get, request


def hello(text: str) -> dict[str, object]:
    return {"call": lambda req: {"status": 200, "body": text}}


def test_two_servers_share_a_port_that_both_say_is_shared(serve: Serve) -> None:
    first = serve(hello("first"), reusePort=True)
    with pytest.raises(OSError, match="in use"):
        httpuv.startServer("127.0.0.1", first.getPort(), {}, True)
    with httpuv.startServer(
        "127.0.0.1", first.getPort(), hello("second"), reusePort=True, dispatch="thread"
    ):
        heard = {get(first, "/").body for _ in range(100)}
    assert heard == {b"first", b"second"}  # each by chance, one in 2^100 never
    assert get(first, "/").body == b"first"


def test_a_descriptor_that_listens_already() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    where = listening.getsockname()
    fd = listening.detach()
    with httpuv.startServer("", 0, hello("there"), fd=fd, dispatch="thread") as server:
        assert (server.getHost(), server.getPort()) == where
        assert server.url == f"http://127.0.0.1:{where[1]}/"
        assert fetch(where, request("/")).body == b"there"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)  # it was the server's


def test_a_descriptor_that_does_not_listen_is_left_alone() -> None:
    with socket.socket() as plain, pytest.raises(OSError):
        httpuv.startServer("127.0.0.1", 0, {}, True, fd=plain.fileno())
        plain.getsockname()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"backlog": 0}, "backlog"),
        ({"backlog": "many"}, "backlog"),
        ({"reusePort": 1}, "reusePort"),
        ({"fd": -1}, "fd"),
    ],
)
def test_wrong_values(options: dict[str, object], name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=name):
        httpuv.startServer("127.0.0.1", 0, {}, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["reusePort", "fd"])
def test_a_unix_socket_has_no_such_option(name: str, tmp_path: object) -> None:
    with pytest.raises(TypeError, match=name):
        httpuv.startPipeServer(f"{tmp_path}/s", None, {}, **{name: 1})  # type: ignore[arg-type]


def listening_socket(port: int) -> socket.socket:
    """A duplicate of this process's socket that listens on a port."""
    for entry in Path("/proc/self/fd").iterdir():
        try:
            sock = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:
            continue  # no socket, or closed by now
        if (
            sock.family == socket.AF_INET
            and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            and sock.getsockname()[1] == port
        ):
            return sock
        sock.close()
    raise LookupError(port)


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's tcp_info")
def test_the_backlog_is_the_kernels(serve: Serve) -> None:
    server = serve({}, backlog=7)
    with listening_socket(server.getPort()) as sock:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
    # tcpi_sacked of a socket that listens: its backlog (linux/net/ipv4/tcp.c, tcp_get_info()).
    assert struct.unpack_from("=I", info, 8 + 5 * 4) == (7,)
