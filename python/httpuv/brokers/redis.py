"""A broker on Redis, for topics of many processes and machines."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from ..base import fork, log
from ..base.checks import check_seconds
from .protocol import Delivery, Health, Keep, Receive, Standing, Unavailable
from .redis_scripts import HISTORY, PUBLISH

#: Milliseconds for which Redis remembers a topic without new messages, at least.
_REMEMBER = 24 * 3600 * 1000
#: Seconds between two messages to itself, and seconds without one until the listener is replaced.
_BEAT = 1.0
_DEAF = 5.0
#: Seconds between two attempts to listen.
_RETRY = 0.5


class Redis:
    """Topics in Redis 6.2 or later (``pip install httpuv[redis]``). See :class:`httpuv.Broker`.

    Offsets, epochs and histories live in Redis. One script gives a message its offset, stores it
    and sends it. The process has one connection that listens, with one subscription per topic,
    however many clients the topic has. The process sends itself a message each second. A listener
    that gets none is replaced within seconds, and missed messages are read from the history.

    Args:
        url: A URL for redis-py: ``redis://host:6379/0``, ``rediss://``, ``unix://``.
        prefix: The prefix of the names of all keys and channels.
        shard: Whether to use sharded channels (Redis 7). In a cluster a message then goes only to
            the nodes of its topic's slot.
        away: What ``server.publish()`` does while Redis is away; see :class:`httpuv.Broker`.
        timeout: Seconds that Redis may take to answer.

    Raises:
        ImportError: redis-py is missing.
        TypeError, ValueError: An argument is wrong; the message names it.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "httpuv:",
        shard: bool = False,
        away: str = "refuse",
        timeout: float = 2.0,
    ) -> None:
        try:
            import redis
            import redis.backoff
            import redis.retry
        except ImportError as error:
            raise ImportError("httpuv.brokers.Redis needs redis-py: httpuv[redis]") from error
        if away not in ("refuse", "local"):
            raise ValueError(f"away must be 'refuse' or 'local', not {away!r}")
        for name, value in (("url", url), ("prefix", prefix)):
            if not isinstance(value, str):
                raise TypeError(f"{name} must be str, not {type(value).__name__}")
        self.away = away
        self._prefix = prefix
        self._shard = shard
        self._errors = redis.exceptions
        timeout = check_seconds("timeout", timeout)
        self._timeout = timeout
        # No automatic retry: a message might be published twice.
        self._client: Any = redis.Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),
        )
        self._publish = self._client.register_script(PUBLISH)
        self._history = self._client.register_script(HISTORY)
        self._beat = f"{prefix}beat:{secrets.token_hex(8)}"
        self._lock = fork.lock()  # guards all members below
        self._servers: dict[object, tuple[Receive, Callable[[], None]]] = {}
        self._topics: dict[str, set[object]] = {}
        self._confirmed: dict[str, threading.Event] = {}
        self._listening: Any = None  # a PubSub, or None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._renewed = 0
        self._trouble = "not connected yet"

    # --- names ---

    def _keys(self, topic: str) -> list[str]:
        # Redis hashes the part in braces; a brace in the topic must not end that part.
        tag = f"{self._prefix}{{{topic.replace('%', '%25').replace('}', '%7D')}}}"
        return [f"{tag}:at", f"{tag}:log"]

    def _channel(self, topic: str) -> str:
        return f"{self._keys(topic)[0][:-3]}:live"

    # --- called by servers ---

    def start(self, receive: Receive, renew: Callable[[], None]) -> object:
        """See :meth:`httpuv.Broker.start`."""
        token = object()
        with self._lock:
            self._servers[token] = receive, renew
            if self._thread is None:
                self._ended.clear()
                self._thread = threading.Thread(
                    target=self._listen, name="httpuv redis", daemon=True
                )
                self._thread.start()
        return token

    def _ask(self, script: Any, topic: str, *arguments: object) -> Any:
        try:
            return script(keys=self._keys(topic), args=arguments)
        except self._errors.TimeoutError as error:
            raise Unavailable(f"Redis does not answer: {error}", maybe=True) from None
        except self._errors.ConnectionError as error:
            sent = not isinstance(error.__cause__ or error.__context__, ConnectionRefusedError)
            refused = "refused" in str(error) or "No such file" in str(error)
            raise Unavailable(f"Redis is away: {error}", maybe=sent and not refused) from None
        except self._errors.RedisError as error:
            raise Unavailable(f"Redis refuses: {error}") from None

    def publish(self, topic: str, data: str | bytes, event: str, keep: Keep) -> tuple[str, int]:
        """See :meth:`httpuv.Broker.publish`."""
        ttl = int(keep.ttl * 1000)
        epoch, offset = self._ask(
            self._publish,
            topic,
            secrets.token_urlsafe(8),
            keep.history,
            keep.max_bytes,
            ttl,
            max(_REMEMBER, 2 * ttl),
            self._channel(topic),
            "SPUBLISH" if self._shard else "PUBLISH",
            "b" if isinstance(data, bytes) else "t",
            event,
            data,
        )
        return epoch.decode(), int(offset)

    def history(self, topic: str, since: tuple[str, int] | None) -> Standing:
        """See :meth:`httpuv.Broker.history`."""
        known, offset = since or ("", 0)
        epoch, last, entries = self._ask(
            self._history, topic, secrets.token_urlsafe(8), _REMEMBER, known, offset
        )
        messages = []
        for name, fields in entries:
            field = dict(zip(fields[::2], fields[1::2], strict=True))
            number = int(name.partition(b"-")[0])
            messages.append(_delivery(number, field[b"k"], field[b"v"], field[b"d"]))
        return Standing(epoch.decode(), int(last), messages)

    def subscribe(self, token: object, topic: str) -> None:
        """See :meth:`httpuv.Broker.subscribe`."""
        channel = self._channel(topic)
        with self._lock:
            self._topics.setdefault(topic, set()).add(token)
            confirmed = self._confirmed.get(channel)
            if confirmed is None:
                confirmed = self._confirmed[channel] = threading.Event()
                self._say(channel, True)
        if not confirmed.wait(self._timeout):
            raise Unavailable("Redis has not confirmed a subscription")

    def unsubscribe(self, token: object, topic: str) -> None:
        """See :meth:`httpuv.Broker.unsubscribe`."""
        with self._lock:
            tokens = self._topics.get(topic, set())
            tokens.discard(token)
            if not tokens and self._topics.pop(topic, None) is not None:
                channel = self._channel(topic)
                self._confirmed.pop(channel, None)
                self._say(channel, False)

    def health(self) -> Health:
        """See :meth:`httpuv.Broker.health`."""
        with self._lock:
            return Health(not self._trouble, self._trouble, 0, max(0, self._renewed - 1))

    def close(self, token: object) -> None:
        """See :meth:`httpuv.Broker.close`."""
        for topic in [name for name, tokens in list(self._topics.items()) if token in tokens]:
            self.unsubscribe(token, topic)
        with self._lock:
            self._servers.pop(token, None)
            thread = None
            if not self._servers:
                self._ended.set()
                thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(2 * self._timeout + _BEAT)

    # --- the listener's thread ---

    def _say(self, channel: str, wanted: bool) -> None:
        """Subscribe or unsubscribe, with _lock held. On failure the listener is replaced."""
        listening = self._listening
        if listening is None:
            return
        try:
            if self._shard:
                (listening.ssubscribe if wanted else listening.sunsubscribe)(channel)
            else:
                (listening.subscribe if wanted else listening.unsubscribe)(channel)
        except (self._errors.RedisError, OSError) as error:
            self._trouble = f"the listener has failed: {error}"
            self._listening = None

    def _listen(self) -> None:
        while not self._ended.is_set():
            pubsub = self._client.pubsub()
            try:
                self._begin(pubsub)
                self._hear(pubsub)
            except (self._errors.RedisError, OSError, ValueError) as error:
                self._fail(str(error) or type(error).__name__)
            finally:
                with self._lock:
                    self._listening = None
                    for confirmed in self._confirmed.values():
                        confirmed.clear()
                pubsub.close()
            self._ended.wait(_RETRY)
        self._client.close()

    def _fail(self, text: str) -> None:
        with self._lock:
            news = not self._trouble
            self._trouble = text
        if news:
            log.write(logging.WARNING, "broker: Redis is away: %s", text)

    def _begin(self, pubsub: Any) -> None:
        pubsub.subscribe(self._beat)
        with self._lock:
            self._listening = pubsub
            channels = list(self._confirmed)
            if channels and self._shard:
                pubsub.ssubscribe(*channels)
            elif channels:
                pubsub.subscribe(*channels)

    def _hear(self, pubsub: Any) -> None:
        heard = sent = time.monotonic()
        confirmed = False
        while not self._ended.is_set():
            with self._lock:
                if self._listening is not pubsub:
                    return
            message = pubsub.get_message(timeout=_BEAT / 4)
            now = time.monotonic()
            if message is not None:
                kind, channel = message["type"], message["channel"].decode()
                if channel == self._beat:
                    heard = now
                    if kind == "subscribe" and confirmed:
                        raise self._errors.ConnectionError("the connection was lost")
                    if not confirmed:
                        confirmed = True
                        self._is_listening()
                elif kind in ("message", "smessage"):
                    self._received(channel, message["data"])
                elif kind in ("subscribe", "ssubscribe"):
                    with self._lock:
                        event = self._confirmed.get(channel)
                    if event is not None:
                        event.set()
            if now - sent >= _BEAT:
                sent = now
                self._client.publish(self._beat, b"")
            if now - heard > _DEAF:
                raise self._errors.ConnectionError("the listener has gone deaf")

    def _is_listening(self) -> None:
        with self._lock:
            self._trouble = ""
            self._renewed += 1
            renews = [renew for _, renew in self._servers.values()] if self._renewed > 1 else []
        for renew in renews:
            renew()

    def _received(self, channel: str, payload: bytes) -> None:
        epoch, offset, kind, size, rest = payload.split(b" ", 4)
        event, data = rest[: int(size)], rest[int(size) :]
        message = _delivery(int(offset), kind, event, data)
        with self._lock:
            receivers = [
                (topic, self._servers[token][0])
                for topic in self._named(channel)
                for token in self._topics.get(topic, ())
                if token in self._servers
            ]
        for topic, receive in receivers:
            receive(topic, epoch.decode(), message)

    def _named(self, channel: str) -> list[str]:
        tag = channel[len(self._prefix) + 1 : -len("}:live")]
        return [tag.replace("%7D", "}").replace("%25", "%")]


def _delivery(offset: int, kind: bytes, event: bytes, data: bytes) -> Delivery:
    return Delivery(offset, data.decode() if kind == b"t" else data, event.decode())
