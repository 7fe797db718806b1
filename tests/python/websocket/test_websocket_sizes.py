"""Messages of every size are what was sent: in one read and in many, in a frame and in fragments,
plain, compressed and with TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpuv
import pytest
from conftest import Serve
from support import address
from tls_support import TlsWire
from ws_support import BINARY, CONTINUATION, PING, TEXT, Client, deflated, echo, frame, handshake

#: A read is 65,598 bytes at most; from half of that on a payload stays where it was read. What is
#: longer is read into the message, a read at a time.
READ = 65_598
SIZES = [
    *(0, 1, 125, 126, 1023, 8192, READ // 2 - 1, READ // 2, READ // 2 + 1, 49_152, 65_535, 65_536),
    *(READ - 14, READ - 13, READ, READ + 1009, READ + 1010, READ + 1011, 2 * READ - 14, 1 << 20),
]

#: Makes a message of so many bytes.
Make = Callable[[int], str | bytes]


class TlsClient(TlsWire, Client):
    """A WebSocket client with TLS."""


def data(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def ascii_text(size: int) -> str:
    return ("The quick brown fox. " * (size // 21 + 1))[:size]


def other_text(size: int) -> str:
    """Three bytes a character, which do not end where pieces end."""
    return "\u20ac" * (size // 3) + "x" * (size % 3)


@pytest.fixture(params=["plain", "compressed", "tls"])
def connected(
    request: pytest.FixtureRequest, serve: Serve, tls: httpuv.TLS, client: ssl.SSLContext
) -> Iterator[Client]:
    app = {"onWSOpen": echo}
    with ExitStack() as stack:
        if request.param == "tls":
            secure = TlsClient(address(serve(app, tls=tls)), client)
            stack.enter_context(secure)
            secure.answer = secure.shake_hands(handshake())
            yield secure
        elif request.param == "compressed":
            offer = "Sec-WebSocket-Extensions: permessage-deflate"
            server = serve(app, wsCompression="always")
            yield stack.enter_context(Client.open(server, "/", offer))
        else:
            yield stack.enter_context(Client.open(serve(app)))


def opcode(message: str | bytes) -> int:
    return TEXT if isinstance(message, str) else BINARY


def raw(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


def framed(client: Client, message: str | bytes) -> bytes:
    """A frame, compressed where that was agreed on."""
    if client.answer.get("Sec-WebSocket-Extensions") is not None:
        return frame(opcode(message), deflated(raw(message)), rsv=4)
    return frame(opcode(message), message)


@pytest.mark.parametrize("make", [data, ascii_text, other_text])
def test_every_size(connected: Client, make: Make) -> None:
    for size in SIZES:
        message = make(size)
        connected.send(framed(connected, message))
        assert connected.message() == message, size
    assert connected.farewell() == (1000, "")


@pytest.mark.parametrize("make", [data, other_text])
def test_one_behind_the_other(connected: Client, make: Make) -> None:
    """A read has the end of a message and the beginning of the next."""
    messages = [make(size) for size in SIZES if size < 1 << 20] + ["last"]
    connected.send(b"".join(framed(connected, each) for each in messages))
    assert [connected.message() for _ in messages] == messages
    assert connected.farewell() == (1000, "")


@pytest.mark.parametrize("make", [data, ascii_text, other_text])
@pytest.mark.parametrize("part", [700, 33_000, 70_000])
def test_fragments_with_pings_between(connected: Client, make: Make, part: int) -> None:
    message = make(200_000)
    payload = raw(message)
    first = opcode(message)
    frames = []
    for at in range(0, len(payload), part):
        frames.append(
            frame(first, payload[at : at + part], fin=at + part >= len(payload))
            + frame(PING, b"between")
        )
        first = CONTINUATION
    connected.send(*frames)
    assert connected.message() == message
    connected.send(framed(connected, "next"))
    assert connected.message() == "next"


def test_in_small_pieces(connected: Client) -> None:
    """Each is read for itself: the beginning, and then the rest of a frame."""
    for size in (40_000, 70_000, 150_000):
        message = data(size)
        sent = framed(connected, message)
        for at in range(0, len(sent), 9000):
            connected.send(sent[at : at + 9000])
        assert connected.message() == message
