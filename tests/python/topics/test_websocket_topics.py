"""subscribe(), unsubscribe(), publish(): which clients get what, and in which order."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

import httpuv
import pytest
from conftest import Serve
from support import Script, descriptors
from ws_support import (
    BINARY,
    PING,
    PONG,
    TEXT,
    Client,
    Watch,
    Watched,
    close_frame,
    frame,
    handshake,
    inflated,
    wait_until,
)

MIB = 1 << 20


@contextlib.contextmanager
def subscribers(
    server: httpuv.WebServer, watch: Watch, count: int, *fields: str
) -> Iterator[list[tuple[Client, Watched]]]:
    """So many connections; `fields` go with the handshake."""
    with contextlib.ExitStack() as stack:
        pairs = []
        for _ in range(count):
            client = stack.enter_context(Client.open(server, "/", *fields))
            pairs.append((client, watch.opened()))
        yield pairs


def test_only_subscribers_get_it(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with subscribers(server, watch, 4) as pairs:
        (a, ws_a), (b, ws_b), (c, ws_c), (d, ws_d) = pairs
        ws_a.ws.subscribe("news")
        ws_b.ws.subscribe("news")
        ws_b.ws.subscribe("sports")
        ws_c.ws.subscribe("sports")
        server.publish("news", "n1")
        server.publish("sports", b"s1")
        server.publish("nobody's", "x")
        server.publish("", "y")
        for watched in (ws_a, ws_b, ws_c, ws_d):
            watched.ws.send("end")
        assert [a.message(), a.message()] == ["n1", "end"]
        assert [b.message(), b.message(), b.message()] == ["n1", b"s1", "end"]
        assert [c.message(), c.message()] == [b"s1", "end"]
        assert d.message() == "end"


def test_subscribing_twice_counts_once(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with subscribers(server, watch, 1) as [(client, watched)]:
        for _ in range(3):
            watched.ws.subscribe("t")
        server.publish("t", "once")
        watched.ws.unsubscribe("t")
        watched.ws.unsubscribe("t")
        watched.ws.unsubscribe("never subscribed")
        server.publish("t", "not any more")
        watched.ws.send("end")
        assert [client.message(), client.message()] == ["once", "end"]


def test_subscribing_in_on_ws_open(serve: Serve) -> None:
    opened = threading.Semaphore(0)

    def on_open(ws: httpuv.WebSocket) -> None:
        ws.subscribe("all")
        opened.release()

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        assert opened.acquire(timeout=20)
        server.publish("all", "hello")
        assert client.message() == "hello"


def test_publishing_from_a_callback(serve: Serve) -> None:
    servers: list[httpuv.WebServer] = []

    def on_open(ws: httpuv.WebSocket) -> None:
        ws.subscribe("room")
        ws.onMessage(lambda binary, message: servers[0].publish("room", message))
        ws.send("ready")

    servers.append(serve({"onWSOpen": on_open}))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client.open(servers[0])) for _ in range(5)]
        for client in clients:
            assert client.message() == "ready"
        clients[2].say(TEXT, "hi all")
        for client in clients:
            assert client.message() == "hi all"


def test_order_with_everything_else(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with subscribers(server, watch, 10) as pairs:
        for _, watched in pairs:
            watched.ws.subscribe("t")
        for number in range(200):
            server.publish("t", f"published {number}")
            for _, watched in pairs:
                watched.ws.send(f"sent {number}")
        for client, _ in pairs:
            for number in range(200):
                assert client.message() == f"published {number}"
                assert client.message() == f"sent {number}"


def test_fan_out(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with subscribers(server, watch, 300) as pairs:
        for _, watched in pairs:
            watched.ws.subscribe("t")
        for number in range(50):
            server.publish("t", number.to_bytes(2, "big") * 512)
        for client, _ in pairs:
            for number in range(50):
                assert client.message() == number.to_bytes(2, "big") * 512


def test_it_is_gathered_and_yet_never_waits_for_a_callback(serve: Serve) -> None:
    """Several are sent together, but the last one not later because its callback goes on."""
    servers: list[httpuv.WebServer] = []
    seen, told = threading.Event(), threading.Event()

    def on_message(binary: bool, message: str) -> None:
        for number in range(3):
            servers[0].publish("room", f"{message} {number}")
        if message == "last":
            told.set()
            assert seen.wait(20)

    def on_open(ws: httpuv.WebSocket) -> None:
        ws.subscribe("room")
        ws.onMessage(on_message)

    servers.append(serve({"onWSOpen": on_open}))
    with Client.open(servers[0]) as client, Client.open(servers[0]) as other:
        for message in ("first", "second", "last"):
            client.say(TEXT, message)
        expected = [f"{message} {n}" for message in ("first", "second", "last") for n in range(3)]
        assert told.wait(20)
        try:
            for each in (client, other):
                assert [each.message() for _ in expected] == expected
        finally:
            seen.set()


CROWD = """
import ctypes, resource, sys
import httpuv

libc = ctypes.PyDLL(None)  # a call of its functions holds the GIL
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

def on_open(ws):
    ws.subscribe("all")

    @ws.onMessage
    def publish(binary, message):
        for number in range(3):
            server.publish("all", f"{message} {number}")
        ws.send("and you")
        libc.getchar()

limits = httpuv.Limits(max_connections=hard)
with httpuv.startServer("127.0.0.1", 0, {"onWSOpen": on_open}, limits=limits) as server:
    print(server.getPort(), flush=True)
    httpuv.service(0)
"""


def test_ten_thousand_subscribers_without_python() -> None:
    """From the third publish() on the interpreter does nothing: it is blocked, holding the GIL."""
    wanted = 1000 if "HTTPUV_SANITIZED" in os.environ else 10_000
    with contextlib.ExitStack() as stack:
        count = stack.enter_context(descriptors(wanted))
        script = stack.enter_context(Script(CROWD))
        where = ("127.0.0.1", int(script.line()))
        clients = []
        for _ in range(count):
            client = Client(where)
            stack.callback(client.reset)
            assert client.shake_hands(handshake()).status == 101
            clients.append(client)
        # Its message comes after all that have opened, and so have subscribed.
        speaker = clients[-1]
        speaker.say(TEXT, "hello")
        for client in clients:
            assert [client.message() for _ in range(3)] == ["hello 0", "hello 1", "hello 2"]
        assert speaker.message() == "and you"
        script.tell()  # it may go on
        speaker.say(TEXT, "again")
        for client in clients:
            assert client.message() == "again 0"


def test_every_subscriber_gets_the_form_it_can_read(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, wsCompression="always")
    offer = "Sec-WebSocket-Extensions: permessage-deflate"
    text = "always the same. " * 200
    with (
        subscribers(server, watch, 2) as plain,
        subscribers(server, watch, 2, offer) as deflating,
        subscribers(server, watch, 2, f"{offer}; server_max_window_bits=9") as small,
    ):
        for _, watched in plain + deflating + small:
            watched.ws.subscribe("t")
        for size in (1, 20, 40):  # the larger ones are compressed elsewhere
            server.publish("t", text * size)
            server.publish("t", "short")
            server.publish("t", text * size, compress=False)
        for size in (1, 20, 40):
            for client, _ in plain:
                for expected in (text * size, "short", text * size):
                    got = client.frame()
                    assert (got.rsv, got.payload.decode()) == (0, expected)
            for client, _ in deflating + small:
                got = client.frame()
                assert got.rsv == 4
                assert inflated(got.payload).decode() == text * size
                assert client.frame().payload == b"short"
                got = client.frame()
                assert (got.rsv, got.payload.decode()) == (0, text * size)


def test_a_slow_subscriber_harms_nobody(serve: Serve) -> None:
    watch = Watch()
    limits = httpuv.Limits(ws_queue_bytes=4 * MIB, ws_close_timeout=0.2)
    server = serve({"onWSOpen": watch}, limits=limits)
    with subscribers(server, watch, 3) as [(slow, slow_ws), (fast, fast_ws), (other, other_ws)]:
        for watched in (slow_ws, fast_ws, other_ws):
            watched.ws.subscribe("t")
        fast.socket.settimeout(20)
        for number in range(64):
            server.publish("t", bytes([number]) * MIB)
            for client in (fast, other):
                assert client.message() == bytes([number]) * MIB
        # It did not read, so it was closed, and after a while cut off.
        assert slow_ws.until("close")[1:] == ("close", 1006, "", False)[1:]
        server.publish("t", "still here")
        assert fast.message() == other.message() == "still here"
        slow.end()


def test_a_last_word_that_is_heard_while_publishing(serve: Serve) -> None:
    """Closed for not reading, a socket is read once more - and its Close found - in the middle."""
    watch = Watch()
    limits = httpuv.Limits(ws_queue_bytes=2 * MIB, ws_unread_bytes=1024, ws_close_timeout=0.2)
    server = serve({"onWSOpen": watch}, limits=limits)
    with subscribers(server, watch, 2) as [(slow, slow_ws), (fast, fast_ws)]:
        slow_ws.ws.__aiter__()  # keeps the messages, so that the socket is not read after two
        slow.send(frame(TEXT, "x" * 1000) * 4 + close_frame())
        slow_ws.until("message")
        for watched in (slow_ws, fast_ws):
            watched.ws.subscribe("t")
        for number in range(32):
            server.publish("t", bytes([number]) * MIB)
            assert fast.message() == bytes([number]) * MIB
        assert slow_ws.until("close")
        server.publish("t", "still here")
        assert fast.message() == "still here"


@pytest.mark.parametrize("policy", ["drop", "callback"])
def test_publishing_honours_the_overflow_policy(serve: Serve, policy: str) -> None:
    watch = Watch()
    limits = httpuv.Limits(ws_queue_bytes=2 * MIB)
    server = serve({"onWSOpen": watch}, limits=limits, wsOverflow=policy)
    with subscribers(server, watch, 1) as [(client, watched)]:
        watched.ws.subscribe("t")
        for number in range(64):
            server.publish("t", bytes([number]) * MIB)
        assert watched.ws.bufferedAmount <= 3 * MIB
        watched.ws.ping(b"mark")
        received = 0
        while watched.ws.bufferedAmount != 0 or received == 0:
            assert client.frame().opcode in (BINARY, PING)
            received += 1
        watched.until("drain") if policy == "drop" else watched.until("dropped")
        watched.ws.send("end")
        while (got := client.frame()).payload != b"end":
            received += got.opcode == BINARY
        assert received < 64


def test_the_message_is_shared(serve: Serve) -> None:
    if "HTTPUV_SANITIZED" in os.environ:
        pytest.skip("the sanitizer's memory is in the way")
    import psutil

    watch = Watch()
    server = serve({"onWSOpen": watch})
    process = psutil.Process()
    with subscribers(server, watch, 20) as pairs:
        for _, watched in pairs:
            watched.ws.subscribe("t")
        before = process.memory_info().rss
        server.publish("t", bytes(24 * MIB))
        deadline = time.monotonic() + 20
        while any(watched.ws.bufferedAmount < 4 * MIB for _, watched in pairs):
            assert time.monotonic() < deadline
        # 20 times 24 MiB are on their way.
        assert process.memory_info().rss - before < 64 * MIB
        for client, _ in pairs:
            assert len(client.message()) == 24 * MIB


def test_those_who_leave_are_forgotten(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with subscribers(server, watch, 1) as [(stays, stays_ws)]:
        stays_ws.ws.subscribe("t")
        for number in range(30):
            with subscribers(server, watch, 3) as [(client, a), (resets, b), (_, c)]:
                for watched in (a, b, c):
                    watched.ws.subscribe("t")
                    watched.ws.subscribe(f"t{number}")
                client.farewell()
                resets.reset()
            for watched in (a, b, c):
                assert watched.until("close")
            server.publish("t", str(number))
            server.publish(f"t{number}", "nobody")
            assert stays.message() == str(number)


def test_a_closing_socket_gets_no_more(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with subscribers(server, watch, 1) as [(client, watched)]:
        watched.ws.subscribe("t")
        server.publish("t", "before")
        watched.ws.close(4000)
        server.publish("t", "after")
        watched.ws.subscribe("t")
        server.publish("t", "after")
        assert client.message() == "before"
        assert client.closed() == (4000, "")


def test_many_topics_of_one_socket(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with subscribers(server, watch, 2) as [(client, watched), (other, other_ws)]:
        for number in range(500):
            watched.ws.subscribe(str(number))
            other_ws.ws.subscribe(str(number))
        for number in range(0, 500, 2):
            watched.ws.unsubscribe(str(number))
        for number in range(500):
            server.publish(str(number), str(number))
        assert [client.message() for _ in range(250)] == [str(n) for n in range(1, 500, 2)]
        assert [other.message() for _ in range(500)] == [str(n) for n in range(500)]
        client.say(PONG)


def test_topics_belong_to_their_server(serve: Serve) -> None:
    watch = Watch()
    first, second = serve({"onWSOpen": watch}), serve({"onWSOpen": watch})
    with subscribers(first, watch, 1) as [(a, ws_a)], subscribers(second, watch, 1) as [(b, ws_b)]:
        ws_a.ws.subscribe("t")
        ws_b.ws.subscribe("t")
        first.publish("t", "first")
        second.publish("t", "second")
        assert (a.message(), b.message()) == ("first", "second")


@pytest.mark.clock
def test_the_ten_thousandth_topic_costs_what_the_first_does(serve: Serve) -> None:
    """Twenty times as many topics of one socket take about 20 times as long, not 400 times."""
    taken: list[float] = []

    def on_open(ws: httpuv.WebSocket) -> None:
        for count in (2_000, 40_000):
            begun = time.monotonic()
            for number in range(count):
                ws.subscribe(f"{count} {number}")
            ws.bufferedAmount  # noqa: B018 - answered behind the commands before it
            taken.append(time.monotonic() - begun)

    with Client.open(serve({"onWSOpen": on_open})):
        wait_until(lambda: len(taken) == 2)
    assert taken[1] < 200 * taken[0]
