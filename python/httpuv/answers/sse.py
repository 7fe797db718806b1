"""Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import asyncio
import secrets
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qs

from ..base import fork
from ..base.checks import check_int, check_seconds
from ..base.names import checked_class
from ..dispatch import tasks
from ..options.topic_options import check_topic
from .types import Response

#: Topics that one stream may have. Every event id contains the positions of all topics.
_MAX_TOPICS = 64
#: Bytes of events that may wait for a client. Beyond that its stream ends; it may reconnect.
_MAX_WAITING = 1024 * 1024
#: What tells the server that topics feed an answer, and which stream says how.
_FIELD = "Httpuv-Events"

_streams: weakref.WeakValueDictionary[str, EventStream] = weakref.WeakValueDictionary()


def format_event(
    data: str, event: str | None = None, id: str | None = None, retry: int | None = None
) -> str:
    r"""One event as it is sent.

    Args:
        data: Any text. Line ends - ``\n``, ``\r\n`` or ``\r`` - all arrive as ``\n``.
        event: The name of the event; without it, it is ``message``.
        id: The value of ``Last-Event-ID`` when the client reconnects.
        retry: Milliseconds after which a disconnected client reconnects.

    Raises:
        TypeError, ValueError: An argument is of the wrong type, or has a line end in it.
    """
    lines = []
    for name, value in (("event", event), ("id", id)):
        if value is None:
            continue
        if not isinstance(value, str):
            raise TypeError(f"{name} must be str or None, not {type(value).__name__}")
        if any(character in value for character in "\r\n\0"):
            raise ValueError(f"{name} must not have line ends or NUL in it: {value!r}")
        lines.append(f"{name}: {value}")
    if retry is not None:
        lines.append(f"retry: {check_int('retry', retry, 0, None)}")
    if not isinstance(data, str):
        raise TypeError(f"data must be str, not {type(data).__name__}")
    text = data.replace("\r\n", "\n").replace("\r", "\n")
    lines += [f"data: {line}" for line in text.split("\n")]
    return "\n".join(lines) + "\n\n"


_ELSEWHERE = "topics feed an EventStream on a server of httpuv only"


def _check_topics(topics: Sequence[str] | None) -> list[str]:
    if topics is None:
        return []
    if isinstance(topics, (str, bytes)) or not isinstance(topics, Sequence):
        raise TypeError(f"topics must be a list of str or None, not {topics!r}")
    names = [check_topic(each) for each in topics]
    if not names or len(set(names)) != len(names) or len(names) > _MAX_TOPICS:
        raise ValueError(f"topics must be 1 to {_MAX_TOPICS} different ones, not {names!r}")
    return names


def last_event_id(environ: Mapping[str, Any]) -> str:
    """The position of the client of a request; ``""`` for a new client.

    An EventSource that reconnects sends the field; its URL is the same as at first.

    Args:
        environ: The environment of the request, or its ASGI scope.
    """
    if "asgi" in environ:
        field = dict(environ["headers"]).get(b"last-event-id", b"").decode("latin-1")
        query = environ["query_string"].decode("latin-1")
    else:
        field, query = environ.get("HTTP_LAST_EVENT_ID"), environ.get("QUERY_STRING", "")
    if field:
        return str(field)
    values = parse_qs(query).get("lastEventId")
    return values[-1] if values else ""


def stream_of(token: str) -> EventStream | None:
    """The stream that a field ``Httpuv-Events`` names."""
    return _streams.get(token)


class Fed(Protocol):
    """The part of an answer that this module uses."""

    def end(self) -> None: ...


@checked_class
class EventStream:
    """A stream of server-sent events to one client::

        def call(req):
            events = httpuv.EventStream()
            subscribers.add(events)
            return events.response()

        for events in list(subscribers):  # on any thread
            if not events.send("news"):
                subscribers.discard(events)

    Or a stream of topics, for any number of clients. The I/O thread sends what ``server.publish()``
    is given, without Python. A client that reconnects, as browsers do by themselves, first gets
    what it missed. If the topics' histories do not reach back to its position, it gets an event
    ``reset`` and has to start again. The data of that event are the topics, as JSON::

        news = httpuv.EventStream(topics=["news"])
        app = lambda req: news
        server = httpuv.startServer(host, port, app, topics={"news": httpuv.Topic(history=200)})
        server.publish("news", "It rains.")

    The ids of its events contain the position in each topic. A client names its position by
    ``Last-Event-ID``, or at its first connection by ``?lastEventId=...`` in the URL. Text is sent
    as it is, bytes as base64.

    In an ASGI or WSGI application: an empty answer with status 200 and :attr:`headers`, such as
    ``Response(headers=news.headers)``; or the stream itself, which is an application of either
    interface: ``app.mount("/events", news)``, or what a view of Flask returns.

    Args:
        keepalive: Seconds of silence after which a comment is sent, so that proxies keep the
            connection. The I/O thread sends it, whatever Python is doing.
        topics: The topics of the stream. None: the events come from :meth:`send`.
        history: Whether a new client first gets the histories of the topics.
        retry: Seconds after which a disconnected client reconnects; None: the client decides.

    Raises:
        TypeError, ValueError: An argument is wrong; the message names it.
    """

    def __init__(
        self,
        keepalive: float = 15.0,
        *,
        topics: Sequence[str] | None = None,
        history: bool = False,
        retry: float | None = None,
    ) -> None:
        self.topics = _check_topics(topics)
        if not isinstance(history, bool):
            raise TypeError(f"history must be bool, not {type(history).__name__}")
        self.history = history
        self._token = secrets.token_urlsafe(16)
        if self.topics:
            _streams[self._token] = self
        self.retry = None if retry is None else check_seconds("retry", retry, zero=True)
        if not self.topics and (history or retry is not None):
            raise ValueError("history and retry are for streams that have topics")
        self._fed: set[Fed] = set()  # guarded by _lock
        #: Seconds of silence, and the comment that is sent then.
        self.filler = (check_seconds("keepalive", keepalive), b":\n\n")
        self._lock = fork.lock()
        self._waiting: deque[bytes] = deque()  # guarded by _lock, like the members below
        self._bytes = 0
        self._closed = False
        self._wake: asyncio.Future[None] | None = None

    def send(
        self, data: str, event: str | None = None, id: str | None = None, retry: int | None = None
    ) -> bool:
        """Send an event; see :func:`format_event`. May be called on any thread.

        Returns:
            False if the event will not arrive: the stream was closed, the client has gone, or the
            client reads too slowly, which closes the stream.

        Raises:
            RuntimeError: It is a stream of topics.
        """
        if self.topics:
            raise RuntimeError("topics feed this stream: publish to one of them")
        piece = format_event(data, event, id, retry).encode()
        with self._lock:
            if self._closed:
                return False
            if self._bytes and self._bytes + len(piece) > _MAX_WAITING:
                self._closed = True
            else:
                self._waiting.append(piece)
                self._bytes += len(piece)
            self._resolve()
            return not self._closed

    def close(self) -> None:
        """End the stream after the events that were sent. Its clients will reconnect."""
        with self._lock:
            self._closed = True
            self._resolve()
            fed = list(self._fed)
        for each in fed:
            each.end()

    def begin(self, answer: Fed) -> None:
        """Register an answer with topics, so that :meth:`close` ends it."""
        with self._lock:
            self._fed.add(answer)
            closed = self._closed
        if closed:
            answer.end()

    def left(self, answer: Fed) -> None:
        """An answer has ended, or its client has gone."""
        if not self.topics:
            return self.close()
        with self._lock:
            self._fed.discard(answer)

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent."""
        return self._closed

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """What ``call`` returns."""
        fields = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        fields.update(headers or {})
        return {"status": 200, "headers": fields, "body": self}

    @property
    def headers(self) -> dict[str, str]:
        """The fields of an empty answer that topics are to feed, for ASGI and WSGI applications.

        The field ``Httpuv-Events`` is for the server: no client gets it.

        Raises:
            RuntimeError: No topics feed the stream.
        """
        if not self.topics:
            raise RuntimeError("headers are for streams that have topics")
        return {
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-cache",
            _FIELD: self._token,
        }

    def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[..., Any],
        send: Callable[[dict[str, Any]], Any] | None = None,
    ) -> Any:
        """The stream as an ASGI application, or with two arguments a WSGI application.

        Raises:
            RuntimeError: No topics feed the stream, or the server is not httpuv's.
        """
        if send is not None:
            return self._asgi(scope, send)
        headers = self.headers
        if not str(scope.get("SERVER_SOFTWARE", "")).startswith("httpuv/"):
            raise RuntimeError(_ELSEWHERE)
        receive("200 OK", list(headers.items()))
        return []

    def _asgi(
        self, scope: dict[str, Any], send: Callable[[dict[str, Any]], Any]
    ) -> Coroutine[Any, Any, None]:
        headers = [(name.lower().encode(), each.encode()) for name, each in self.headers.items()]

        async def answer() -> None:
            if scope["type"] != "http":
                raise RuntimeError(f"an EventStream does not answer {scope['type']!r}")
            if "httpuv.events" not in scope.get("extensions", {}):
                raise RuntimeError(_ELSEWHERE)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

        return answer()

    def _resolve(self) -> None:
        future, self._wake = self._wake, None
        if future is None:
            return
        tasks.resolve_soon(future)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        try:
            while True:
                with self._lock:
                    piece = b"".join(self._waiting)
                    self._waiting.clear()
                    self._bytes = 0
                    closed = self._closed
                    if not piece and not closed:
                        self._wake = future = loop.create_future()
                if piece:
                    yield piece
                elif closed:
                    return
                else:
                    await future
        finally:
            self.close()
