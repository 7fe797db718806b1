"""Health, readiness and metrics: answered whatever Python is doing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpuv
import pytest
from conftest import Serve
from metrics_support import samples, value
from support import PATIENCE, Wire, address, fetch, get, request
from ws_support import TEXT, Client

PATHS = {"health": "/livez", "ready": "/readyz", "metrics": "/metrics"}


def hello(req: dict[str, Any]) -> dict[str, Any]:
    return {"status": 200, "body": "hello"}


@pytest.fixture
def stuck() -> Iterator[tuple[httpuv.WebServer, threading.Event]]:
    """A server without a thread for callbacks until the event is set."""
    options: dict[str, Any] = {"dispatch": "service", "readyMaxWait": 0.2, **PATHS}
    server = httpuv.startServer("127.0.0.1", 0, hello, **options)
    go = threading.Event()

    def serve() -> None:
        go.wait(PATIENCE)
        while server.isRunning():
            httpuv.service(20)

    thread = threading.Thread(target=serve)
    thread.start()
    yield server, go
    go.set()
    server.stop()
    thread.join()


def test_answers_while_python_is_stuck(stuck: tuple[httpuv.WebServer, threading.Event]) -> None:
    server, go = stuck
    answer = get(server, "/livez")
    assert (answer.status, answer.body) == (200, b"ok\n")
    assert answer.get("cache-control") == "no-store"
    assert get(server, "/readyz").status == 200
    with Wire(address(server)) as waiting:
        waiting.send(request("/"))
        while (answer := get(server, "/readyz")).status == 200:
            pass
        assert answer.status == 503 and b"has waited for" in answer.body
        assert get(server, "/livez").status == 200
        found = samples(get(server, "/metrics").body)
        assert value(found, "httpuv_queue_depth") == 1
        assert value(found, "httpuv_queue_oldest_seconds") > 0.15
        assert value(found, "httpuv_requests_in_flight") == 1
        go.set()
        assert waiting.response().body == b"hello"
    assert get(server, "/readyz").status == 200
    found = samples(get(server, "/metrics").body)
    assert value(found, "httpuv_queue_depth") == value(found, "httpuv_queue_oldest_seconds") == 0


def test_methods_and_paths(stuck: tuple[httpuv.WebServer, threading.Event]) -> None:
    server, _ = stuck
    for path in PATHS.values():
        assert get(server, path + "?verbose").status == 200
        head = get(server, path, method="HEAD")
        assert head.status == 200 and int(head.get("content-length") or 0) > 0
        posted = get(server, path, "Content-Length: 0", method="POST")
        assert posted.status == 405 and posted.get("allow") == "GET, HEAD"


def test_every_host_may_probe_but_not_read_metrics(serve: Serve) -> None:
    server = serve({"call": hello}, allowedHosts=["mine.example"], **PATHS)
    for host, status in {"mine.example": 200, "10.0.0.7": 200, "evil.example": 403}.items():
        probe = f"GET /readyz HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        assert fetch(address(server), probe).status == 200
        metrics = f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        assert fetch(address(server), metrics).status == status


def test_numbers(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    opened = threading.Event()

    def on_open(ws: httpuv.WebSocket) -> None:
        ws.onMessage(lambda binary, message: ws.send(message))
        ws.subscribe("news")
        opened.set()

    app = {"call": hello, "onWSOpen": on_open, "staticPaths": {"/s": str(tmp_path)}}
    server = serve(app, **PATHS)
    for _ in range(3):
        get(server, "/")
    get(server, "/s/a.txt")
    get(server, "/s/b.txt")
    get(server, "/", method="PURGE")
    with Wire(address(server)) as wire:
        wire.send(b"GET / HTTP/1.1\r\n\r\n")
        assert wire.response().status == 400
    with Client.open(server) as client, Wire(address(server)) as idle:
        idle.send(request("/livez"))
        idle.response()
        client.say(TEXT, "x")
        client.message()
        assert opened.wait(PATIENCE)
        found = samples(get(server, "/metrics").body)
    requests = "http_server_requests_total"
    assert value(found, requests, method="GET", kind="app", status="200") == 3
    assert value(found, requests, method="_OTHER", kind="app") == 1
    assert value(found, requests, kind="static", status="200") == 1
    assert value(found, requests, kind="static", status="404") == 1
    assert value(found, requests, kind="websocket", status="101") == 1
    assert value(found, requests, kind="builtin", status="200") == 1
    assert value(found, requests, kind="server", status="400") == 1
    bucket = "http_server_request_duration_seconds_bucket"
    of_app = [has for has, _ in found[bucket] if has["kind"] == "app" and has["method"] == "GET"]
    assert [has["le"] for has in of_app] == [
        *("0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5"),
        *("0.75", "1", "2.5", "5", "7.5", "10", "+Inf"),
    ]
    assert value(found, bucket, method="GET", kind="app", le="+Inf") == 3
    assert value(found, "http_server_request_duration_seconds_count", kind="app") == 4
    assert value(found, "http_server_connections", state="idle") >= 1
    assert value(found, "http_server_connections", state="websocket") == 1
    assert value(found, "http_server_received_bytes_total") > 400
    assert value(found, "http_server_sent_bytes_total") > 500
    assert value(found, "http_server_refused_total", status="400") == 1
    assert value(found, "httpuv_websocket_messages_total", direction="received") == 1
    assert value(found, "httpuv_websocket_messages_total", direction="sent") == 1
    assert value(found, "httpuv_topics") == value(found, "httpuv_topic_subscriptions") == 1
    assert value(found, "httpuv_callback_duration_seconds_count") >= 6
    assert value(found, "httpuv_gil_waits_total") > 0
    assert value(found, "httpuv_workers") == 1
    assert value(found, "httpuv_build_info", version=httpuv.__version__) == 1
    assert server.stats()["metrics"][requests]
    assert value(server.stats()["metrics"], requests, kind="app") == 4


def test_several_io_threads_add_up(serve: Serve) -> None:
    server = serve({"call": hello}, ioThreads=3, readyMaxWait=0.2, admin="127.0.0.1:0", **PATHS)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(address(server))) for _ in range(6)]
        for wire in wires:
            wire.send(request("/"))
            assert wire.response().body == b"hello"
        found: Any = server.stats()["metrics"]
        assert value(found, "http_server_requests_total", kind="app") == 6
        assert value(found, "http_server_connections", state="idle") == 6
        assert value(found, "httpuv_io_threads") == 3
        assert value(found, "httpuv_workers") == 1
        assert value(found, "httpuv_queue_depth") == 0
        host, _, port = str(server.getAdmin()).partition(":")
        for _ in range(4):
            assert fetch((host, int(port)), request("/readyz")).status == 200
        found = samples(fetch((host, int(port)), request("/metrics")).body)
        assert value(found, "http_server_requests_total", kind="app") == 6


def test_stats_of_a_stopped_server(serve: Serve) -> None:
    server = serve({"call": hello})
    get(server, "/")
    server.stop()
    assert value(server.stats()["metrics"], "http_server_requests_total", kind="app") == 1


def test_admin_has_a_listener_of_its_own(serve: Serve) -> None:
    server = serve({"call": hello}, admin="127.0.0.1:0", limits=httpuv.Limits(max_connections=1))
    admin = server.getAdmin()
    assert admin is not None
    host, port = admin.split(":")
    where = host, int(port)
    with Wire(address(server)) as only:
        only.send(request("/"))
        assert only.response().body == b"hello"
        for path in PATHS.values():
            assert fetch(where, request(path)).status == 200
        assert fetch(where, request("/")).status == 404
        only.send(request("/livez"))
        assert only.response().body == b"hello"


def test_admin_on_a_unix_socket(serve: Serve, tmp_path: Path) -> None:
    path = str(tmp_path / "admin")
    server = serve({"call": hello}, admin=path, metrics="/numbers")
    assert server.getAdmin() == path
    assert fetch(path, request("/readyz")).status == 200
    assert fetch(path, request("/numbers")).status == 200
    assert fetch(path, request("/metrics")).status == 404
    server.stop()
    assert not Path(path).exists()


def test_not_ready_while_it_stops() -> None:
    begun, go = threading.Event(), threading.Event()

    def call(req: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        go.wait(PATIENCE)
        return {"status": 200, "body": "late"}

    server = httpuv.startServer("127.0.0.1", 0, call, dispatch="thread", admin="127.0.0.1:0")
    admin = server.getAdmin()
    assert admin is not None
    where = "127.0.0.1", int(admin.rpartition(":")[2])
    with Wire(address(server)) as wire:
        wire.send(request("/"))
        assert begun.wait(PATIENCE)
        stopper = threading.Thread(target=server.stop, args=(60,))
        stopper.start()
        while (answer := fetch(where, request("/readyz"))).status == 200:
            pass
        assert (answer.status, answer.body) == (503, b"stopping\n")
        assert answer.get("connection") == "close"
        assert fetch(where, request("/livez")).status == 200
        go.set()
        assert wire.response().body == b"late"
        stopper.join()


@pytest.mark.parametrize(
    ("option", "wrong", "error"),
    [
        ("health", "livez", ValueError),
        ("ready", 5, TypeError),
        ("metrics", "/a b", ValueError),
        ("readyMaxWait", -1, ValueError),
        ("admin", "here", ValueError),
        ("admin", "127.0.0.1:99999", ValueError),
        ("admin", 1.5, TypeError),
    ],
)
def test_mistakes_name_the_option(option: str, wrong: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=option):
        httpuv.startServer("127.0.0.1", 0, hello, **{option: wrong})


def test_an_admin_address_that_is_taken(serve: Serve) -> None:
    first = serve({"call": hello}, admin="127.0.0.1:0")
    with pytest.raises(OSError, match="Address already in use"):
        httpuv.startServer("127.0.0.1", 0, hello, quiet=True, admin=first.getAdmin())
