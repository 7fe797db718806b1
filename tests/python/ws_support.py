"""What the WebSocket tests share: a client that says exactly what it is told, frame by frame, and
an application that writes down what it sees."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import queue
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpuv
from support import PATIENCE, Response, Wire, request

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def accept_value(key: str) -> str:
    """RFC 6455 section 4.2.2."""
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


def handshake(target: str = "/", *fields: str, **replaced: str | None) -> bytes:
    """An opening handshake; `key=None` leaves Sec-WebSocket-Key out, and so on."""
    standard = {
        "upgrade": ("Upgrade", "websocket"),
        "connection": ("Connection", "Upgrade"),
        "version": ("Sec-WebSocket-Version", "13"),
        "key": ("Sec-WebSocket-Key", KEY),
    }
    lines = []
    for name, (header, value) in standard.items():
        used = replaced.get(name, value)
        if used is not None:
            lines.append(f"{header}: {used}")
    return request(target, *lines, *fields)


def masked(payload: bytes, mask: bytes) -> bytes:
    """RFC 6455 section 5.3, for large payloads, too."""
    pad = -len(payload) % 4
    number = int.from_bytes(payload + bytes(pad), "big")
    key = int.from_bytes(mask * ((len(payload) + pad) // 4), "big") if payload else 0
    return (number ^ key).to_bytes(len(payload) + pad, "big")[: len(payload)]


def frame(
    opcode: int, payload: bytes | str = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True
) -> bytes:
    """A frame as a client sends it."""
    data = payload.encode() if isinstance(payload, str) else payload
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if len(data) < 126:
        head += bytes([bit | len(data)])
    elif len(data) < 1 << 16:
        head += bytes([bit | 126]) + struct.pack(">H", len(data))
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", len(data))
    if not mask:
        return head + data
    key = os.urandom(4)
    return head + key + masked(data, key)


def close_frame(code: int | None = 1000, reason: str = "") -> bytes:
    payload = b"" if code is None else struct.pack(">H", code) + reason.encode()
    return frame(CLOSE, payload)


def deflated(data: bytes) -> bytes:
    """A message as RFC 7692 compresses it, on its own."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(data: bytes) -> bytes:
    return zlib.decompressobj(-15).decompress(data + b"\0\0\xff\xff")


@dataclass
class Frame:
    fin: bool
    rsv: int
    opcode: int
    payload: bytes

    @property
    def close(self) -> tuple[int, str]:
        """Code and reason; 1005 where there is none."""
        assert self.opcode == CLOSE, self
        if not self.payload:
            return 1005, ""
        return struct.unpack(">H", self.payload[:2])[0], self.payload[2:].decode()


class Client(Wire):
    """A WebSocket client on a raw socket."""

    @classmethod
    def open(
        cls, server: httpuv.WebServer | httpuv.PipeServer, target: str = "/", *fields: str
    ) -> Client:
        where = (
            server.getName()
            if isinstance(server, httpuv.PipeServer)
            else ("127.0.0.1", server.getPort())
        )
        client = cls(where)
        try:
            client.answer = client.shake_hands(handshake(target, *fields))
            assert client.answer.status == 101, client.answer
        except BaseException:
            client.close()
            raise
        return client

    answer: Response

    def shake_hands(self, data: bytes) -> Response:
        self.send(data)
        return self.response()

    def __enter__(self) -> Client:
        return self

    def say(self, opcode: int, payload: bytes | str = b"", **options: Any) -> None:
        self.send(frame(opcode, payload, **options))

    def frame(self) -> Frame:
        """The next frame, which a server must not mask (RFC 6455 section 5.1)."""
        first, second = self._exactly(2)
        assert not second & 0x80, "a server must not mask"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self._exactly(2))
            assert size > 125
        elif size == 127:
            (size,) = struct.unpack(">Q", self._exactly(8))
            assert size > 0xFFFF
        return Frame(bool(first & 0x80), first >> 4 & 7, first & 15, self._exactly(size))

    def message(self) -> str | bytes:
        """The next message; pings are answered and pongs passed over."""
        while True:
            got = self.frame()
            if got.opcode == PING:
                self.say(PONG, got.payload)
            elif got.opcode in (TEXT, BINARY):
                assert got.fin
                data = inflated(got.payload) if got.rsv == 4 else got.payload
                return data.decode() if got.opcode == TEXT else data
            else:
                assert got.opcode == PONG, got

    def closed(self) -> tuple[int, str]:
        """Code and reason of the server's Close, which must be the next frame but for pings."""
        while True:
            got = self.frame()
            if got.opcode not in (PING, PONG):
                return got.close

    def farewell(self, code: int | None = 1000, reason: str = "") -> tuple[int, str]:
        """The closing handshake from here; messages that are on their way are passed over."""
        self.send(close_frame(code, reason))
        while (got := self.frame()).opcode != CLOSE:
            pass
        assert self.at_end()
        self.close()
        return got.close

    def end(self) -> None:
        """Read to the end, whatever comes, and close."""
        with contextlib.suppress(ConnectionError):
            self.rest()
        self.close()


class Watched:
    """A WebSocket on the server's side, and what it told so far."""

    def __init__(self, ws: httpuv.WebSocket) -> None:
        self.ws = ws
        self._told: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        ws.onMessage(lambda binary, message: self.tell("message", binary, message))
        ws.onClose(lambda: self.tell("close", ws.closeCode, ws.closeReason, ws.wasClean))
        ws.onPong(lambda payload: self.tell("pong", payload))
        ws.onDrain(lambda: self.tell("drain"))
        ws.onDropped(lambda: self.tell("dropped"))
        ws.onReset(lambda *place: self.tell("reset", *place))

    def tell(self, *event: Any) -> None:
        self._told.put(event)

    def next(self) -> tuple[Any, ...]:
        """What it tells next."""
        return self._told.get(timeout=PATIENCE)

    def until(self, kind: str) -> tuple[Any, ...]:
        """The next event of that kind, passing others over."""
        while (event := self.next())[0] != kind:
            pass
        return event

    def silent(self) -> bool:
        return self._told.empty()


class Watch:
    """An onWSOpen that watches every WebSocket."""

    def __init__(self, *, echo: bool = False) -> None:
        self._opened: queue.SimpleQueue[Watched] = queue.SimpleQueue()
        self._echo = echo

    def __call__(self, ws: httpuv.WebSocket) -> None:
        watched = Watched(ws)
        if self._echo:
            ws.onMessage(lambda binary, message: ws.send(message))
        self._opened.put(watched)

    def opened(self) -> Watched:
        """The next WebSocket that opens, or opened."""
        return self._opened.get(timeout=PATIENCE)


def echo(ws: httpuv.WebSocket) -> None:
    """An onWSOpen that sends back what comes."""
    ws.onMessage(lambda binary, message: ws.send(message))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def gone(server: httpuv.WebServer) -> None:
    """Wait until the server has no connection."""
    wait_until(lambda: server._core.stats()["connections"] == 0)
