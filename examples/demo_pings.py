"""Measure WebSocket pings for the chart of demo.py.

    python examples/demo_pings.py PORT FILE

This is a separate process, because the demonstration blocks its own Python. It writes the
milliseconds that a pong takes to FILE, which the server then sends to the page. It ends when the
server closes the connection.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct
import sys
import time
from pathlib import Path

PAUSE = 0.1  # seconds between two pings, and between two notes while a pong is late
PING, PONG, CLOSE = 0x9, 0xA, 0x8  # RFC 6455, section 5.2


def connected(port: int) -> socket.socket:
    """A WebSocket, as far as pings need one (RFC 6455, section 4)."""
    connection = socket.create_connection(("127.0.0.1", port), 10)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET /pings HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError("the server closed the connection")
        answer += byte
    if not answer.startswith(b"HTTP/1.1 101 "):
        raise ConnectionError(answer.decode("latin-1").partition("\r\n")[0])
    return connection


def opcode(connection: socket.socket, note: Path, begin: float) -> int:
    """Read one frame and return its opcode; while none comes, note how long the pong takes.

    Only short frames come here: the server subscribes this WebSocket to nothing.
    """
    connection.settimeout(PAUSE)
    while True:
        try:
            head = connection.recv(2, socket.MSG_PEEK)
            break
        except TimeoutError:
            write(note, time.monotonic() - begin)
    if not head:
        return CLOSE
    connection.settimeout(None)
    first, length = connection.recv(2, socket.MSG_WAITALL)
    connection.recv(length, socket.MSG_WAITALL)
    return first & 0xF


def write(note: Path, seconds: float) -> None:
    """Replace the file in one step, so that no reader gets half of it."""
    new = note.with_suffix(".new")
    new.write_text(f"{1000 * seconds:.2f}")
    new.replace(note)


def main(port: int, note: Path) -> None:
    """Send pings until the server closes the connection."""
    with connected(port) as connection:
        while True:
            begin = time.monotonic()
            # A masked frame with four bytes of content.
            connection.sendall(struct.pack("!BB4s4s", 0x80 | PING, 0x80 | 4, b"\0\0\0\0", b"ping"))
            while (kind := opcode(connection, note, begin)) != PONG:
                if kind == CLOSE:
                    return
            write(note, time.monotonic() - begin)
            time.sleep(PAUSE)


if __name__ == "__main__":
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):  # the server was killed
        main(int(sys.argv[1]), Path(sys.argv[2]))
