"""allowedHosts and allowedOrigins: what an entry means, and entries that can match nothing."""

import re

import httpuv
import pytest
from conftest import Serve
from support import address, fetch, request


def hello(req: dict) -> dict:
    return {"status": 200, "body": "hello"}


def on_open(ws: httpuv.WebSocket) -> None:
    pass


@pytest.mark.parametrize(
    ("entry", "allowed", "refused"),
    [
        ("*.example.com", ["a.example.com", "A.B.Example.COM:80"], ["example.com", "xexample.com"]),
        ("*.example.com:81", ["a.example.com:81"], ["a.example.com:82", "a.example.com"]),
        ("localhost:8000", ["localhost:8000", "LOCALHOST:8000"], ["localhost", "localhost:80"]),
        ("a.example:80", ["a.example", "a.example:80"], ["a.example:443", "b.example"]),
        ("a.example:443", ["a.example", "a.example:443"], ["a.example:80"]),
        ("a.example", ["a.example", "a.example:1"], ["b.a.example", "a.example.b"]),
        ("::1", ["[::1]", "[::1]:80"], ["a"]),
        ("[::1]:80", ["[::1]:80"], ["a"]),
        ("127.0.0.1:80", ["127.0.0.1"], ["a"]),
        ("my_host-1", ["my_host-1", "My_Host-1:5"], ["my-host-1"]),
    ],
)
def test_hosts(serve: Serve, entry: str, allowed: list[str], refused: list[str]) -> None:
    server = serve(hello, allowedHosts=["other.example", entry])
    for host in allowed:
        assert fetch(address(server), request(host=host)).status == 200, host
    for host in refused:
        assert fetch(address(server), request(host=host)).status == 403, host


@pytest.mark.parametrize(
    ("entry", "allowed", "refused"),
    [
        ("http://b.example:80", ["http://b.example", "http://b.example:80"], ["https://b.example"]),
        ("https://a.example:443", ["https://a.example", "HTTPS://A.example:443"], []),
        ("https://a.example", ["https://a.example:443"], ["https://a.example:80"]),
        (
            "https://*.example.com",
            ["https://a.example.com", "https://a.b.example.com:443"],
            ["https://example.com", "http://a.example.com", "https://a.example.com:444"],
        ),
        ("http://*.example.com:8080", ["http://a.example.com:8080"], ["http://a.example.com"]),
        ("http://[0:0::1]:8080", ["http://[::1]:8080"], ["http://[::1]"]),
        ("chrome-extension://abcdef", ["chrome-extension://abcdef"], ["https://abcdef"]),
        ("*", ["https://a.example", "null"], []),
        ("same", ["http://localhost", "http://localhost:80", "https://localhost:443"], ["null"]),
    ],
)
def test_origins(serve: Serve, entry: str, allowed: list[str], refused: list[str]) -> None:
    server = serve({"onWSOpen": on_open}, allowedOrigins=[entry])

    def status(origin: str) -> int:
        shake = request(
            "/",
            *("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
            *("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", f"Origin: {origin}"),
        )
        return fetch(address(server), shake).status

    for origin in allowed:
        assert status(origin) == 101, origin
    for origin in refused:
        assert status(origin) == 403, origin


@pytest.mark.parametrize(
    "entry",
    [
        *("", ".", ".example.com", "a..b", "*example.com", "a.*.example", "**", "*.", "a b", "-a"),
        *("http://a.example", "a.example/", "a@b", "bücher.example", "x" * 64, "a." * 130 + "a"),
        *("a:", "a:b", "a:0", "a:65536", "a:80:80", "[::1", "[::1]x", "1.2.3", "256.1.1.1", "::g"),
    ],
)
def test_hosts_that_match_nothing(entry: str) -> None:
    with pytest.raises(ValueError, match="allowedHosts") as caught:
        httpuv.startServer("127.0.0.1", 0, hello, allowedHosts=["localhost", entry])
    assert repr(entry) in str(caught.value)


@pytest.mark.parametrize(
    "entry",
    [
        *("", "a.example", "https://", "https://a.example/", "https://a.example/x", "https:a"),
        *("https://a@b", "https://a?b", "https://.example.com", "https://*", "ws://a.example"),
        *("wss://a.example", "https://a:0", "http://bücher.example", "file://", "https://1.2.3"),
    ],
)
def test_origins_that_match_nothing(entry: str) -> None:
    with pytest.raises(ValueError, match="allowedOrigins") as caught:
        httpuv.startServer("127.0.0.1", 0, hello, allowedOrigins=["same", entry])
    assert repr(entry) in str(caught.value)


@pytest.mark.parametrize("argument", ["allowedHosts", "allowedOrigins"])
def test_an_empty_list(argument: str) -> None:
    with pytest.raises(ValueError, match=f"{argument} must not be empty"):
        httpuv.startServer("127.0.0.1", 0, hello, **{argument: []})


def test_the_ascii_form_is_suggested() -> None:
    with pytest.raises(ValueError, match=re.escape("'xn--bcher-kva.example'")):
        httpuv.startServer("127.0.0.1", 0, hello, allowedHosts=["bücher.example"])
