"""The class WebSocket: callbacks, arguments, states; and the options of a server."""

from __future__ import annotations

import array
import asyncio
import threading
from typing import Any

import httpuv
import pytest
from conftest import Log, Serve
from ws_support import BINARY, PING, PONG, TEXT, Client, Watch, close_frame, echo, frame

WebSocket = httpuv.WebSocket


def test_callbacks_run_in_the_order_of_their_registration(serve: Serve) -> None:
    calls: list[str] = []
    done = threading.Event()

    def on_open(ws: WebSocket) -> None:
        for name in "abc":
            ws.onMessage(lambda binary, message, name=name: calls.append(name))
        for name in "def":
            ws.onClose(lambda name=name: calls.append(name))
        ws.onClose(done.set)

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        client.say(TEXT, "x")
        client.farewell()
    assert done.wait(20)
    assert calls == list("abcdef")


def test_registering_methods_are_decorators(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        ws = watch.opened().ws
        for register in (ws.onMessage, ws.onClose, ws.onPong, ws.onDrain, ws.onDropped):

            def func(*args: object) -> None:
                pass

            assert register(func) is func
            with pytest.raises(TypeError, match="func must be callable, not int"):
                register(1)  # type: ignore[type-var]
        client.farewell()


def test_a_callback_may_register_another(serve: Serve) -> None:
    def on_open(ws: WebSocket) -> None:
        @ws.onMessage
        def first(binary: bool, message: str) -> None:
            ws.send("first " + message)
            if message == "1":
                ws.onMessage(lambda binary, message: ws.send("second " + message))

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        client.say(TEXT, "1")
        assert client.message() == "first 1"
        client.say(TEXT, "2")
        assert [client.message(), client.message()] == ["first 2", "second 2"]


def test_text_is_str_and_binary_is_bytes(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        client.say(TEXT, "ä")
        client.say(BINARY, "ä")
        watched = watch.opened()
        assert watched.next() == ("message", False, "ä")
        assert watched.next() == ("message", True, "ä".encode())


def test_what_can_be_sent(serve: Serve) -> None:
    def on_open(ws: WebSocket) -> None:
        ws.send("text")
        ws.send(b"bytes")
        ws.send(bytearray(b"bytearray"))
        ws.send(memoryview(b"memoryview"))
        ws.send(memoryview(b"0123456789")[::2])
        ws.send(array.array("H", [1, 2]))  # type: ignore[arg-type]
        ws.send("")
        ws.send(b"")

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        assert [client.message() for _ in range(8)] == [
            "text",
            b"bytes",
            b"bytearray",
            b"memoryview",
            b"02468",
            array.array("H", [1, 2]).tobytes(),
            "",
            b"",
        ]


def test_what_cannot_be_sent(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        ws = watch.opened().ws
        for wrong in (None, 1, ["a"], {"a": 1}):
            with pytest.raises(TypeError, match="a message must be str or bytes-like, not"):
                ws.send(wrong)  # type: ignore[arg-type]
        with pytest.raises(UnicodeEncodeError):
            ws.send("\ud800")
        ws.send("still there")
        assert client.message() == "still there"


def test_ping_and_pong(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        watched = watch.opened()
        client.send(frame(PONG, "nobody asked") + frame(PING, "after it"))
        assert client.frame().payload == b"after it"
        watched.ws.ping()
        assert client.frame().opcode == PING
        client.say(PONG)
        assert watched.next() == ("pong", b"")
        watched.ws.ping(bytes(125))
        assert client.frame().payload == bytes(125)
        client.say(PONG, bytes(125))
        assert watched.next() == ("pong", bytes(125))
        with pytest.raises(ValueError, match="at most 125 bytes, not 126"):
            watched.ws.ping(bytes(126))
        with pytest.raises(TypeError, match="bytes-like, not str"):
            watched.ws.ping("x")  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            watched.ws.ping(1)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, -1])
def test_codes_that_must_not_be_sent(serve: Serve, code: int) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        ws = watch.opened().ws
        with pytest.raises(ValueError, match="code must be"):
            ws.close(code)
        assert ws.readyState == WebSocket.OPEN
        assert client.farewell() == (1000, "")


def test_reasons_that_must_not_be_sent(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        ws = watch.opened().ws
        with pytest.raises(ValueError, match="at most 123 bytes of UTF-8, not 124"):
            ws.close(1000, "ä" * 62)
        with pytest.raises(UnicodeEncodeError):
            ws.close(1000, "\ud800")
        with pytest.raises(TypeError, match="reason must be str, not bytes"):
            ws.close(1000, b"x")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="code must be a whole number"):
            ws.close("1000")  # type: ignore[arg-type]
        ws.close(1000, "x" + "ä" * 61)
        assert client.closed() == (1000, "x" + "ä" * 61)


def test_states(serve: Serve) -> None:
    assert [WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED] == [
        0,
        1,
        2,
        3,
    ]
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server, "/path") as client:
        watched = watch.opened()
        ws = watched.ws
        assert (ws.readyState, ws.closeCode, ws.closeReason, ws.wasClean) == (1, None, "", None)
        assert repr(ws) == "<WebSocket /path open>"
        assert ws.bufferedAmount == 0
        ws.close(3000)
        assert (ws.readyState, ws.closeCode) == (2, None)
        assert repr(ws) == "<WebSocket /path closing>"
        client.closed()
        client.send(close_frame(3000, "bye"))
        watched.next()
        assert (ws.readyState, ws.closeCode, ws.closeReason, ws.wasClean) == (3, 3000, "bye", True)
        assert repr(ws) == "<WebSocket /path closed>"
        assert ws.bufferedAmount == 0


def test_after_the_end_everything_is_quiet(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        watched = watch.opened()
        client.farewell()
        watched.next()
    for _ in range(2):
        watched.ws.send("late")
        watched.ws.ping()
        watched.ws.close(1000, "late")
        watched.ws.subscribe("late")
        watched.ws.unsubscribe("late")
        server.publish("late", "late")
        server.stop()
    assert watched.silent()


def test_clones_are_the_same_connection(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        watched = watch.opened()
        ws = watched.ws
        ws.user = "me"  # type: ignore[attr-defined]
        shallow, deep = ws.clone(), ws.clone(deep=True)
        assert type(shallow) is WebSocket
        assert shallow.request is ws.request
        assert deep.request == ws.request
        assert deep.request is not ws.request
        assert shallow.user == "me"  # type: ignore[attr-defined]
        shallow.onMessage(lambda binary, message: deep.send(message * 2))
        client.say(TEXT, "twice ")
        assert client.message() == "twice twice "
        deep.close(4000)
        assert ws.readyState == WebSocket.CLOSING
        assert client.closed() == (4000, "")


def test_it_takes_attributes(serve: Serve) -> None:
    def on_open(ws: WebSocket) -> None:
        ws.count = 0  # type: ignore[attr-defined]

        @ws.onMessage
        def count(binary: bool, message: str) -> None:
            ws.count += 1  # type: ignore[attr-defined]
            ws.send(str(ws.count))  # type: ignore[attr-defined]

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        for number in ("1", "2"):
            client.say(TEXT, "x")
            assert client.message() == number


def test_calls_from_many_threads(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        ws = watch.opened().ws

        def send(name: str) -> None:
            for number in range(200):
                ws.send(f"{name} {number}")

        threads = [threading.Thread(target=send, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        got = [client.message() for _ in range(800)]
        for thread in threads:
            thread.join()
    for name in "abcd":  # each thread's own are in order
        own = [message for message in got if message.startswith(name)]
        assert own == [f"{name} {number}" for number in range(200)]


# --- failures -----------------------------------------------------------------------------------


def test_a_failing_on_ws_open_closes_with_1011(serve: Serve, log: Log) -> None:
    ended = threading.Event()

    def on_open(ws: WebSocket) -> None:
        ws.onClose(ended.set)
        ws.send("hello")
        raise RuntimeError("not today")

    server = serve({"onWSOpen": on_open})
    with Client.open(server, "/room") as client:
        assert client.message() == "hello"
        assert client.closed() == (1011, "internal error")
        client.send(close_frame(1011))
        assert client.at_end()
    assert ended.wait(20)
    log.expect("onWSOpen failed for GET /room", "Traceback", "RuntimeError: not today")


def test_a_failing_on_message_closes_with_1011(serve: Serve, log: Log) -> None:
    calls = []

    def on_open(ws: WebSocket) -> None:
        @ws.onMessage
        def first(binary: bool, message: str) -> None:
            calls.append(message)
            if message == "bad":
                raise RuntimeError("cannot read this")

        ws.onMessage(lambda binary, message: calls.append("second " + message))

    server = serve({"onWSOpen": on_open})
    with Client.open(server, "/room") as client:
        for message in ("good", "bad", "never seen"):
            client.say(TEXT, message)
        assert client.closed() == (1011, "internal error")
    assert calls == ["good", "second good", "bad"]
    log.expect("onMessage failed for GET /room", "Traceback", "RuntimeError: cannot read this")


@pytest.mark.parametrize("name", ["onPong", "onDrain"])
def test_other_failing_callbacks_close_with_1011(serve: Serve, log: Log, name: str) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("no")

    def on_open(ws: WebSocket) -> None:
        getattr(ws, name)(fail)
        ws.ping()
        if name == "onDrain":
            ws.send(bytes(15 << 20))  # more than the kernel takes

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        assert client.frame().opcode == PING
        client.say(PONG)
        if name == "onDrain":
            assert len(client.message()) == 15 << 20
        assert client.closed() == (1011, "internal error")
    log.expect(f"{name} failed for GET /", "RuntimeError: no")


def test_every_on_close_runs_whatever_the_others_do(serve: Serve, log: Log) -> None:
    ended = threading.Event()

    def fail() -> None:
        raise RuntimeError("gone wrong")

    def on_open(ws: WebSocket) -> None:
        ws.onClose(fail)
        ws.onClose(ended.set)

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        assert client.farewell() == (1000, "")
    assert ended.wait(20)
    log.expect("onClose failed for GET /", "RuntimeError: gone wrong")


def test_a_failure_leaves_the_others_alone(serve: Serve, log: Log) -> None:
    def on_open(ws: WebSocket) -> None:
        echo(ws)
        if ws.request["PATH_INFO"] == "/bad":
            raise RuntimeError("bad path")

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as good, Client.open(server, "/bad") as bad:
        assert bad.closed()[0] == 1011
        good.say(TEXT, "alive")
        assert good.message() == "alive"


def test_a_failing_coroutine_where_no_loop_runs(serve: Serve, log: Log) -> None:
    async def on_open(ws: WebSocket) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("elsewhere")

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        assert client.closed()[0] == 1011
    log.expect("onWSOpen failed for GET /", "RuntimeError: elsewhere")


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "error", "words"),
    [
        ("wsProtocols", "chat", TypeError, "wsProtocols must be a list of str"),
        ("wsProtocols", [1], TypeError, "wsProtocols must be a list of str"),
        ("wsProtocols", ["a b"], ValueError, "wsProtocols: each must be a token, not 'a b'"),
        ("wsProtocols", [""], ValueError, "wsProtocols: each must be a token"),
        ("wsCompression", 1, TypeError, "wsCompression must be True, False or 'always'"),
        ("wsCompression", None, TypeError, "wsCompression must be True, False or 'always'"),
        ("wsCompression", "never", ValueError, "wsCompression must be True, False or 'always'"),
        ("wsOverflow", "explode", ValueError, "wsOverflow must be one of close, drop, callback"),
        ("wsOverflow", None, ValueError, "wsOverflow must be one of close, drop, callback"),
        ("allowedOrigins", "https://a.example", TypeError, "allowedOrigins must be a list"),
        ("allowedOrigins", ["a.example"], ValueError, "allowedOrigins: each must be"),
        ("allowedOrigins", ["https://a.example/"], ValueError, "like 'https://example.com:8080'"),
    ],
)
def test_wrong_options(option: str, value: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        httpuv.startServer("127.0.0.1", 0, {"onWSOpen": echo}, **{option: value})
    assert httpuv.listServers() == []


@pytest.mark.parametrize(
    "name", ["ws_max_message_bytes", "ws_queue_bytes", "ws_unread_bytes", "ws_close_timeout"]
)
def test_limits_are_above_zero(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        httpuv.Limits(**{name: 0})


def test_pings_may_be_turned_off() -> None:
    assert httpuv.Limits(ws_ping_interval=0).ws_ping_interval == 0.0
    with pytest.raises(TypeError, match="ws_ping_interval"):
        httpuv.Limits(ws_ping_interval=False)
    with pytest.raises(ValueError, match="ws_ping_interval"):
        httpuv.Limits(ws_ping_interval=-1)


def test_topics_are_str(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server):
        ws = watch.opened().ws
        for method in (ws.subscribe, ws.unsubscribe, lambda topic: server.publish(topic, "x")):
            with pytest.raises(TypeError, match="topic must be str, not int"):
                method(1)
        with pytest.raises(TypeError, match="message must be str or bytes-like, not int"):
            server.publish("x", 1)  # type: ignore[arg-type]
