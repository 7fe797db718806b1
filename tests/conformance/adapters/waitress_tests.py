"""pytest plugin: waitress's functional tests (tests/test_functional.py) against httpuv.

The tests fork a process for each server and ask it over a socket. Its server class is replaced.
What belongs to waitress alone is made up for: its Server field, which the reader of answers adds,
and ``REMOTE_HOST``, which PEP 3333 leaves to the server. So is what the tests do not observe
themselves: requests of HTTP/1.1 get the Host field that they must have (RFC 9112, 3.2), and the
version of a response is not compared, since it is the server's own (RFC 9110, 6.2).
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from typing import Any

import httpuv
import pytest

#: waitress's default.
THREADS = 4


def with_remote_host(app: Any) -> Any:
    def wrapped(environ: dict[str, Any], start_response: Any) -> Any:
        environ.setdefault("REMOTE_HOST", environ["REMOTE_ADDR"])
        return app(environ, start_response)

    return wrapped


class TcpServer:
    family = socket.AF_INET

    def __init__(self, app: Any, queue: Any, **given: Any) -> None:
        limits = httpuv.Limits()
        if "max_request_header_size" in given:
            limits = httpuv.Limits(
                max_head_bytes=given["max_request_header_size"],
                max_body_bytes=given["max_request_body_size"],
            )
        mount = httpuv.Mount(with_remote_host(app), "wsgi")
        self.server = self.start(
            {"/": mount},
            dispatch=THREADS,
            gzip=False,
            limits=limits,
            forwardedAllowIps=given.get("trusted_proxy"),
        )
        queue.put(self.address())

    def start(self, mounts: Any, **options: Any) -> Any:
        return httpuv.startServer("127.0.0.1", 0, {}, mounts=mounts, **options)

    def address(self) -> Any:
        return "127.0.0.1", self.server.getPort()

    def run(self) -> None:
        while True:
            httpuv.service(0)


class UnixServer(TcpServer):
    family = socket.AF_UNIX

    def start(self, mounts: Any, **options: Any) -> Any:
        self.path = f"/tmp/httpuv-conformance-{os.getpid()}.sock"
        return httpuv.startPipeServer(self.path, None, {}, mounts=mounts, **options)

    def address(self) -> Any:
        return self.path


class Client(socket.socket):
    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        return super().send(re.sub(rb"( HTTP/1\.1\r\n)(?!Host)", rb"\1Host: x\r\n", data), flags)


def create_socket(self: Any) -> socket.socket:
    return Client(self.server.family, socket.SOCK_STREAM)


def assert_line(self: Any, line: bytes, status: str, reason: str, version: str) -> None:
    _, code, phrase = line.decode("latin-1").split(None, 2)
    assert (code, phrase.strip()) == (status, reason)


def reading(read_http: Callable[[Any], tuple[Any, dict[str, str], bytes]]) -> Callable[..., Any]:
    def read(fp: Any) -> tuple[Any, dict[str, str], bytes]:
        line, headers, body = read_http(fp)
        return line, {"server": "waitress", **headers}, body

    return read


@pytest.hookimpl
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for module in {item.module for item in items}:  # type: ignore[attr-defined]
        module.read_http = reading(module.read_http)
        module.SubprocessTests.create_socket = create_socket
        module.SubprocessTests.assertline = assert_line
        module.TcpTests.server = TcpServer
        module.UnixTests.server = UnixServer
