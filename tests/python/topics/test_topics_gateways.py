"""Streams of events that topics feed, as answers of ASGI and WSGI applications."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import httpuv
import pytest
from conftest import Serve
from support import Wire, address, request
from test_topics import NEWS, events
from ws_support import wait_until

NEWS_STREAM = httpuv.EventStream(topics=["news"], keepalive=0.05)


async def asgi_by_headers(scope: Any, receive: Any, send: Any) -> None:
    fields = [(name.encode(), value.encode()) for name, value in NEWS_STREAM.headers.items()]
    fields += [(b"Content-Length", b"0"), (b"X-Own", b"yes")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def wsgi_by_headers(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    fields = [*NEWS_STREAM.headers.items(), ("Content-Length", "0"), ("X-Own", "yes")]
    start_response("200 OK", fields)
    yield b""


@pytest.fixture(params=["asgi", "wsgi", "asgi stream", "wsgi stream"])
def app(request: pytest.FixtureRequest) -> Any:
    """An application that answers with the stream: by its headers, or the stream is it."""
    if request.param == "asgi":
        return asgi_by_headers
    if request.param == "wsgi":
        return wsgi_by_headers
    return httpuv.Mount(NEWS_STREAM, interface=request.param.split()[0])


@pytest.fixture(params=["service", "thread", 2])
def server(serve: Serve, app: Any, request: pytest.FixtureRequest) -> httpuv.WebServer:
    return serve(app, topics=NEWS, dispatch=request.param)


def test_a_stream_goes_on_where_it_was(server: httpuv.WebServer) -> None:
    with events(server) as stream:
        epoch = stream.next()["id"].partition(".")[0]
        server.publish("news", "1")
        assert stream.next() == {"id": f"{epoch}.1", "data": "1"}
    wait_until(lambda: server.topic_stats("news").subscribers == 0)
    server.publish("news", "2")
    for way in ({"last": f"{epoch}.1"}, {"url": f"/?lastEventId={epoch}.1"}):
        with events(server, **way) as stream:
            assert stream.next() == {"id": f"{epoch}.1"}
            assert stream.next() == {"id": f"{epoch}.2", "data": "2"}
    with events(server, last="other.1") as stream:
        assert stream.next()["event"] == "reset"
    wait_until(lambda: not NEWS_STREAM._fed)  # nothing is left of those that have gone


def test_what_the_client_sees(server: httpuv.WebServer) -> None:
    with Wire(address(server)) as wire:
        wire.send(request(method="HEAD"))
        assert wire.response("HEAD").status == 200
        wire.send(request())
        head = wire.head()
        assert head.get("Transfer-Encoding") == "chunked" and head.get("Content-Length") is None
        assert head.get("Httpuv-Events") is None
        assert head.get("Content-Type") == "text/event-stream"
        wire._until(b"3\r\n:\n\n\r\n")  # nothing came for a while
        server.publish("news", "x")
        wire._until(b"data: x\n\n\r\n")
        assert server._core.stats()["in_flight"] == 0


def test_the_end_of_the_server(server: httpuv.WebServer) -> None:
    with events(server) as stream:
        stream.next()
        server.publish("news", "last")
        assert stream.next()["data"] == "last"
        stopping = threading.Thread(target=server.stop, args=(20.0,))
        stopping.start()
        assert stream.wire.at_end()  # long before its time is over
    stopping.join()


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (NEWS_STREAM, "asgi"),
        (NEWS_STREAM, "wsgi"),
        (asgi_by_headers, "asgi"),
        (wsgi_by_headers, "wsgi"),
    ],
)
def test_the_application_may_refuse(serve: Serve, app: Any, interface: str) -> None:
    asked: list[str] = []

    def on_subscribe(client: Any, topic: str) -> bool:
        asked.append(client.get("REQUEST_METHOD") or client["method"])
        return False

    root = {"onSubscribe": on_subscribe, "call": lambda req: {"status": 404}}
    mounts = {"/events": httpuv.Mount(app, interface=interface)}
    server = serve(root, mounts=mounts)
    with Wire(address(server)) as wire:
        wire.send(request("/events"))
        assert wire.response().status == 403
        wire.send(request("/"))
        assert wire.response().status == 404
    assert asked == ["GET"]


def test_what_is_no_such_answer(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A body, another status, or a name that nothing has."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        fields = {"/unknown": [("Httpuv-Events", "x")]}
        status = "404 Not Found" if environ["PATH_INFO"] == "/status" else "200 OK"
        start_response(status, fields.get(environ["PATH_INFO"], list(NEWS_STREAM.headers.items())))
        return [b"x" if environ["PATH_INFO"] == "/body" else b""]

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            start.update(status=int(status[:3]), headers=headers)

        start: dict[str, Any] = {"type": "http.response.start"}
        body = b"".join(app({"PATH_INFO": scope["path"]}, start_response))
        start["headers"] = [(name.encode(), each.encode()) for name, each in start["headers"]]
        await send(start)
        await send({"type": "http.response.body", "body": body})

    for each in (app, asgi):
        server = serve(each)
        for path, status in {"/body": 500, "/unknown": 500, "/status": 404}.items():
            with Wire(address(server)) as wire:
                wire.send(request(path))
                answer = wire.response()
                assert answer.status == status and answer.get("Httpuv-Events") is None


def test_other_servers_cannot(serve: Serve) -> None:
    with pytest.raises(RuntimeError, match="httpuv"):
        NEWS_STREAM({"SERVER_SOFTWARE": "other/1"}, lambda status, headers: None)
    coroutine = NEWS_STREAM({"type": "http", "extensions": {}}, None, lambda message: None)
    with pytest.raises(RuntimeError, match="httpuv"), contextlib.closing(coroutine):
        coroutine.send(None)
    with pytest.raises(RuntimeError, match="topics"):
        httpuv.EventStream().headers  # noqa: B018
