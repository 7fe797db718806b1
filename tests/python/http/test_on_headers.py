"""onHeaders: asked when only the head has come."""

import threading
from collections.abc import Callable
from pathlib import Path

import httpuv
import pytest
from conftest import Log, Serve
from support import Wire, address, chunked, fetch, request


class App:
    """Remembers the order of its calls."""

    def __init__(self, verdict: Callable[[dict], object]) -> None:
        self.verdict = verdict
        self.calls: list[str] = []
        self.requests: list[dict] = []

    def onHeaders(self, req: dict) -> object:
        self.calls.append("onHeaders")
        self.requests.append(req)
        return self.verdict(req)

    def call(self, req: dict) -> dict:
        self.calls.append("call")
        self.requests.append(req)
        return {"status": 200, "body": req["rook.input"].read()}


def allow(req: dict) -> None:
    return None


def too_large(req: dict) -> dict:
    return {"status": 413, "headers": {"X-Why": "size"}, "body": "too large"}


def test_goes_on(serve: Serve) -> None:
    app = App(allow)
    server = serve(app)
    with Wire(address(server)) as wire:
        for body in (None, b"abc", b"x" * 200_000):
            wire.send(request("/x", method="POST", body=body))
            assert wire.response().body == (body or b"")
    assert app.calls == ["onHeaders", "call"] * 3


def test_same_environment_in_both(serve: Serve) -> None:
    def mark(req: dict) -> None:
        req["my.mark"] = 5

    app = App(mark)
    fetch(address(serve(app)), request("/x?y", "A: b", method="POST", body=b"abc"))
    first, second = app.requests
    assert first is second
    assert second["my.mark"] == 5
    assert second["REQUEST_URI"] == "/x?y"


def test_runs_before_the_body_has_come(serve: Serve) -> None:
    asked = threading.Event()
    app = App(lambda req: asked.set())
    server = serve(app)
    with Wire(address(server)) as wire:
        wire.send(request(method="POST", body=b"abc")[:-3])
        assert asked.wait(20)
        assert app.calls == ["onHeaders"]
        wire.send(b"abc")
        assert wire.response().body == b"abc"
    assert app.calls == ["onHeaders", "call"]


def test_body_is_not_there_yet(serve: Serve) -> None:
    seen: list[bytes] = []
    app = App(lambda req: seen.append(req["rook.input"].read()))
    assert fetch(address(serve(app)), request(method="POST", body=b"abc")).body == b"abc"
    assert seen == [b""]


def test_refuses_before_the_body_is_read(serve: Serve) -> None:
    app = App(too_large)
    server = serve(app)
    with Wire(address(server)) as wire:
        # Announces a gigabyte and sends none of it.
        wire.send(request("/", "Content-Length: 1000000000", method="POST"))
        response = wire.response()
        assert (response.status, response.body) == (413, b"too large")
        assert response.get("X-Why") == "size"
        assert (response.get("Connection") or "").lower() == "close"
        assert wire.at_end()
    assert app.calls == ["onHeaders"]


def test_refusal_reaches_a_client_that_sends_on(serve: Serve) -> None:
    # The early answer must not be lost to a RST (RFC 9112 section 9.6).
    server = serve(App(too_large))
    for _ in range(5):
        with Wire(address(server)) as wire:
            wire.send(request("/", "Content-Length: 3000000", method="POST"))
            for _ in range(30):
                wire.send(b"x" * 100_000)
            assert wire.response().status == 413


def test_refusal_of_100_continue(serve: Serve) -> None:
    app = App(too_large)
    server = serve(app)
    with Wire(address(server)) as wire:
        wire.send(request("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
        response = wire.response()
        assert response.status == 413
        assert response.informational == []
        assert wire.at_end()


def test_100_continue_after_the_verdict(serve: Serve) -> None:
    asked, go = threading.Event(), threading.Event()

    def verdict(req: dict) -> None:
        asked.set()
        assert go.wait(20)

    server = serve(App(verdict))
    with Wire(address(server)) as wire:
        wire.send(request("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
        assert asked.wait(20)
        wire.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            wire.head()
        wire.socket.settimeout(20)
        go.set()
        assert wire.head().status == 100
        wire.send(b"12345")
        assert wire.response().body == b"12345"


def test_answers_without_a_body_to_come(serve: Serve) -> None:
    app = App(lambda req: {"status": 403, "body": "no"})
    server = serve(app)
    response = fetch(address(server), request())
    assert (response.status, response.body) == (403, b"no")
    assert (response.get("Connection") or "").lower() == "close"
    assert app.calls == ["onHeaders"]


def test_exception(serve: Serve, log: Log) -> None:
    def fail(req: dict) -> None:
        raise RuntimeError("a secret")

    app = App(fail)
    response = fetch(address(serve(app)), request(method="POST", body=b"abc"))
    assert response.status == 500
    assert b"secret" not in response.body
    log.expect("onHeaders failed for POST /", "RuntimeError: a secret")
    assert app.calls == ["onHeaders"]


def test_wrong_shape(serve: Serve, log: Log) -> None:
    for result, message in [(False, "a response must be a dict"), ({}, "must have a 'status'")]:
        assert fetch(address(serve(App(lambda req, r=result: r))), request()).status == 500
        log.expect("onHeaders failed for GET /", message)


def test_other_shapes(serve: Serve) -> None:
    server = serve(App(lambda req: {"status": 403.0, "body": bytearray(b"no")}))
    response = fetch(address(server), request())
    assert (response.status, response.body) == (403, b"no")


def test_without_call(serve: Serve) -> None:
    asked = []
    server = serve({"onHeaders": asked.append})
    assert fetch(address(server), request(method="POST", body=b"x")).status == 404
    assert len(asked) <= 1


def test_chunked_body(serve: Serve) -> None:
    app = App(allow)
    server = serve(app)
    with Wire(address(server)) as wire:
        wire.send(request("/", "Transfer-Encoding: chunked", method="POST"), chunked(b"ab", b"c"))
        assert wire.response().body == b"abc"


def test_pipelined(serve: Serve) -> None:
    app = App(lambda req: {"status": 403} if req["PATH_INFO"] == "/no" else None)
    server = serve(app)
    with Wire(address(server)) as wire:
        wire.send(
            request("/1", method="POST", body=b"1"), request("/2"), request("/no"), request("/3")
        )
        assert wire.response().body == b"1"
        assert wire.response().status == 200
        assert wire.response().status == 403
        assert wire.at_end()
    assert app.calls == ["onHeaders", "call", "onHeaders", "call", "onHeaders"]


def test_client_that_leaves_in_between(serve: Serve) -> None:
    asked = threading.Semaphore(0)
    app = App(lambda req: asked.release())
    server = serve(app)
    for _ in range(20):
        with Wire(address(server)) as wire:
            wire.send(request(method="POST", body=b"abc")[:-1])
            assert asked.acquire(timeout=20)
            wire.reset()
    assert fetch(address(server), request(method="POST", body=b"abc")).body == b"abc"
    assert app.calls == ["onHeaders"] * 21 + ["call"]


def test_static_paths_are_not_asked(serve: Serve, tmp_path) -> None:
    (tmp_path / "file").write_text("text")
    app = App(too_large)
    app.staticPaths = {"/static": httpuv.staticPath(tmp_path)}
    server = serve(app)
    assert fetch(address(server), request("/static/file")).body == b"text"
    assert app.calls == []


def test_asked_before_what_falls_through_a_static_path(serve: Serve, tmp_path: Path) -> None:
    """onHeaders sees requests for the application, not those for files (manual, staticPaths)."""
    (tmp_path / "file").write_text("static")
    app = App(lambda req: None if "x-key" in req["HEADERS"] else {"status": 401})
    server = serve(
        {
            "call": app.call,
            "onHeaders": app.onHeaders,
            "staticPaths": {"/": httpuv.staticPath(tmp_path, fallthrough=True)},
        }
    )
    assert fetch(address(server), request("/file")).body == b"static"
    assert app.calls == []
    assert fetch(address(server), request("/none")).status == 401
    assert app.calls == ["onHeaders"]
    assert fetch(address(server), request("/none", "X-Key: 1", body=b"body")).body == b"body"
    assert app.calls == ["onHeaders", "onHeaders", "call"]
