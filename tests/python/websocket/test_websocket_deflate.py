"""RFC 7692: what is agreed on, what goes over the wire, and what a bomb costs."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from typing import Any

import httpuv
import psutil
import pytest
from conftest import Serve
from support import address, fetch
from ws_support import (
    BINARY,
    CONTINUATION,
    TEXT,
    Client,
    Watch,
    deflated,
    echo,
    frame,
    handshake,
    inflated,
)

OFFER = "Sec-WebSocket-Extensions: permessage-deflate"
TEXT_1 = "So much to say, so often the same. " * 100


def parameters(answer: str | None) -> set[str]:
    assert answer is not None
    name, *rest = (part.strip() for part in answer.split(";"))
    assert name == "permessage-deflate"
    return set(rest)


@pytest.fixture
def compressing(serve: Serve) -> Callable[..., httpuv.WebServer]:
    """Start an echo server that compresses for peers on this machine, too."""

    def start(app: Any = None, **options: Any) -> httpuv.WebServer:
        return serve(app or {"onWSOpen": echo}, wsCompression="always", **options)

    return start


Start = Callable[..., httpuv.WebServer]


@pytest.mark.parametrize("compression", [True, False])
def test_off_for_peers_on_this_machine_unless_asked(serve: Serve, compression: bool) -> None:
    server = serve({"onWSOpen": echo}, wsCompression=compression)
    with Client.open(server, "/", OFFER) as client:
        assert client.answer.get("Sec-WebSocket-Extensions") is None
        client.say(TEXT, "x", rsv=4)
        assert client.closed()[0] == 1002


def test_nothing_is_kept_between_messages_by_default(compressing: Start) -> None:
    with Client.open(compressing(), "/", OFFER) as client:
        agreed = parameters(client.answer.get("Sec-WebSocket-Extensions"))
        assert "server_no_context_takeover" in agreed
        assert "client_no_context_takeover" in agreed


@pytest.mark.parametrize("bits", range(8, 16))
def test_the_client_asks_for_a_small_window(compressing: Start, bits: int) -> None:
    offer = f"{OFFER}; server_max_window_bits={bits}"
    message = os.urandom(1 << bits).hex() + os.urandom(1 << bits).hex()
    with Client.open(compressing(), "/", offer) as client:
        agreed = parameters(client.answer.get("Sec-WebSocket-Extensions"))
        (window,) = (each for each in agreed if each.startswith("server_max_window_bits"))
        used = int(window.partition("=")[2])
        assert used <= bits
        client.say(TEXT, message)
        got = client.frame()
        assert got.rsv == (4 if len(message) >= 1024 else 0)
        if got.rsv:
            # zlib's window of 8 bits is in truth one of 9.
            unpack = zlib.decompressobj(-max(9, used))
            assert unpack.decompress(got.payload + b"\0\0\xff\xff").decode() == message


@pytest.mark.parametrize(
    "offer",
    [
        "; client_max_window_bits",
        "; client_max_window_bits=9",
        "; server_no_context_takeover; client_no_context_takeover",
        "; client_max_window_bits=15; server_max_window_bits=15",
    ],
)
def test_offers_that_are_accepted(compressing: Start, offer: str) -> None:
    with Client.open(compressing(), "/", OFFER + offer) as client:
        parameters(client.answer.get("Sec-WebSocket-Extensions"))
        for _ in range(3):
            client.say(TEXT, deflated(TEXT_1.encode()), rsv=4)
            got = client.frame()
            assert (got.rsv, inflated(got.payload).decode()) == (4, TEXT_1)
        assert client.farewell() == (1000, "")


@pytest.mark.parametrize(
    "offer",
    [
        "; server_max_window_bits=7",
        "; server_max_window_bits=16",
        "; server_max_window_bits",
        "; client_max_window_bits=99",
        "; server_no_context_takeover=1",
    ],
)
def test_parameters_with_impossible_values(compressing: Start, offer: str) -> None:
    answer = fetch(address(compressing()), handshake("/", OFFER + offer))
    assert answer.status == 400


@pytest.mark.parametrize("offer", ["permessage-deflate; unknown", "x-webkit-deflate-frame"])
def test_offers_that_are_declined(compressing: Start, offer: str) -> None:
    with Client.open(compressing(), "/", f"Sec-WebSocket-Extensions: {offer}") as client:
        assert client.answer.get("Sec-WebSocket-Extensions") is None
        client.say(TEXT, TEXT_1)
        assert client.message() == TEXT_1


def test_of_several_offers_the_first_that_will_do_is_taken(compressing: Start) -> None:
    offers = "permessage-deflate; unknown, permessage-deflate; server_max_window_bits=10"
    with Client.open(compressing(), "/", f"Sec-WebSocket-Extensions: {offers}") as client:
        agreed = parameters(client.answer.get("Sec-WebSocket-Extensions"))
        assert "server_max_window_bits=10" in agreed


def test_short_messages_are_not_worth_it(compressing: Start) -> None:
    with Client.open(compressing(), "/", OFFER) as client:
        client.say(TEXT, "a" * 100)
        assert client.frame().rsv == 0
        client.say(TEXT, "a" * 1024)
        assert client.frame().rsv == 4


def test_what_does_not_get_smaller_goes_as_it_is(compressing: Start) -> None:
    noise = os.urandom(200_000)
    with Client.open(compressing(), "/", OFFER) as client:
        client.say(BINARY, noise)
        got = client.frame()
        assert (got.rsv, got.payload) == (0, noise)


def test_a_message_may_be_sent_uncompressed(compressing: Start) -> None:
    def on_open(ws: httpuv.WebSocket) -> None:
        ws.send(TEXT_1, compress=False)
        ws.send(TEXT_1 * 100, compress=False)
        ws.send(TEXT_1)

    with Client.open(compressing({"onWSOpen": on_open}), "/", OFFER) as client:
        assert [client.frame().rsv for _ in range(3)] == [0, 0, 4]


def test_a_compressed_message_in_fragments(compressing: Start) -> None:
    data = deflated(TEXT_1.encode())
    with Client.open(compressing(), "/", OFFER) as client:
        client.say(TEXT, data[:7], rsv=4, fin=False)
        client.say(CONTINUATION, b"", fin=False)
        client.say(CONTINUATION, data[7:])
        assert client.message() == TEXT_1
        client.say(TEXT, "x", rsv=4, fin=False)
        client.say(CONTINUATION, "y", rsv=4)  # RSV1 belongs to the first frame
        assert client.closed()[0] == 1002


def test_large_messages_keep_their_order_with_small_ones(compressing: Start) -> None:
    # Large ones are compressed elsewhere; nothing overtakes them, Close neither.
    sizes = [100_000, 10, 2_000, 500_000, 40_000, 5, 1_000_000, 3]

    def on_open(ws: httpuv.WebSocket) -> None:
        for size in sizes:
            ws.send(f"{size:<{size}}")
        ws.close(1000, "all said")

    with Client.open(compressing({"onWSOpen": on_open}), "/", OFFER) as client:
        for size in sizes:
            message = client.message()
            assert len(message) == size
            assert int(message) == size
        assert client.closed() == (1000, "all said")


def test_a_large_answer_before_the_clients_close(compressing: Start) -> None:
    def on_open(ws: httpuv.WebSocket) -> None:
        ws.onMessage(lambda binary, message: ws.send(TEXT_1 * 100))

    with Client.open(compressing({"onWSOpen": on_open}), "/", OFFER) as client:
        client.send(frame(TEXT, "all of it, please") + frame(8, b"\x03\xe8"))
        assert client.message() == TEXT_1 * 100
        assert client.closed() == (1000, "")


@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff", b"\x00\x05\x00\xfa\xff", b"\x03\x00\x06"])
def test_invalid_compressed_data(compressing: Start, data: bytes) -> None:
    with Client.open(compressing(), "/", OFFER) as client:
        client.say(TEXT, data, rsv=4)
        assert client.closed()[0] == 1007


def test_compressed_text_must_be_utf8(compressing: Start) -> None:
    with Client.open(compressing(), "/", OFFER) as client:
        client.say(TEXT, deflated(b"ok\xff"), rsv=4)
        assert client.closed()[0] == 1007


def test_a_bomb_is_defused(compressing: Start) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    bomb = block * 4096
    assert len(bomb) < 5 << 20  # for 4 GiB
    watch = Watch()
    server = compressing({"onWSOpen": watch}, limits=httpuv.Limits(ws_max_message_bytes=8 << 20))
    process = psutil.Process()
    with Client.open(server, "/", OFFER) as client:
        data = frame(BINARY, bomb, rsv=4)
        before = process.memory_info().rss
        client.send(data)
        assert client.closed() == (1009, "message too big")
        if "HTTPUV_SANITIZED" not in os.environ:
            assert process.memory_info().rss - before < 64 << 20
    assert watch.opened().next() == ("close", 1009, "message too big", False)
