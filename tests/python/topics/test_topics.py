"""Topics that keep their messages: offsets, replay for WebSockets and for streams of events."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpuv
import pytest
from conftest import Serve
from metrics_support import samples, value
from support import Script, Wire, address, descriptors, get, request
from ws_support import Client, Watch, wait_until


class Events:
    """A client of a stream of events, which reads them one by one."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.id = ""

    def next(self) -> dict[str, str]:
        """The next block that is no comment; data lines joined, as a browser does."""
        while True:
            block = self.wire._until(b"\n\n").decode()
            lines = [line for line in block.split("\n") if ": " in line and line[0] != ":"]
            if not lines:
                continue
            fields: dict[str, str] = {}
            for line in lines:
                name, _, value = line.partition(": ")
                fields[name] = f"{fields[name]}\n{value}" if name in fields else value
            self.id = fields.get("id", self.id)
            return fields


@contextlib.contextmanager
def events(
    server: httpuv.WebServer, last: str = "", url: str = "/", version: str = "HTTP/1.0"
) -> Iterator[Events]:
    """HTTP/1.0, so that no chunks are in between."""
    with Wire(address(server)) as wire:
        fields = [f"Last-Event-ID: {last}"] if last else []
        wire.send(request(url, *fields).replace(b"HTTP/1.1", version.encode()))
        head = wire._until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200") and b"text/event-stream" in head
        yield Events(wire)


NEWS = {"news": httpuv.Topic(history=5, ttl=60)}


def test_offsets_rise_on_every_thread(serve: Serve) -> None:
    server = serve({}, topics={"*": httpuv.Topic(history=10_000, max_bytes=1 << 30)})
    found: list[list[int]] = [[] for _ in range(4)]

    def publish(mine: list[int]) -> None:
        for _ in range(500):
            mine.append(server.publish("t", "x"))

    threads = [threading.Thread(target=publish, args=(mine,)) for mine in found]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(mine == sorted(mine) for mine in found)
    assert sorted(number for mine in found for number in mine) == list(range(1, 2001))
    stats = server.topic_stats("t")
    assert (stats.offset, stats.messages, stats.subscribers) == (2000, 2000, 0)


def test_bounds_of_the_history(serve: Serve) -> None:
    topics = {"few": httpuv.Topic(history=2), "short": httpuv.Topic(max_bytes=1200)}
    server = serve({}, topics=topics)
    for number in range(5):
        server.publish("few", str(number))
        server.publish("short", "x" * 300)
    assert server.topic_stats("few").messages == 2
    assert server.topic_stats("short").messages == 2
    assert server.topic_stats("short").bytes <= 1200
    assert server.topic_stats("unknown") == httpuv.TopicStats()


def test_a_websocket_gets_what_it_missed(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, topics=NEWS)
    with Client.open(server) as client:
        ws = watch.opened().ws
        epoch, offset, recovered = ws.subscribe("news")
        assert (offset, recovered) == (0, False) and epoch
        assert ws.subscriptions == ("news",)
        assert server.publish("news", "1") == 1
        assert client.message() == "1"
    for number in range(2, 5):
        assert server.publish("news", str(number)) == number
    with Client.open(server) as client:
        ws = watch.opened().ws
        assert tuple(ws.subscribe("news", since=(epoch, 1))) == (epoch, 4, True)
        server.publish("news", b"5")
        assert [client.message() for _ in range(4)] == ["2", "3", "4", b"5"]
        assert ws.subscribe("news", since=(epoch, 1)).recovered  # it has it all, and gets no double
        server.publish("news", "6")
        assert client.message() == "6"
    with Client.open(server) as client:  # 1 has left the history
        ws = watch.opened().ws
        assert tuple(ws.subscribe("news", since=(epoch, 0))) == (epoch, 6, False)
        ws.unsubscribe("news")
        assert not ws.subscribe("news", since=("other", 6)).recovered
        ws.unsubscribe("news")
        assert not ws.subscribe("news", since=(epoch, 7)).recovered
        ws.unsubscribe("news")
        assert not ws.subscribe("news", since=0).recovered
        assert [client.message() for _ in range(5)] == ["2", "3", "4", b"5", "6"]
        ws.unsubscribe("news")
        assert ws.subscriptions == ()


def test_replay_and_live_without_gap_or_double(serve: Serve) -> None:
    """Messages are published all the time while sockets come with any offset."""
    watch = Watch()
    topics = {"t": httpuv.Topic(history=100_000, max_bytes=1 << 30)}
    server = serve({"onWSOpen": watch}, topics=topics)
    server.publish("t", "1")
    stop = threading.Event()

    def publish() -> None:
        number = 1
        while not stop.is_set():
            number += 1
            assert server.publish("t", str(number)) == number
            time.sleep(0)  # the others have their turn

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        epoch = server.topic_stats("t").epoch
        for _ in range(30):
            since = max(0, server.topic_stats("t").offset - 100)
            with Client.open(server) as client:
                subscription = watch.opened().ws.subscribe("t", since=(epoch, since))
                assert subscription.recovered
                last = subscription.offset + 3
                got = [int(client.message()) for _ in range(since, last)]
                assert got == list(range(since + 1, last + 1))
                client.reset()
    finally:
        stop.set()
        publisher.join()


@pytest.mark.parametrize(
    ("since", "error"),
    [
        ("x", TypeError),
        (("e", "1"), TypeError),
        (("e", -1), ValueError),
        (1, ValueError),
        (("\ud800", 1), ValueError),  # what json.loads() may make of a client's message
    ],
)
def test_wrong_since(serve: Serve, since: Any, error: type[Exception]) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server), pytest.raises(error, match=r"^since"):
        watch.opened().ws.subscribe("t", since=since)


def test_wrong_arguments(serve: Serve) -> None:
    for more in ({"history": -1}, {"ttl": 0}, {"max_bytes": -1}, {"overflow": "callback"}):
        with pytest.raises((TypeError, ValueError), match=next(iter(more))):
            httpuv.Topic(**more)
    for topics in (["a"], {"a": 1}, {1: httpuv.Topic()}):
        with pytest.raises(TypeError, match="topics"):
            httpuv.startServer("127.0.0.1", 0, {}, topics=topics)
    server = serve({})
    with pytest.raises(TypeError, match="topic"):
        server.publish(1, "x")
    with pytest.raises(TypeError, match="binary"):
        server.publish("t", "x", binary=1)
    with pytest.raises(ValueError, match="binary"):
        server.publish("t", b"\xff", binary=False)
    for event in ("a\nb", "reset"):
        with pytest.raises(ValueError, match="event"):
            server.publish("t", "x", event=event)
    for topics in ("t", [], ["a", "a"], [1]):
        with pytest.raises((TypeError, ValueError), match="topic"):
            httpuv.EventStream(topics=topics)
    with pytest.raises(ValueError, match="topics"):
        httpuv.EventStream(history=True)
    with pytest.raises(RuntimeError, match="topics"):
        httpuv.EventStream(topics=["t"]).send("x")


def test_binary_says_how_a_message_is_sent(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        watch.opened().ws.subscribe("t")
        server.publish("t", "a", binary=True)
        server.publish("t", b"b", binary=False)
        server.publish("t", memoryview(b"cd")[::1])
        assert [client.message() for _ in range(3)] == [b"a", "b", b"cd"]


def test_a_topic_that_is_forgotten_begins_anew(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server):
        watched = watch.opened()
        first = watched.ws.subscribe("t")
        assert server.publish("t", "x") == 1
        epoch = first.epoch
    wait_until(lambda: server.topic_stats("t").epoch == "")
    assert server.publish("t", "x") == 1  # there is no subscriber, and nothing is kept
    with Client.open(server):
        assert watch.opened().ws.subscribe("t").epoch != epoch


class Falsy:
    """False, as other libraries have it."""

    def __bool__(self) -> bool:
        return False


async def refusal() -> bool:
    return False


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: None, None),
        (lambda: True, None),
        (lambda: 0, PermissionError),
        (Falsy, PermissionError),
        (refusal, TypeError),  # it is not asked, so it must not pass for a permission
    ],
)
def test_what_permits_a_topic(
    serve: Serve, answer: Callable[[], Any], error: type[Exception] | None
) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch, "onSubscribe": lambda client, topic: answer()})
    with Client.open(server):
        ws = watch.opened().ws
        with contextlib.nullcontext() if error is None else pytest.raises(error):
            ws.subscribe("t")
        assert ws.subscriptions == (() if error else ("t",))


def test_the_application_may_refuse(serve: Serve) -> None:
    watch = Watch()
    asked: list[tuple[type, str]] = []

    def on_subscribe(client: Any, topic: str) -> bool:
        asked.append((type(client), topic))
        return topic != "secret"

    def call(req: dict[str, Any]) -> Any:
        return httpuv.EventStream(topics=[req["PATH_INFO"][1:]])

    server = serve({"onWSOpen": watch, "onSubscribe": on_subscribe, "call": call})
    with Client.open(server) as client:
        ws = watch.opened().ws
        with pytest.raises(PermissionError, match="secret"):
            ws.subscribe("secret")
        ws.subscribe("news")
        server.publish("secret", "no")
        server.publish("news", "yes")
        assert client.message() == "yes"
    with events(server, url="/news") as stream:
        assert stream.next()["id"]
    with Wire(address(server)) as wire:
        wire.send(request("/secret"))
        assert wire.response().status == 403
    assert asked == [
        (httpuv.WebSocket, "secret"),
        (httpuv.WebSocket, "news"),
        (dict, "news"),
        (dict, "secret"),
    ]


# --- streams of events --------------------------------------------------------------------------


def test_a_stream_goes_on_where_it_was(serve: Serve) -> None:
    news = httpuv.EventStream(topics=["news"], retry=1.5)
    server = serve({"call": lambda req: news}, topics=NEWS)
    with events(server) as stream:
        begin = stream.next()
        epoch = begin["id"].split(".")[0]
        assert begin == {"retry": "1500", "id": f"{epoch}.0"}
        server.publish("news", "a\nb\r\nc", event="e")
        assert stream.next() == {"id": f"{epoch}.1", "event": "e", "data": "a\nb\nc"}
        last = stream.id
    for number in range(3):
        server.publish("news", str(number))
    server.publish("news", b"\xff")
    for way in ({"last": last}, {"url": f"/?lastEventId={last}"}):
        with events(server, **way) as stream:
            assert stream.next() == {"retry": "1500", "id": last}
            for number in range(3):
                assert stream.next() == {"id": f"{epoch}.{number + 2}", "data": str(number)}
            assert stream.next() == {"id": f"{epoch}.5", "data": "/w=="}
            server.publish("news", "live")
            assert stream.next()["data"] == "live"
        for _ in range(5):
            server.publish("news", "x")  # so that the history does not reach back
        with events(server, **way) as stream:
            reset = stream.next()
            assert (reset["event"], reset["data"]) == ("reset", '["news"]')
            server.publish("news", "live again")
            assert stream.next()["data"] == "live again"
        server.stop()
        server = serve({"call": lambda req: news}, topics=NEWS)  # another epoch
        with events(server, last=last) as stream:
            assert stream.next()["event"] == "reset"
            break


def test_what_is_no_id_is_a_reset(serve: Serve) -> None:
    server = serve({"call": lambda req: httpuv.EventStream(topics=["news"])}, topics=NEWS)
    for last in ("x", "a.1,b.2", "1", "é.1", "a." + "9" * 40):
        with events(server, last=last) as stream:
            assert stream.next()["event"] == "reset"


def test_several_topics_in_one_stream(serve: Serve) -> None:
    stream_of_all = httpuv.EventStream(topics=["a", "b"])
    server = serve({"call": lambda req: stream_of_all}, topics={"*": httpuv.Topic()})
    with events(server) as stream:
        stream.next()
        server.publish("a", "a1")
        server.publish("b", "b1")
        assert [stream.next()["data"] for _ in range(2)] == ["a1", "b1"]
        last = stream.id
    for name in "abba":
        server.publish(name, f"{name}2")
    with events(server, last=last) as stream:
        assert stream.next()["id"] == last
        assert stream.next()["data"] == "a2"
        half = stream.id
        assert [stream.next()["data"] for _ in range(3)] == ["b2", "b2", "a2"]
    with events(server, last=half) as stream:  # cut off in the middle of what it missed
        stream.next()
        assert [stream.next()["data"] for _ in range(3)] == ["b2", "b2", "a2"]
    with events(server, last=f"{half.split(',')[0]},other.1") as stream:
        reset = stream.next()
        assert (reset["event"], reset["data"]) == ("reset", '["b"]')
        assert stream.next()["data"] == "a2"  # of the other one nothing is missing


def test_a_new_client_may_get_the_history(serve: Serve) -> None:
    news = httpuv.EventStream(topics=["news"], history=True)
    server = serve({"call": lambda req: news}, topics=NEWS)
    for number in range(3):
        server.publish("news", str(number))
    with events(server) as stream:
        stream.next()
        assert [stream.next()["data"] for _ in range(3)] == ["0", "1", "2"]


def test_a_stream_in_chunks_and_without_a_body(serve: Serve) -> None:
    server = serve({"call": lambda req: {"status": 200, "headers": {"X": "y"}, "body": stream}})
    stream = httpuv.EventStream(topics=["t"], keepalive=0.05)
    with Wire(address(server)) as wire:
        wire.send(request(method="HEAD"))
        assert wire.response("HEAD").get("X") == "y"
        wire.send(request())
        assert wire.head().get("Transfer-Encoding") == "chunked"
        wire._until(b"\n\n\r\n")
        wire._until(b"3\r\n:\n\n\r\n")  # nothing came for a while
        server.publish("t", "x")
        assert b"data: x\n\n\r\n" in wire._until(b"data: x\n\n\r\n")


def test_closing_ends_all_clients(serve: Serve) -> None:
    stream = httpuv.EventStream(topics=["t"])
    server = serve({"call": lambda req: stream})
    with events(server) as one, events(server) as two:
        one.next()
        two.next()
        assert server.topic_stats("t").subscribers == 2
        server.publish("t", "last")
        stream.close()
        for each in (one, two):
            assert each.next()["data"] == "last"
            assert each.wire.at_end()
    wait_until(lambda: server.topic_stats("t").subscribers == 0)


def test_clients_do_not_count_as_requests_under_way(serve: Serve) -> None:
    limits = httpuv.Limits(queue_requests=2)
    stream = httpuv.EventStream(topics=["t"], keepalive=0.05)
    server = serve({"call": lambda req: stream}, limits=limits)
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(events(server)).next()
        assert server._core.stats()["in_flight"] == 0
    wait_until(lambda: server._core.stats()["connections"] == 0)
    assert server._core.stats()["in_flight"] == 0


CROWD = """
import ctypes, resource
import httpuv

libc = ctypes.PyDLL(None)  # a call of its functions holds the GIL
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
stream = httpuv.EventStream(topics=["all"])

def call(req):
    if req["PATH_INFO"] == "/events":
        return stream
    for number in range(3):
        server.publish("all", str(number))
    libc.getchar()
    return {"status": 200}

limits = httpuv.Limits(max_connections=hard)
with httpuv.startServer("127.0.0.1", 0, call, limits=limits) as server:
    print(server.getPort(), flush=True)
    httpuv.service(0)
"""


def test_many_clients_without_python() -> None:
    """From the third publish() on the interpreter does nothing: it is blocked, holding the GIL."""
    wanted = 200 if "HTTPUV_SANITIZED" in os.environ else 2000
    with contextlib.ExitStack() as stack:
        count = stack.enter_context(descriptors(wanted))
        script = stack.enter_context(Script(CROWD))
        where = ("127.0.0.1", int(script.line()))
        clients = []
        for _ in range(count):
            wire = stack.enter_context(Wire(where))
            wire.send(request("/events").replace(b"HTTP/1.1", b"HTTP/1.0"))
            wire._until(b"\r\n\r\n")
            clients.append(Events(wire))
            clients[-1].next()
        with Wire(where) as speaker:
            speaker.send(request("/publish"))
            for client in clients:
                assert [client.next()["data"] for _ in range(3)] == ["0", "1", "2"]
            script.tell()  # it may go on
            assert speaker.response().status == 200


MIB = 1 << 20


@pytest.mark.parametrize("policy", ["drop", "latest"])
def test_slow_consumers(serve: Serve, policy: str) -> None:
    watch = Watch()
    topics = {"t": httpuv.Topic(history=0, overflow=policy)}
    stream = httpuv.EventStream(topics=["t"])
    app = {"onWSOpen": watch, "call": lambda req: stream}
    limits = httpuv.Limits(ws_queue_bytes=4 * MIB)
    server = serve(app, topics=topics, limits=limits, metrics="/metrics")
    told = threading.Event()
    with Client.open(server) as client, events(server) as slow:
        ws = watch.opened().ws
        ws.onDropped(told.set)
        ws.subscribe("t")
        slow.next()
        count = 40
        for number in range(count):
            server.publish("t", f"{number} " + "x" * MIB)
        dropped = server.topic_stats("t").dropped
        assert dropped > 0
        found = samples(get(server, "/metrics").body)
        assert value(found, "httpuv_topic_dropped_total") == dropped
        assert value(found, "httpuv_topic_closed_total") == 0
        assert told.wait(20)
        got = []
        while not got or (policy == "latest" and got[-1] != count - 1):
            got.append(int(client.message().split()[0]))
        assert got == sorted(set(got)) and got[0] == 0 and len(got) < count
        got = []
        while not got or (policy == "latest" and got[-1] != count - 1):
            got.append(int(slow.next()["data"].split()[0]))
        assert got == sorted(set(got)) and got[0] == 0 and len(got) < count


def test_a_stream_that_is_too_slow_is_cut_off_and_loses_nothing(serve: Serve) -> None:
    topics = {"t": httpuv.Topic(history=100, max_bytes=100 * MIB, overflow="close")}
    stream = httpuv.EventStream(topics=["t"])
    server = serve(
        {"call": lambda req: stream}, topics=topics, limits=httpuv.Limits(ws_queue_bytes=2 * MIB)
    )
    got: list[int] = []
    with events(server) as slow:
        slow.next()
        for number in range(40):
            server.publish("t", f"{number} " + "x" * MIB)
        wait_until(lambda: server.topic_stats("t").subscribers == 0)
        with contextlib.suppress(AssertionError, EOFError, OSError):
            while True:
                got.append(int(slow.next()["data"].split()[0]))
        last = slow.id
    with events(server, last=last) as again:
        assert "data" not in again.next()
        while len(got) < 40:
            got.append(int(again.next()["data"].split()[0]))
    assert got == list(range(40))
    assert server.stats()["topic_closed"] == 1
