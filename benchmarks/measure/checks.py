"""Whether a server's answers are right: what is wrong is not timed."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import struct
import sys
from pathlib import Path

from measure.servers import HOST

sys.path.insert(0, str(Path(__file__).parents[1] / "peers"))
import common

KEY = b"MDEyMzQ1Njc4OWFiY2RlZg=="
MASK = b"\x37\xfa\x21\x3d"


class Wrong(Exception):
    """An answer is not the one that was asked for."""


def request(target: str, *fields: str) -> bytes:
    lines = [f"GET {target} HTTP/1.1", "Host: 127.0.0.1", *fields, "", ""]
    return "\r\n".join(lines).encode()


class Answer:
    """Status, header fields (lower-case names) and body."""

    def __init__(self, head: bytes) -> None:
        lines = head.split(b"\r\n")
        self.status = int(lines[0].split()[1])
        self.fields = {
            name.strip().lower().decode(): value.strip().decode("latin-1")
            for name, _, value in (line.partition(b":") for line in lines[1:])
        }
        self.body = b""


def receive(client: socket.socket, data: bytes) -> bytes:
    part = client.recv(1 << 20)
    if not part:
        raise Wrong(f"the connection ended after {len(data)} bytes of an answer")
    return data + part


def read_chunks(client: socket.socket, data: bytes) -> tuple[bytes, bytes]:
    """The content of a chunked body, and what came after it (RFC 9112, section 7.1)."""
    content = b""
    while True:
        while (end := data.find(b"\r\n")) < 0:
            data = receive(client, data)
        size = int(data[:end].split(b";")[0], 16)
        while len(data) < end + 2 + size + 2:
            data = receive(client, data)
        content += data[end + 2 : end + 2 + size]
        data = data[end + 2 + size + 2 :]
        if size == 0:
            return content, data


def read_answer(client: socket.socket, data: bytes = b"") -> tuple[Answer, bytes]:
    """One whole answer, and the bytes that came after it."""
    while (end := data.find(b"\r\n\r\n")) < 0:
        data = receive(client, data)
    answer = Answer(data[:end])
    data = data[end + 4 :]
    if answer.status in (204, 304):
        return answer, data
    if answer.fields.get("transfer-encoding", "").lower() == "chunked":
        answer.body, data = read_chunks(client, data)
        return answer, data
    if "content-length" not in answer.fields:
        raise Wrong("an answer has neither a length nor chunks")
    length = int(answer.fields["content-length"])
    while len(data) < length:
        data = receive(client, data)
    answer.body = data[:length]
    return answer, data[length:]


def connected(port: int, tls: bool = False) -> socket.socket:
    """A connection.

    Raises:
        Wrong: With TLS, its cipher is not the one that all are measured with.
    """
    client = socket.create_connection((HOST, port), 10)
    if not tls:
        return client
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["http/1.1"])
    wrapped = context.wrap_socket(client)
    cipher = wrapped.cipher()
    if cipher is None or cipher[0] != common.CIPHER:
        raise Wrong(f"the cipher is {cipher}, not {common.CIPHER}")
    return wrapped


def fetch(port: int, target: str, *fields: str) -> Answer:
    with socket.create_connection((HOST, port), 10) as client:
        client.sendall(request(target, *fields))
        return read_answer(client)[0]


def expect(answer: Answer, status: int, body: bytes | None) -> None:
    if answer.status != status:
        raise Wrong(f"status {answer.status}, not {status}: {answer.body[:100]!r}")
    if body is not None and answer.body != body:
        raise Wrong(f"{len(answer.body)} bytes {answer.body[:40]!r}, not {len(body)}")


def check_content(port: int, target: str, body: bytes, tls: bool = False) -> None:
    """Twice over one connection: status, length, every byte, and that it is kept alive."""
    with connected(port, tls) as client:
        left = b""
        for _ in range(2):
            client.sendall(request(target))
            answer, left = read_answer(client, left)
            expect(answer, 200, body)
        if left:
            raise Wrong(f"{len(left)} bytes too many")


def check_hello(port: int, tls: bool = False) -> None:
    check_content(port, "/", common.HELLO, tls)


def check_stream(port: int) -> None:
    check_content(port, "/stream", common.PIECE * common.PIECES)


def check_large_stream(port: int) -> None:
    check_content(port, "/stream64k", common.LARGE_PIECE * common.LARGE_PIECES)


def check_body(port: int) -> None:
    check_content(port, "/body", common.BODY)


def order() -> bytes:
    """What is sent to /order."""
    return common.order()


def check_order(port: int) -> None:
    """A good order comes back; one without its customer is refused."""
    good = order()
    assert len(good) == 1024
    for body, status in ((good, 200), (good.replace(b"customer", b"costumer"), 422)):
        fields = ("Content-Type: application/json", f"Content-Length: {len(body)}")
        with socket.create_connection((HOST, port), 10) as client:
            client.sendall(request("/order", *fields).replace(b"GET", b"POST", 1) + body)
            answer, _ = read_answer(client)
        expect(answer, status, good if status == 200 else None)


def check_health(port: int, target: str) -> None:
    expect(fetch(port, target), 200, None)


def check_ping(port: int) -> None:
    """A ping over a WebSocket is answered with its payload (RFC 6455, section 5.5.3)."""
    with socket.create_connection((HOST, port), 10) as client:
        upgrade(client, "/ws")
        client.sendall(client_frame(b"ping", 9))
        if read_message(client, 4) != (10, b"ping"):
            raise Wrong("the answer to a ping is no pong")


def check_pipelined(port: int, depth: int) -> None:
    """Requests in one segment: as many right answers, in order, and nothing else."""
    with socket.create_connection((HOST, port), 10) as client:
        client.sendall(request("/") * depth)
        left = b""
        for _ in range(depth):
            answer, left = read_answer(client, left)
            expect(answer, 200, common.HELLO)
        if left:
            raise Wrong(f"{len(left)} bytes too many")


def validator(port: int, target: str) -> tuple[str, str]:
    """The condition under which the server need not send the file again."""
    fields = fetch(port, target).fields
    if "etag" in fields:
        return "If-None-Match", fields["etag"]
    if "last-modified" in fields:
        return "If-Modified-Since", fields["last-modified"]
    raise Wrong("no validator")


def check_not_modified(port: int, target: str) -> None:
    name, value = validator(port, target)
    expect(fetch(port, target, f"{name}: {value}"), 304, b"")


def upgrade(client: socket.socket, path: str) -> None:
    """The opening handshake (RFC 6455, section 4)."""
    fields = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY.decode()}",
    )
    client.sendall(request(path, *fields))
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data = receive(client, data)
    answer = Answer(data[:-4])
    digest = hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    if answer.status != 101:
        raise Wrong(f"the handshake is answered with {answer.status}")
    if answer.fields.get("sec-websocket-accept") != base64.b64encode(digest).decode():
        raise Wrong("Sec-WebSocket-Accept is wrong")
    if "sec-websocket-extensions" in answer.fields:
        raise Wrong("an extension that was not offered")


def client_frame(payload: bytes, opcode: int = 1) -> bytes:
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
    elif size < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 0xFE, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0xFF, size)
    repeated = MASK * (size // 4 + 1)
    masked = bytes(a ^ b for a, b in zip(payload, repeated, strict=False))
    return head + MASK + masked


def read_message(client: socket.socket, size: int) -> tuple[int, bytes]:
    """Opcode and payload of the next unfragmented frame, which has `size` bytes."""
    head = 2 if size < 126 else 4 if size < 65536 else 10
    data = b""
    while len(data) < head + size:
        data = receive(client, data)
    if len(data) != head + size or not data[0] & 0x80:
        raise Wrong(f"no single frame of {size} bytes: {data[:20]!r}")
    return data[0] & 15, data[head:]


def echo(client: socket.socket, payload: bytes, opcode: int = 1) -> None:
    client.sendall(client_frame(payload, opcode))
    if read_message(client, len(payload)) != (opcode, payload):
        raise Wrong("the echo is not what was sent")


def check_echo(port: int) -> None:
    with socket.create_connection((HOST, port), 10) as client:
        upgrade(client, "/ws")
        for payload, opcode in ((b"text", 1), (bytes(range(256)) * 256, 2)):
            echo(client, payload, opcode)


def check_broadcast(port: int) -> None:
    with (
        socket.create_connection((HOST, port), 10) as one,
        socket.create_connection((HOST, port), 10) as two,
    ):
        for client in (one, two):
            upgrade(client, "/broadcast")
        payload = b"x" * 1024
        # The second may not be a member yet when its handshake is done: it says something first.
        two.sendall(client_frame(payload, 2))
        read_message(two, len(payload))
        read_message(one, len(payload))
        one.sendall(client_frame(payload, 2))
        for client in (one, two):
            if read_message(client, len(payload)) != (2, payload):
                raise Wrong("a broadcast message is not what was sent")


def path_of(target: str, root: Path) -> Path:
    """The file that a target below /static/ stands for."""
    return root / re.sub("^/static/", "", target)
