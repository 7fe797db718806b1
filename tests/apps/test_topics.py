"""Streams of events that topics feed, as answers of real frameworks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpuv
import httpx
import pytest

TOPICS = {"news": httpuv.Topic(history=100)}


@pytest.fixture
def serve() -> Iterator[Callable[[Any], tuple[httpuv.WebServer, str]]]:
    servers: list[httpuv.WebServer] = []

    def start(app: Any) -> tuple[httpuv.WebServer, str]:
        server = httpuv.startServer("127.0.0.1", 0, app, topics=TOPICS, dispatch="thread")
        servers.append(server)
        return server, f"http://127.0.0.1:{server.getPort()}"

    yield start
    for server in servers:
        server.stop()


class Reader:
    """A client that reads events, leaves, and comes back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.last = ""
        self.headers: httpx.Headers = httpx.Headers()

    def read(self, count: int, before: Callable[[], object] = lambda: None) -> list[str]:
        """So many messages; `before` is called once it is connected."""
        got: list[str] = []
        fields = {"Accept-Encoding": "gzip", **({"Last-Event-ID": self.last} if self.last else {})}
        with httpx.stream("GET", self.url, headers=fields, timeout=20, trust_env=False) as answer:
            assert answer.status_code == 200
            self.headers = answer.headers
            lines = answer.iter_lines()
            started = False
            while len(got) < count:
                name, _, value = next(lines).partition(": ")
                if name == "id":
                    self.last = value
                    if not started:
                        started = True
                        before()
                elif name == "event" or name == "data":
                    got.append(value)
        return got


def check(server: httpuv.WebServer, url: str, paths: list[str]) -> None:
    """A client at each path gets what is published, and what it missed."""
    for path in paths:
        reader = Reader(url + path)
        assert reader.read(1, lambda: server.publish("news", "live")) == ["live"]
        assert reader.headers["content-type"].startswith("text/event-stream")
        assert "httpuv-events" not in reader.headers
        for number in range(5):
            server.publish("news", f"missed {number}")
        assert reader.read(5) == [f"missed {number}" for number in range(5)]


def test_fastapi(serve: Callable[[Any], Any]) -> None:
    fastapi = pytest.importorskip("fastapi")
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.cors import CORSMiddleware
    from starlette.middleware.gzip import GZipMiddleware

    news = httpuv.EventStream(topics=["news"])
    app = fastapi.FastAPI()
    closed: list[str] = []

    def session() -> Iterator[str]:
        yield "session"
        closed.append("session")

    @app.get("/events")
    async def events(name=fastapi.Depends(session)):  # type: ignore[no-untyped-def]  # noqa: B008
        return fastapi.Response(headers={**news.headers, "X-Name": name})

    @app.get("/plain")
    def plain():  # type: ignore[no-untyped-def]
        return fastapi.Response(headers=news.headers)

    async def dispatch(request: Any, call_next: Any) -> Any:
        answer = await call_next(request)
        answer.headers["X-Base"] = "yes"
        return answer

    app.mount("/mounted", news)
    app.add_route("/route", news)
    app.add_middleware(GZipMiddleware, minimum_size=1)
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    server, url = serve(app)
    check(server, url, ["/events", "/plain", "/mounted/", "/route"])
    assert closed == ["session"] * 2
    reader = Reader(url + "/events")
    reader.read(1, lambda: server.publish("news", "x"))
    assert (reader.headers["x-name"], reader.headers["x-base"]) == ("session", "yes")


@pytest.mark.parametrize("threads", [1, 4])
def test_flask(threads: int) -> None:
    flask = pytest.importorskip("flask")
    news = httpuv.EventStream(topics=["news"])
    app = flask.Flask(__name__)
    app.secret_key = "secret"

    @app.get("/stream")
    def stream() -> Any:
        flask.session["seen"] = 1
        return news

    @app.get("/response")
    def response() -> Any:
        return flask.Response(headers=news.headers)

    with httpuv.startServer(
        "127.0.0.1", 0, app, topics=TOPICS, dispatch="thread" if threads == 1 else threads
    ) as server:
        url = f"http://127.0.0.1:{server.getPort()}"
        check(server, url, ["/stream", "/response"])
        reader = Reader(url + "/stream")
        reader.read(1, lambda: server.publish("news", "x"))
        assert "session=" in reader.headers["set-cookie"]


def test_with_a_rook_application_beside(serve: Callable[[Any], Any]) -> None:
    """The way without the framework: the stream is mounted beside it."""
    flask = pytest.importorskip("flask")
    news = httpuv.EventStream(topics=["news"])
    with httpuv.startServer(
        *("127.0.0.1", 0, flask.Flask(__name__)),
        mounts={"/events": {"call": lambda req: news}},
        topics=TOPICS,
        dispatch="thread",
    ) as server:
        check(server, f"http://127.0.0.1:{server.getPort()}", ["/events"])
