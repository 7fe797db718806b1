"""Frames between the processes of ``httpuv run --workers``: a JSON object and bytes."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

from .protocol import Delivery

_HEAD = struct.Struct(">II")


def send(connection: socket.socket, head: dict[str, Any], data: bytes = b"") -> None:
    """Send a frame. Two threads must not call this at once."""
    text = json.dumps(head).encode()
    connection.sendall(_HEAD.pack(len(text), len(data)) + text + data)


def receive(connection: socket.socket) -> tuple[dict[str, Any], bytes] | None:
    """The next frame; None at the end of the connection."""
    sizes = _exactly(connection, _HEAD.size)
    if sizes is None:
        return None
    text, data = _HEAD.unpack(sizes)
    rest = _exactly(connection, text + data)
    return None if rest is None else (json.loads(rest[:text]), rest[text:])


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    pieces = bytearray()
    while len(pieces) < size:
        piece = connection.recv(min(size - len(pieces), 1 << 20))
        if not piece:
            return None
        pieces += piece
    return bytes(pieces)


def packed(messages: list[Delivery]) -> tuple[list[list[Any]], bytes]:
    """Messages as a part of the JSON object, and bytes."""
    heads: list[list[Any]] = []
    bodies = []
    for each in messages:
        binary = isinstance(each.data, bytes)
        body = each.data if isinstance(each.data, bytes) else each.data.encode()
        heads.append([each.offset, binary, each.event, len(body)])
        bodies.append(body)
    return heads, b"".join(bodies)


def unpacked(heads: list[list[Any]], data: bytes) -> list[Delivery]:
    """The reverse."""
    messages = []
    place = 0
    for offset, binary, event, size in heads:
        body = data[place : place + size]
        place += size
        messages.append(Delivery(offset, body if binary else body.decode(), event))
    return messages
