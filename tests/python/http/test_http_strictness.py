"""HTTP/1.1 over raw sockets: what must work, in any cut, and what must be refused."""

import itertools
import random
import socket
import threading

import httpuv
import pytest
from conftest import Serve
from support import Wire, address, chunked, fetch, request


def echo(req: dict) -> dict:
    """Method, path and body."""
    head = f"{req['REQUEST_METHOD']} {req['PATH_INFO']} ".encode()
    return {"status": 200, "body": head + req["rook.input"].read()}


@pytest.fixture
def server(serve: Serve) -> httpuv.WebServer:
    return serve(echo)


Server = httpuv.WebServer


# --- connections ---


def test_keep_alive(server: Server) -> None:
    with Wire(address(server)) as wire:
        for i in range(100):
            wire.send(request(f"/{i}"))
            response = wire.response()
            assert response.body == f"GET /{i} ".encode()
            assert response.get("Connection") is None
        wire.send(request("/last", "Connection: close"))
        assert (wire.response().get("Connection") or "").lower() == "close"
        assert wire.at_end()


@pytest.mark.parametrize("value", ["close", "Close", "x, close", "close, x"])
def test_close(server: Server, value: str) -> None:
    with Wire(address(server)) as wire:
        wire.send(request("/", f"Connection: {value}"))
        wire.response()
        assert wire.at_end()


def test_http_1_0(server: Server) -> None:
    with Wire(address(server)) as wire:
        wire.send(request(version="1.0", host=None))
        response = wire.response()
        assert response.body == b"GET / "
        assert response.get("Transfer-Encoding") is None
        assert wire.at_end()


def test_http_1_0_keep_alive(server: Server) -> None:
    with Wire(address(server)) as wire:
        for _ in range(3):
            wire.send(request("/", "Connection: keep-alive", version="1.0"))
            response = wire.response()
            assert (response.get("Connection") or "").lower() == "keep-alive"
        wire.send(request(version="1.0"))
        wire.response()
        assert wire.at_end()


def test_pipelining_keeps_the_order(server: Server) -> None:
    with Wire(address(server)) as wire:
        wire.send(
            b"".join(
                request(f"/{i}", method="POST", body=b"x" * i) if i % 3 == 0 else request(f"/{i}")
                for i in range(300)
            )
        )
        for i in range(300):
            method, body = ("POST", b"x" * i) if i % 3 == 0 else ("GET", b"")
            assert wire.response().body == f"{method} /{i} ".encode() + body


def test_pipelining_mixes_static_and_dynamic(serve: Serve, tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"static")
    (tmp_path / "large").write_bytes(b"large" * 100_000)
    server = serve({"call": echo, "staticPaths": {"/s": tmp_path}})
    with Wire(address(server)) as wire:
        for _ in range(5):
            for _ in range(4):
                wire.send(
                    request("/s/file"),
                    request("/d", method="POST", body=b"body"),
                    request("/s/none"),
                    request("/s/large"),
                    request("/s/file", method="HEAD"),
                    request("/d"),
                )
            for _ in range(4):
                assert wire.response().body == b"static"
                assert wire.response().body == b"POST /d body"
                assert wire.response().status == 404
                assert len(wire.response().body) == 500_000
                assert wire.response("HEAD").get("Content-Length") == "6"
                assert wire.response().body == b"GET /d "


def test_close_ends_the_pipeline(server: Server) -> None:
    with Wire(address(server)) as wire:
        wire.send(request("/1"), request("/2", "Connection: close"), request("/3"))
        assert wire.response().body == b"GET /1 "
        assert wire.response().body == b"GET /2 "
        assert wire.at_end()


def test_half_closed_client_is_answered(server: Server) -> None:
    with Wire(address(server)) as wire:
        wire.send(request("/1"), request("/2", method="POST", body=b"abc"))
        wire.half_close()
        assert wire.response().body == b"GET /1 "
        assert wire.response().body == b"POST /2 abc"
        assert wire.at_end()


def test_half_closed_in_the_middle_of_a_request(server: Server) -> None:
    for part in (b"G", b"GET / HTTP/1.1\r\nHost", request(method="POST", body=b"abc")[:-1]):
        with Wire(address(server)) as wire:
            wire.send(part)
            wire.half_close()
            answer = wire.rest()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


def test_closed_without_a_request(server: Server) -> None:
    with Wire(address(server)) as wire:
        wire.half_close()
        assert wire.at_end()


def test_empty_lines_before_a_request(server: Server) -> None:
    with Wire(address(server)) as wire:  # RFC 9112 section 2.2
        wire.send(b"\r\n" + request("/1"), b"\r\n\r\n" + request("/2"))
        assert wire.response().body == b"GET /1 "
        assert wire.response().body == b"GET /2 "


def test_slow_client_gets_large_answers_whole(serve: Serve) -> None:
    body = bytes(range(256)) * 40_000
    server = serve(lambda req: {"status": 200, "body": body})
    with Wire(address(server)) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        wire.send(request(), request())
        assert wire.response().body == body
        assert wire.response().body == body


def test_clients_that_vanish(server: Server) -> None:
    data = request("/", "Expect: 100-continue", method="POST", body=b"abc")
    for cut in range(0, len(data), 7):
        wire = Wire(address(server))
        wire.send(data[:cut])
        wire.reset()
    assert fetch(address(server), request()).status == 200


# --- bodies ---


def test_chunked(server: Server) -> None:
    with Wire(address(server)) as wire:
        for chunks in ([], [b"a"], [b"abc", b"d" * 5000, b"e"]):
            wire.send(request("/", "Transfer-Encoding: chunked", method="POST"), chunked(*chunks))
            assert wire.response().body == b"POST / " + b"".join(chunks)


@pytest.mark.parametrize(
    "body",
    [
        b"3;name=value\r\nabc\r\n0\r\n\r\n",
        b'3;a="b;\\"c";d\r\nabc\r\n0;x\r\n\r\n',
        b"003\r\nabc\r\n00\r\n\r\n",
        b"3\r\nabc\r\n0\r\nTrailer: value\r\nOther: x\r\n\r\n",
    ],
)
def test_chunked_with_extras(server: Server, body: bytes) -> None:
    with Wire(address(server)) as wire:
        wire.send(request("/", "Transfer-Encoding: chunked", method="PUT"), body, request("/next"))
        assert wire.response().body == b"PUT / abc"
        assert wire.response().body == b"GET /next "


def test_bytes_arrive_one_by_one(server: Server) -> None:
    data = (
        request("/1", "A: b", method="POST", body=b"abc")
        + request("/2", "Transfer-Encoding: chunked", method="POST")
        + chunked(b"de", b"f")
        + request("/3")
    )
    with Wire(address(server)) as wire:
        for byte in data:
            wire.send(bytes([byte]))
        assert wire.response().body == b"POST /1 abc"
        assert wire.response().body == b"POST /2 def"
        assert wire.response().body == b"GET /3 "


def test_random_splits(server: Server) -> None:
    chance = random.Random(5)
    data = b"".join(
        request("/c", "Transfer-Encoding: chunked", method="POST") + chunked(b"x" * n, b"yz")
        if n % 2
        else request("/l", method="POST", body=b"x" * n)
        for n in range(1, 60)
    )
    with Wire(address(server)) as wire:
        position = 0
        while position < len(data):
            size = chance.choice([1, 2, 3, 10, 100, 1000])
            wire.send(data[position : position + size])
            position += size
        for n in range(1, 60):
            expected = b"POST /c " + b"x" * n + b"yz" if n % 2 else b"POST /l " + b"x" * n
            assert wire.response().body == expected


def test_100_continue(server: Server) -> None:
    with Wire(address(server)) as wire:
        wire.send(request("/", "Expect: 100-Continue", "Content-Length: 3", method="POST"))
        assert wire.head().status == 100
        wire.send(b"abc")
        assert wire.response().body == b"POST / abc"
        # Sent without waiting: no interim answer is needed.
        wire.send(request("/", "Expect: 100-continue", method="POST", body=b"abc"))
        assert wire.response().body == b"POST / abc"
        # Nothing to continue.
        wire.send(request("/", "Expect: 100-continue"))
        assert wire.response().informational == []


def test_100_continue_is_not_for_http_1_0(server: Server) -> None:
    data = request("/", "Expect: 100-continue", method="POST", version="1.0", body=b"abc")
    response = fetch(address(server), data)
    assert response.informational == []
    assert response.body == b"POST / abc"


def test_unknown_expectation(server: Server) -> None:
    assert fetch(address(server), request("/", "Expect: miracles")).status == 417


def test_unread_body_does_not_desynchronise(serve: Serve) -> None:
    server = serve(lambda req: {"status": 200, "body": "ignored it"})
    with Wire(address(server)) as wire:
        for _ in range(3):
            wire.send(request(method="POST", body=request("/smuggled")))
            assert wire.response().body == b"ignored it"
        wire.half_close()
        assert wire.at_end()


# --- targets and hosts ---


def test_options_asterisk(server: Server) -> None:
    response = fetch(address(server), request("*", method="OPTIONS"))
    assert response.body == b"OPTIONS * "


@pytest.mark.parametrize("host", ["", "a", "a.b:80", "[::1]:8080", "127.0.0.1", "a_b"])
def test_hosts(server: Server, host: str) -> None:
    assert fetch(address(server), request(host=host)).status == 200


def test_allowed_hosts(serve: Serve) -> None:
    server = serve(echo, allowedHosts=["localhost", "Example.org"])
    # An address cannot be made to lead elsewhere, as a name can.
    addresses = ("127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:80", "192.0.2.1")
    for host in ("localhost", "localhost:80", "LOCALHOST", "example.org", *addresses):
        assert fetch(address(server), request(host=host)).status == 200
    for host in ("evil.example", "", "localhost.evil.example", "xlocalhost", "127.0.0.1.nip.io"):
        response = fetch(address(server), request(host=host))
        assert (response.status, response.body) == (
            403,
            b"this server does not go by that name, see allowedHosts",
        )
    assert fetch(address(server), request("http://evil.example/")).status == 403
    any_host = serve(echo, allowedHosts=["*"])
    assert fetch(address(any_host), request(host="evil.example")).status == 200


# --- what must be refused ---

H = b"Host: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = b"POST / HTTP/1.1\r\n" + H + b"Content-Length: "
REFUSED = {
    "both lengths": LENGTH + b"4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both, other order": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n"
    b"Content-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": LENGTH + b"1\r\nContent-Length: 2\r\n\r\nab",
    "two equal lengths": LENGTH + b"1\r\nContent-Length: 1\r\n\r\na",
    "list of lengths": LENGTH + b"1, 1\r\n\r\na",
    "sign": LENGTH + b"+1\r\n\r\na",
    "negative": LENGTH + b"-1\r\n\r\na",
    "hexadecimal": LENGTH + b"0x1\r\n\r\na",
    "empty length": LENGTH + b"\r\n\r\n",
    "too many digits": LENGTH + b"99999999999999999999999\r\n\r\n",
    "chunked not last": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked, gzip\r\n\r\n"
    b"0\r\n\r\n",
    "chunked twice": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked, chunked\r\n\r\n"
    b"0\r\n\r\n",
    "identity": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: identity\r\n\r\n",
    "coding with a vertical tab": b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: \x0bchunked"
    b"\r\n\r\n0\r\n\r\n",
    "chunked in 1.0": b"POST / HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\n" + H + b"A : b\r\n\r\n",
    "tab before colon": b"GET / HTTP/1.1\r\n" + H + b"A\t: b\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\n" + H + b"Nonsense\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\n" + H + b": b\r\n\r\n",
    "space in name": b"GET / HTTP/1.1\r\n" + H + b"A B: c\r\n\r\n",
    "folded": b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n c\r\n\r\n",
    "folded with tab": b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n\tc\r\n\r\n",
    "space before first field": b"GET / HTTP/1.1\r\n A: b\r\n" + H + b"\r\n",
    "bare LF after request line": b"GET / HTTP/1.1\n" + H + b"\r\n",
    "bare LF after field": b"GET / HTTP/1.1\r\nHost: a\n\r\n",
    "bare LF at the end": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "bare CR in value": b"GET / HTTP/1.1\r\n" + H + b"A: b\rc\r\n\r\n",
    "NUL in value": b"GET / HTTP/1.1\r\n" + H + b"A: b\0c\r\n\r\n",
    "NUL in name": b"GET / HTTP/1.1\r\n" + H + b"A\0: b\r\n\r\n",
    "NUL in target": b"GET /\0 HTTP/1.1\r\n" + H + b"\r\n",
    "control in value": b"GET / HTTP/1.1\r\n" + H + b"A: b\x01c\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\n" + H + H + b"\r\n",
    "wrong host": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "host with user": b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
    "host with space": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + H + b"\r\n",
    "two spaces before version": b"GET /  HTTP/1.1\r\n" + H + b"\r\n",
    "tab": b"GET\t/ HTTP/1.1\r\n" + H + b"\r\n",
    "no version": b"GET /\r\n" + H + b"\r\n",
    "lower-case version": b"GET / http/1.1\r\n" + H + b"\r\n",
    "no target": b"GET HTTP/1.1\r\n" + H + b"\r\n",
    "relative target": b"GET a/b HTTP/1.1\r\n" + H + b"\r\n",
    "asterisk with GET": b"GET * HTTP/1.1\r\n" + H + b"\r\n",
    "space before method": b" GET / HTTP/1.1\r\n" + H + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "noise": b"\xff\xfe\xfd\r\n\r\n",
    "chunk size: no digits": CHUNKED + b"\r\n",
    "chunk size: sign": CHUNKED + b"+1\r\na\r\n",
    "chunk size: 0x": CHUNKED + b"0x1\r\na\r\n",
    "chunk size: space": CHUNKED + b" 1\r\na\r\n",
    "chunk: bare LF": CHUNKED + b"1\na\r\n",
    "chunk: longer than said": CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
    "chunk extension with LF": CHUNKED + b"1;x\na\r\n0\r\n\r\n",
    "forbidden trailer": CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_refused(serve: Serve, data: bytes) -> None:
    seen: list[dict] = []

    def call(req: dict) -> dict:
        seen.append(req)
        return {"status": 200}

    server = serve(call)
    # Together with a request behind it, which must not be taken for one.
    for sent in (data, data + request("/smuggled")):
        with Wire(address(server)) as wire:
            wire.send(sent)
            response = wire.response()
            assert response.status == 400
            assert (response.get("Connection") or "").lower() == "close"
            assert wire.at_end()
    assert seen == []


def test_refused_behind_a_good_one(server: Server) -> None:
    with Wire(address(server)) as wire:
        wire.send(request("/1"), request("/2"), REFUSED["two lengths"], request("/3"))
        assert wire.response().body == b"GET /1 "
        assert wire.response().body == b"GET /2 "
        assert wire.response().status == 400
        assert wire.at_end()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(version="2.0"), 505),
        (request(version="0.9"), 505),
        (CHUNKED + b"fffffffffffffffff\r\n", 413),
        (request("/", "Transfer-Encoding: strange, chunked", method="POST"), 501),
    ],
)
def test_refused_otherwise(server: Server, data: bytes, status: int) -> None:
    with Wire(address(server)) as wire:
        wire.send(data)
        assert wire.response().status == status
        assert wire.at_end()


def test_refusal_at_every_cut(server: Server) -> None:
    data = REFUSED["both lengths"]
    for cut in range(1, len(data)):
        with Wire(address(server)) as wire:
            wire.send(data[:cut])
            wire.send(data[cut:])
            assert wire.response().status == 400


def test_garbage_never_hurts(server: Server) -> None:
    chance = random.Random(7)
    good = request("/", "A: b", method="POST", body=b"abc")
    for _ in range(300):
        data = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        with Wire(address(server)) as wire:
            wire.send(bytes(data))
            wire.half_close()
            answer = wire.rest()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert fetch(address(server), good).body == b"POST / abc"


def test_many_connections_at_once(server: Server) -> None:
    failures: list[BaseException] = []

    def client(number: int) -> None:
        try:
            with Wire(address(server)) as wire:
                for i in range(20):
                    wire.send(request(f"/{number}/{i}", method="PUT", body=b"x" * number * 100))
                    assert wire.response().body == f"PUT /{number}/{i} ".encode() + (
                        b"x" * number * 100
                    )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_upgrade_without_websockets(server: Server) -> None:
    response = fetch(
        address(server),
        request(
            "/",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ),
    )
    assert response.status != 101


def test_other_upgrades_are_ignored(server: Server) -> None:
    with Wire(address(server)) as wire:
        for protocol, method in itertools.product(["h2c", "TLS/1.0"], ["GET", "POST"]):
            body = b"abc" if method == "POST" else None
            wire.send(
                request(
                    "/", "Connection: Upgrade", f"Upgrade: {protocol}", method=method, body=body
                )
            )
            assert wire.response().body == f"{method} / ".encode() + (body or b"")
