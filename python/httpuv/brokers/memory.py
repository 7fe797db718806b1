"""A broker for the servers of one process."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import deque
from collections.abc import Callable

from ..base import fork
from .protocol import Delivery, Health, Keep, Receive, Standing

#: Topics beyond which the oldest without subscribers are forgotten, and how many are looked at.
_MOST_TOPICS = 100_000
_LOOKED_AT = 100
#: Bytes that a message takes besides its data.
_OVERHEAD = 200


class _Topic:
    def __init__(self) -> None:
        self.epoch = secrets.token_urlsafe(8)
        self.offset = 0
        self.kept: deque[tuple[float, Delivery]] = deque()  # with the time at which it expires
        self.bytes = 0
        self.subscribers: dict[object, Receive] = {}

    def expire(self, now: float) -> None:
        while self.kept and self.kept[0][0] <= now:
            self.drop()

    def drop(self) -> None:
        self.bytes -= len(self.kept.popleft()[1].data) + _OVERHEAD


class Memory:
    """Topics in the memory of this process.

    Servers that are started with the same object share their topics. Without a broker each server
    has topics of its own, which cost less. See :class:`httpuv.Broker` for the methods.
    """

    away = "refuse"  # it never is

    def __init__(self) -> None:
        self._lock = fork.lock()
        self._topics: dict[str, _Topic] = {}
        self._receivers: dict[object, Receive] = {}

    def start(self, receive: Receive, renew: Callable[[], None]) -> object:
        """See :meth:`httpuv.Broker.start`."""
        token = object()
        with self._lock:
            self._receivers[token] = receive
        return token

    def publish(self, topic: str, data: str | bytes, event: str, keep: Keep) -> tuple[str, int]:
        """See :meth:`httpuv.Broker.publish`."""
        with self._lock:
            found = self._topics.get(topic)
            if found is None:
                found = _Topic()
                if keep.history:
                    self._make_room()
                    self._topics[topic] = found
            found.offset += 1
            message = Delivery(found.offset, data, event)
            now = time.monotonic()
            found.expire(now)
            found.kept.append((now + keep.ttl, message))
            found.bytes += len(data) + _OVERHEAD
            while found.kept and (len(found.kept) > keep.history or found.bytes > keep.max_bytes):
                found.drop()
            # Inside the lock, so that messages arrive in the order of their offsets.
            for receive in found.subscribers.values():
                receive(topic, found.epoch, message)
            return found.epoch, found.offset

    def subscribe(self, token: object, topic: str) -> None:
        """See :meth:`httpuv.Broker.subscribe`."""
        with self._lock:
            found = self._have(topic)
            found.subscribers[token] = self._receivers[token]

    def unsubscribe(self, token: object, topic: str) -> None:
        """See :meth:`httpuv.Broker.unsubscribe`."""
        with self._lock:
            found = self._topics.get(topic)
            if found is not None:
                found.subscribers.pop(token, None)
                found.expire(time.monotonic())
                if not found.subscribers and not found.kept:
                    del self._topics[topic]

    def history(self, topic: str, since: tuple[str, int] | None) -> Standing:
        """See :meth:`httpuv.Broker.history`."""
        with self._lock:
            found = self._have(topic)
            found.expire(time.monotonic())
            first = since[1] if since is not None and since[0] == found.epoch else 0
            messages = [each for _, each in found.kept if each.offset > first]
            return Standing(found.epoch, found.offset, messages)

    def _have(self, topic: str) -> _Topic:
        found = self._topics.get(topic)
        if found is None:
            self._make_room()
            found = self._topics[topic] = _Topic()
        return found

    def _make_room(self) -> None:
        """Forget old topics without subscribers, so that publishers cannot fill the memory."""
        if len(self._topics) < _MOST_TOPICS:
            return
        for name in list(itertools.islice(self._topics, _LOOKED_AT)):
            found = self._topics.pop(name)
            if found.subscribers:
                self._topics[name] = found  # looked at again after all others
            elif len(self._topics) < _MOST_TOPICS:
                return

    def health(self) -> Health:
        """See :meth:`httpuv.Broker.health`."""
        return Health(True)

    def close(self, token: object) -> None:
        """See :meth:`httpuv.Broker.close`."""
        with self._lock:
            self._receivers.pop(token, None)
            for found in self._topics.values():
                found.subscribers.pop(token, None)
