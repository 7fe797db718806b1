"""Clients that reset their connections while answers are being written to them."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest
from conftest import Serve
from support import address, fetch, request


@pytest.mark.parametrize("target", ["/files/large.bin", "/dynamic"])
def test_a_reset_in_the_middle_of_pipelined_answers(
    serve: Serve, tmp_path: Path, target: str
) -> None:
    large = b"x" * (1 << 22)
    (tmp_path / "large.bin").write_bytes(large)
    server = serve(
        {"call": lambda req: {"status": 200, "body": large}, "staticPaths": {"/files": tmp_path}}
    )
    asked = f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * 3
    for i in range(150):
        client = socket.create_connection(address(server))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(asked)
        if i % 2:
            client.recv(1)  # the first answer is on its way
        client.close()
    assert fetch(address(server), request(target)).body == large
