"""RFC 6455 on raw sockets: the handshake, frames in and out, and every error with its code."""

from __future__ import annotations

import struct
import threading
from typing import Any

import httpuv
import pytest
from conftest import Log, Serve
from support import address, fetch, request
from ws_support import (
    BINARY,
    CLOSE,
    CONTINUATION,
    KEY,
    PING,
    PONG,
    TEXT,
    Client,
    Watch,
    accept_value,
    close_frame,
    echo,
    frame,
    handshake,
)

# --- the opening handshake ----------------------------------------------------------------------


def test_handshake(serve: Serve) -> None:
    server = serve({"onWSOpen": echo})
    with Client.open(server) as client:
        answer = client.answer
        assert answer.get("Upgrade") == "websocket"
        assert answer.get("Connection") == "Upgrade"
        assert answer.get("Sec-WebSocket-Accept") == accept_value(KEY)
        assert answer.get("Sec-WebSocket-Protocol") is None
        assert answer.get("Sec-WebSocket-Extensions") is None
        assert answer.get("Date") is not None
        assert answer.get("Content-Length") is None
        assert client.farewell() == (1000, "")


@pytest.mark.parametrize(
    ("data", "status", "field"),
    [
        (handshake(key=None), 400, None),
        (handshake(key="short"), 400, None),
        (handshake(version=None), 400, ("Sec-WebSocket-Version", "13, 8")),
        (handshake(version="7"), 400, ("Sec-WebSocket-Version", "13, 8")),
        (handshake(upgrade="h2c"), 400, None),
        (handshake().replace(b"GET", b"POST", 1), 405, ("Allow", "GET")),
        (handshake("/", "Sec-WebSocket-Protocol: a b"), 400, None),
        (handshake("/", "Sec-WebSocket-Extensions: permessage-deflate; a=b=c"), 400, None),
    ],
    ids=["no key", "bad key", "no version", "version 7", "h2c", "POST", "protocol", "extension"],
)
def test_a_wrong_handshake_is_refused(
    serve: Serve, data: bytes, status: int, field: tuple[str, str] | None
) -> None:
    server = serve({"onWSOpen": echo})
    answer = fetch(address(server), data)
    assert answer.status == status
    if field is not None:
        assert answer.get(field[0]) == field[1]


def test_a_version_8_client_is_welcome(serve: Serve) -> None:
    server = serve({"onWSOpen": echo})
    with Client(address(server)) as client:
        assert client.shake_hands(handshake(version="8")).status == 101
        client.say(TEXT, "x")
        assert client.message() == "x"


def test_frames_right_behind_the_handshake(serve: Serve) -> None:
    server = serve({"onWSOpen": echo})
    with Client(address(server)) as client:
        client.send(handshake() + frame(TEXT, "early") + frame(PING, "p"))
        assert client.response().status == 101
        got = {client.frame().payload, client.frame().payload}
        assert got == {b"early", b"p"}


def test_a_handshake_waits_for_answers_before_it(serve: Serve) -> None:
    server = serve({"call": lambda req: {"status": 200, "body": "first"}, "onWSOpen": echo})
    with Client(address(server)) as client:
        client.send(request("/") + handshake() + frame(TEXT, "x"))
        assert client.response().body == b"first"
        assert client.response().status == 101
        assert client.message() == "x"


def test_other_requests_on_the_same_server(serve: Serve) -> None:
    server = serve({"call": lambda req: {"status": 200, "body": "plain"}, "onWSOpen": echo})
    assert fetch(address(server), request("/")).body == b"plain"
    # Another protocol is offered, not demanded (RFC 9110 section 7.8).
    other = request("/", "Connection: Upgrade", "Upgrade: h2c")
    assert fetch(address(server), other).body == b"plain"


def test_without_on_ws_open_it_is_a_request_like_any_other(serve: Serve) -> None:
    server = serve({"call": lambda req: {"status": 200, "body": "no sockets here"}})
    answer = fetch(address(server), handshake())
    assert (answer.status, answer.body) == (200, b"no sockets here")
    assert answer.get("Upgrade") is None


def test_without_on_ws_open_and_call_it_is_404(serve: Serve) -> None:
    server = serve({"onHeaders": lambda req: None})
    assert fetch(address(server), handshake()).status == 404


def test_on_headers_refuses_with_any_answer(serve: Serve) -> None:
    def on_headers(req: dict[str, Any]) -> dict[str, Any] | None:
        if req["HTTP_COOKIE"] == "good=1":
            return None
        return {"status": 401, "headers": {"WWW-Authenticate": "Basic"}, "body": "Who are you?"}

    watch = Watch()
    server = serve({"onHeaders": on_headers, "onWSOpen": watch})
    answer = fetch(address(server), handshake("/", "Cookie: bad=1"))
    assert (answer.status, answer.body) == (401, b"Who are you?")
    assert answer.get("WWW-Authenticate") == "Basic"
    with Client.open(server, "/", "Cookie: good=1") as client:
        assert watch.opened().ws.request["HTTP_COOKIE"] == "good=1"
        client.farewell()


def test_on_headers_and_on_ws_open_get_the_same_environment(serve: Serve) -> None:
    seen = []

    def on_headers(req: dict[str, Any]) -> None:
        req["user"] = "from the headers"
        seen.append(req)

    watch = Watch()
    server = serve({"onHeaders": on_headers, "onWSOpen": watch})
    with Client.open(server):
        assert watch.opened().ws.request is seen[0]


def test_a_failing_on_headers_is_500(serve: Serve, log: Log) -> None:
    def on_headers(req: dict[str, Any]) -> None:
        raise RuntimeError("no way")

    server = serve({"onHeaders": on_headers, "onWSOpen": echo})
    assert fetch(address(server), handshake()).status == 500
    log.expect("onHeaders failed for GET /", "RuntimeError: no way")


def test_the_environment_of_a_socket(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server, "/chat/room%201?name=x", "Origin: http://a.example"):
        req = watch.opened().ws.request
    assert req["REQUEST_METHOD"] == "GET"
    assert req["PATH_INFO"] == "/chat/room%201"
    assert req["QUERY_STRING"] == "name=x"
    assert req["HTTP_ORIGIN"] == "http://a.example"
    assert req["HEADERS"]["sec-websocket-key"] == KEY
    assert req["rook.input"].read() == b""


def test_origins(serve: Serve) -> None:
    allowed = ["https://app.example", "http://localhost:8080", "null"]
    server = serve({"onWSOpen": echo}, allowedOrigins=allowed)

    def status(*fields: str) -> int:
        return fetch(address(server), handshake("/", *fields)).status

    assert status("Origin: https://app.example") == 101
    assert status("Origin: HTTPS://App.Example") == 101
    assert status("Origin: http://localhost:8080") == 101
    assert status("Origin: null") == 101
    assert status() == 101  # no browser
    assert status("Origin: http://app.example") == 403
    assert status("Origin: http://localhost:8081") == 403
    assert status("Origin: https://app.example.evil.example") == 403


def test_the_same_origin(serve: Serve) -> None:
    server = serve({"onWSOpen": echo}, allowedOrigins=["same", "https://app.example"])

    def status(origin: str, host: str) -> int:
        data = handshake("/", f"Origin: {origin}").replace(b"localhost", host.encode(), 1)
        return fetch(address(server), data).status

    assert status("http://localhost:8080", "localhost:8080") == 101
    assert status("https://LocalHost", "localhost") == 101
    assert status("http://[::1]:8080", "[::1]:8080") == 101
    assert status("https://app.example", "localhost:8080") == 101
    assert status("http://localhost:8081", "localhost:8080") == 403
    assert status("http://evil.example", "localhost") == 403
    assert status("null", "null") == 403
    assert status("same", "localhost") == 403


def test_a_host_that_is_not_allowed(serve: Serve) -> None:
    server = serve({"onWSOpen": echo}, allowedHosts=["127.0.0.1"])
    assert fetch(address(server), handshake()).status in (403, 421)
    data = handshake().replace(b"localhost", b"127.0.0.1")
    assert fetch(address(server), data).status == 101


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, None),
        ("chat.v2, chat.v1", "chat.v2"),
        ("chat.v1,chat.v2", "chat.v1"),
        ("other, chat.v1", "chat.v1"),
        ("other", None),
        ("CHAT.V1", None),
    ],
)
def test_subprotocols(serve: Serve, offered: str | None, chosen: str | None) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, wsProtocols=["chat.v1", "chat.v2"])
    fields = [] if offered is None else [f"Sec-WebSocket-Protocol: {offered}"]
    with Client.open(server, "/", *fields) as client:
        assert client.answer.get("Sec-WebSocket-Protocol") == chosen
        assert watch.opened().ws.protocol == (chosen or "")


@pytest.mark.parametrize("size", [49_151, 49_152, 65_522, 65_536, 65_600, 70_000, 200_000])
def test_large_messages_in_one_read_and_in_several(serve: Serve, size: int) -> None:
    """Those that are whole in what was read stay there, with others before and behind them."""
    server = serve({"onWSOpen": echo})
    text = ("\u00e4\u20ac" * size)[: size // 3]
    data = bytes(range(256)) * (size // 256 + 1)
    with Client.open(server) as client:
        for _ in range(3):
            sent: list[str | bytes] = [
                "before",
                data[:size],
                text,
                data[1 : size + 1],
                b"",
                "behind",
            ]
            client.send(
                b"".join(frame(TEXT if isinstance(each, str) else BINARY, each) for each in sent)
            )
            assert [client.message() for _ in sent] == sent
        assert client.farewell() == (1000, "")


def test_a_large_text_that_is_not_utf8_is_refused(serve: Serve) -> None:
    server = serve({"onWSOpen": echo})
    with Client.open(server) as client:
        client.say(TEXT, b"x" * 60_000 + b"\xe2\x82")
        assert client.closed()[0] == 1007


# --- messages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20])
def test_echo(serve: Serve, size: int) -> None:
    server = serve({"onWSOpen": echo})
    binary = bytes(range(256)) * (size // 256 + 1)
    with Client.open(server) as client:
        client.say(BINARY, binary[:size])
        assert client.message() == binary[:size]
        client.say(TEXT, "ä" * (size // 2))
        assert client.message() == "ä" * (size // 2)
        assert client.farewell() == (1000, "")


def test_fragments_with_control_frames_in_between(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    text = "Grüße, Jürgen ✓ 𝄞".encode()
    with Client.open(server) as client:
        client.say(TEXT, text[:3], fin=False)  # cut inside a character
        client.say(PING, "between")
        for byte in text[3:]:
            client.say(CONTINUATION, bytes([byte]), fin=False)
        client.say(PONG, "unasked")
        client.say(CONTINUATION, b"")
        assert client.frame().payload == b"between"
        assert watch.opened().next() == ("message", False, text.decode())
        client.farewell()


def test_a_frame_byte_by_byte(serve: Serve) -> None:
    server = serve({"onWSOpen": echo})
    with Client.open(server) as client:
        for byte in frame(TEXT, "slowly ✓") + frame(BINARY, bytes(300)):
            client.send(bytes([byte]))
        assert client.message() == "slowly ✓"
        assert client.message() == bytes(300)


def test_many_messages_in_one_packet_keep_their_order(serve: Serve) -> None:
    server = serve({"onWSOpen": echo})
    with Client.open(server) as client:
        client.send(b"".join(frame(TEXT, str(number)) for number in range(1000)))
        assert [client.message() for _ in range(1000)] == [str(n) for n in range(1000)]


def test_pings_are_answered_by_the_server_alone(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        for payload in (b"", b"x", bytes(125)):
            client.say(PING, payload)
            assert client.frame().payload == payload
        assert watch.opened().silent()


# --- closing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999])
def test_the_client_closes(serve: Serve, code: int) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        assert client.farewell(code, "because ✓") == (code, "")
        watched = watch.opened()
        assert watched.next() == ("close", code, "because ✓", True)
        assert watched.ws.readyState == httpuv.WebSocket.CLOSED


def test_the_client_closes_without_a_code(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        assert client.farewell(None) == (1005, "")
        assert watch.opened().next() == ("close", 1005, "", True)


@pytest.mark.parametrize("code", [1000, 1001, 1009, 1013, 3000, 4999])
def test_the_server_closes(serve: Serve, code: int) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        watched = watch.opened()
        watched.ws.close(code, "enough ✓")
        assert watched.ws.readyState == httpuv.WebSocket.CLOSING
        assert client.closed() == (code, "enough ✓")
        client.send(close_frame(code))
        assert client.at_end()
        assert watched.next() == ("close", code, "", True)
        assert watched.ws.readyState == httpuv.WebSocket.CLOSED


def test_both_close_at_once(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        watched = watch.opened()
        watched.ws.close(4000)
        client.send(close_frame(4001, "me"))
        code, _ = client.closed()
        assert code in (4000, 4001)  # that of the first call
        assert client.at_end()
        assert watched.next() == ("close", 4001, "me", True)


def test_what_was_sent_before_close_arrives(serve: Serve) -> None:
    def on_open(ws: httpuv.WebSocket) -> None:
        for number in range(100):
            ws.send(str(number) * 1000)
        ws.send(bytes(1 << 20))
        ws.close(1000, "done")
        ws.send("too late")

    server = serve({"onWSOpen": on_open})
    with Client.open(server) as client:
        for number in range(100):
            assert client.message() == str(number) * 1000
        assert client.message() == bytes(1 << 20)
        assert client.closed() == (1000, "done")


def test_messages_before_a_close_are_answered_before_it(serve: Serve) -> None:
    server = serve({"onWSOpen": echo})
    with Client.open(server) as client:
        client.send(frame(TEXT, "last words") + close_frame(1000))
        assert client.message() == "last words"
        assert client.closed() == (1000, "")
        assert client.at_end()


def test_messages_before_a_close_and_fin_are_answered(serve: Serve) -> None:
    server = serve({"onWSOpen": echo})
    with Client.open(server) as client:
        client.send(frame(TEXT, "last words") + close_frame(1000))
        client.half_close()
        assert client.message() == "last words"
        assert client.closed() == (1000, "")
        assert client.at_end()


def test_fin_without_close_is_no_clean_end(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        client.half_close()
        assert client.at_end()
        assert watch.opened().next() == ("close", 1006, "", False)


def test_frames_behind_a_close_are_ignored(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        client.send(close_frame(1000) + frame(TEXT, "after"))
        assert client.closed() == (1000, "")
        assert watch.opened().next()[0] == "close"


BROKEN = {
    "not masked": (frame(TEXT, "x", mask=False), 1002),
    "RSV1 without compression": (frame(TEXT, "x", rsv=4), 1002),
    "RSV2": (frame(TEXT, "x", rsv=2), 1002),
    "RSV3": (frame(TEXT, "x", rsv=1), 1002),
    "opcode 3": (frame(3, "x"), 1002),
    "opcode 11": (frame(11, ""), 1002),
    "long ping": (frame(PING, bytes(126)), 1002),
    "ping in fragments": (frame(PING, "x", fin=False), 1002),
    "continuation of nothing": (frame(CONTINUATION, "x"), 1002),
    "a message inside another": (frame(TEXT, "x", fin=False) + frame(TEXT, "y"), 1002),
    "length not minimal": (b"\x81\xfe\0\x01" + b"\0\0\0\0x", 1002),
    "length of 64 bits": (b"\x82\xff" + b"\xff" * 8 + b"\0\0\0\0", 1002),
    "close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "close 1005": (frame(CLOSE, struct.pack(">H", 1005)), 1002),
    "close 999": (frame(CLOSE, struct.pack(">H", 999)), 1002),
    "close 1016": (frame(CLOSE, struct.pack(">H", 1016)), 1002),
    "close 5000": (frame(CLOSE, struct.pack(">H", 5000)), 1002),
    "close reason is not UTF-8": (frame(CLOSE, struct.pack(">H", 1000) + b"\xff"), 1007),
    "text is not UTF-8": (frame(TEXT, b"ok\xff"), 1007),
    "text ends inside a character": (frame(TEXT, "ä".encode()[:1]), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "message too big": (b"\x82\xff" + struct.pack(">Q", (16 << 20) + 1) + b"\0\0\0\0", 1009),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_input_is_closed_with_its_code(serve: Serve, name: str) -> None:
    data, code = BROKEN[name]
    watch = Watch(echo=True)
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        client.send(frame(TEXT, "before") + data + frame(TEXT, "after"))
        assert client.message() == "before"
        got, reason = client.closed()
        assert got == code
        assert reason
        assert client.at_end()
    watched = watch.opened()
    assert watched.next() == ("message", False, "before")
    assert watched.next() == ("close", code, reason, False)


def test_invalid_text_fails_before_it_is_complete(serve: Serve) -> None:
    server = serve({"onWSOpen": echo})
    with Client.open(server) as client:
        client.say(TEXT, b"\xce\xba\xe1\xbd\xb9\xf4\x90", fin=False)
        assert client.closed()[0] == 1007


def test_fragments_that_are_too_big_together(serve: Serve) -> None:
    server = serve({"onWSOpen": echo}, limits=httpuv.Limits(ws_max_message_bytes=1000))
    with Client.open(server) as client:
        client.say(BINARY, bytes(1000))
        assert client.message() == bytes(1000)
        client.say(BINARY, bytes(900), fin=False)
        client.say(CONTINUATION, bytes(101))
        assert client.closed() == (1009, "message too big")


def test_garbage_after_the_servers_close_is_harmless(serve: Serve) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch})
    with Client.open(server) as client:
        watch.opened().ws.close()
        assert client.closed()[0] == 1000
        client.send(b"\xff" * 100)
        assert client.at_end()
    with Client.open(server):
        pass


def test_over_a_unix_socket(running: threading.Thread, tmp_path: Any) -> None:
    path = str(tmp_path / "socket")
    with (
        httpuv.startPipeServer(path, None, {"onWSOpen": echo}) as server,
        Client.open(server) as client,
    ):
        client.say(TEXT, "through a pipe")
        assert client.message() == "through a pipe"
        assert client.farewell() == (1000, "")
