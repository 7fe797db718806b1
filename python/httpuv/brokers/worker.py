"""A worker's side of the topics that the workers of ``httpuv run`` share."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from typing import Any

from ..base import fork
from . import frames
from .protocol import Delivery, Health, Keep, Receive, Standing, Unavailable

#: Seconds to wait for an answer, and between two attempts to connect.
_PATIENCE = 3.0
_RETRY = 0.1

_Answer = tuple[dict[str, Any], bytes]


class Worker:
    """A broker for one server; the topics are in the process that started this one.

    Args:
        path: The path of the hub's socket.
    """

    away = "refuse"

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = fork.lock()  # guards the members below, and sending
        self._connection: socket.socket | None = None
        self._waiting: dict[int, Future[_Answer]] = {}
        self._topics: set[str] = set()
        self._numbers = itertools.count(1)
        self._ended = threading.Event()
        self._connections = 0
        self._receive: Receive | None = None
        self._renew: Callable[[], None] | None = None

    def start(self, receive: Receive, renew: Callable[[], None]) -> object:
        """See :meth:`httpuv.Broker.start`."""
        self._receive, self._renew = receive, renew
        # At once, since the process that started this one listens: or the server would begin its
        # life with the broker away.
        connection = self._connect()
        threading.Thread(
            target=self._run, args=(connection,), name="httpuv topics", daemon=True
        ).start()
        return self

    def publish(self, topic: str, data: str | bytes, event: str, keep: Keep) -> tuple[str, int]:
        """See :meth:`httpuv.Broker.publish`."""
        heads, body = frames.packed([Delivery(0, data, event)])
        head, _ = self._ask(
            {"what": "publish", "topic": topic, "messages": heads, "keep": keep}, body
        )
        return head["at"][0], head["at"][1]

    def subscribe(self, token: object, topic: str) -> None:
        """See :meth:`httpuv.Broker.subscribe`."""
        self._ask({"what": "subscribe", "topic": topic})
        self._topics.add(topic)

    def unsubscribe(self, token: object, topic: str) -> None:
        """See :meth:`httpuv.Broker.unsubscribe`."""
        self._topics.discard(topic)
        with contextlib.suppress(Unavailable):
            self._ask({"what": "unsubscribe", "topic": topic})

    def history(self, topic: str, since: tuple[str, int] | None) -> Standing:
        """See :meth:`httpuv.Broker.history`."""
        head, data = self._ask({"what": "history", "topic": topic, "since": since})
        epoch, offset = head["at"]
        return Standing(epoch, offset, frames.unpacked(head["messages"], data))

    def health(self) -> Health:
        """See :meth:`httpuv.Broker.health`."""
        ok = self._connection is not None
        return Health(ok, "" if ok else "not connected", 0, max(0, self._connections - 1))

    def close(self, token: object) -> None:
        """See :meth:`httpuv.Broker.close`."""
        self._ended.set()
        with self._lock:
            if self._connection is not None:
                with contextlib.suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)

    def _ask(self, head: dict[str, Any], data: bytes = b"") -> _Answer:
        number = next(self._numbers)
        answer: Future[_Answer] = Future()
        with self._lock:
            if self._connection is None:
                raise Unavailable("the process that has the topics is away")
            self._waiting[number] = answer
            try:
                frames.send(self._connection, {**head, "id": number}, data)
            except OSError as error:
                self._waiting.pop(number, None)
                raise Unavailable(f"the process that has the topics is away: {error}") from None
        try:
            return answer.result(_PATIENCE)
        except Late:
            raise Unavailable(
                "no answer from the process that has the topics", maybe=True
            ) from None
        finally:
            with self._lock:
                self._waiting.pop(number, None)

    def _connect(self) -> socket.socket | None:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            return None
        with self._lock:
            if self._ended.is_set():
                connection.close()
                return None
            self._connection = connection
            self._connections += 1
        return connection

    def _run(self, connection: socket.socket | None) -> None:
        while True:
            if connection is not None:
                with connection:
                    self._serve(connection)
            if self._ended.wait(_RETRY):
                return
            connection = self._connect()

    def _serve(self, connection: socket.socket) -> None:
        """Receive until the connection ends."""
        if self._renew is not None:
            self._renew()  # the relay subscribes again
        with contextlib.suppress(OSError):
            while (frame := frames.receive(connection)) is not None:
                self._heard(*frame)
        with self._lock:
            self._connection = None
            waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.set_exception(Unavailable("the connection has ended", maybe=True))

    def _heard(self, head: dict[str, Any], data: bytes) -> None:
        if "id" in head:
            with self._lock:
                waiting = self._waiting.get(head["id"])
            if waiting is not None:
                waiting.set_result((head, data))
        elif self._receive is not None:
            for message in frames.unpacked(head["messages"], data):
                self._receive(head["topic"], head["epoch"], message)
