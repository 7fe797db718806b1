"""A broker on Redis, for topics of many processes and machines."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import Any

from ..base import fork
from ..base.checks import check_seconds
from ..base.names import checked_class
from .protocol import Delivery, Health, Keep, Receive, Standing, Unavailable
from .redis_listener import RETRY, Listener
from .redis_servers import Scripts, Servers
from .trouble import Trouble

#: Milliseconds for which Redis remembers a topic without new messages, at least.
_REMEMBER = 24 * 3600 * 1000


@checked_class
class Redis:
    """Topics in Redis 6.2 or later (``pip install httpuv[redis]``). See :class:`httpuv.Broker`.

    Offsets, epochs and histories live in Redis. One script gives a message its offset, stores it
    and sends it. The process has one connection that listens, with one subscription per topic,
    however many clients the topic has. The process sends itself a message each second. A listener
    that gets none is replaced within seconds, and missed messages are read from the history.

    The broker finds out by itself whether the server is part of a cluster. In a cluster the topics
    are spread over the nodes.

    Args:
        url: A URL for redis-py: ``redis://host:6379/0``, ``rediss://``, ``unix://``. For a cluster
            the URL of any node.
        prefix: The prefix of the names of all keys and channels.
        shard: Whether to use sharded channels (Redis 7). In a cluster a message then goes only to
            the nodes of its topic's slot, and the process has a connection to each primary node.
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
        if away not in ("refuse", "local"):
            raise ValueError(f"away must be 'refuse' or 'local', not {away!r}")
        for name, value in (("url", url), ("prefix", prefix)):
            if not isinstance(value, str):
                raise TypeError(f"{name} must be str, not {type(value).__name__}")
        if not isinstance(shard, bool):
            raise TypeError(f"shard must be bool, not {type(shard).__name__}")
        self.away = away
        self._prefix = prefix
        self._shard = shard
        self._timeout = check_seconds("timeout", timeout)
        self._reach = Servers(url, shard, self._timeout)
        self._errors = self._reach.errors
        self._lock = fork.lock()  # guards all members below
        self._servers: dict[object, tuple[Receive, Callable[[], None]]] = {}
        self._topics: dict[str, set[object]] = {}
        self._listeners: dict[str, Listener] = {}  # by node name
        self._places: dict[str, Listener] = {}  # the listener of each channel
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._changed = threading.Event()  # nodes or slots may have changed
        self._trouble = Trouble()
        self._refused: tuple[str, str] | None = None  # a topic, and the error of Redis

    # --- names ---

    def _keys(self, topic: str) -> list[str]:
        # Redis hashes the part in braces; a brace in the topic must not end that part, and it must
        # not be empty.
        name = topic.replace("%", "%25").replace("}", "%7D") or "%"
        tag = f"{self._prefix}{{{name}}}"
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
                self._ended = threading.Event()
                self._thread = threading.Thread(
                    target=self._manage, args=(self._ended,), name="httpuv redis", daemon=True
                )
                self._thread.start()
        return token

    def _ask(self, which: Callable[[Scripts], Any], topic: str, *arguments: object) -> Any:
        try:
            return which(self._reach.scripts())(keys=self._keys(topic), args=arguments)
        except self._errors.TimeoutError as error:
            raise Unavailable(f"Redis does not answer: {error}", maybe=True) from None
        except self._errors.ConnectionError as error:
            sent = not isinstance(error.__cause__ or error.__context__, ConnectionRefusedError)
            refused = "refused" in str(error) or "No such file" in str(error)
            raise Unavailable(f"Redis is away: {error}", maybe=sent and not refused) from None
        except self._errors.RedisClusterException as error:  # no node is known or reachable
            raise Unavailable(f"Redis is away: {error}") from None
        except self._errors.RedisError as error:
            self._is_refused(topic, error)
            raise Unavailable(f"Redis refuses: {error}") from None

    def publish(self, topic: str, data: str | bytes, event: str, keep: Keep) -> tuple[str, int]:
        """See :meth:`httpuv.Broker.publish`."""
        ttl = int(keep.ttl * 1000)
        epoch, offset = self._ask(
            lambda scripts: scripts.publish,
            topic,
            *(secrets.token_urlsafe(8), keep.history, keep.max_bytes, ttl),
            *(max(_REMEMBER, 2 * ttl), self._channel(topic)),
            *("SPUBLISH" if self._shard else "PUBLISH", "b" if isinstance(data, bytes) else "t"),
            *(event, data),
        )
        return epoch.decode(), int(offset)

    def history(self, topic: str, since: tuple[str, int] | None) -> Standing:
        """See :meth:`httpuv.Broker.history`."""
        known, offset = since or ("", 0)
        epoch, last, entries = self._ask(
            lambda scripts: scripts.history,
            topic,
            *(secrets.token_urlsafe(8), _REMEMBER, known, offset),
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
        try:
            node = self._reach.node_of(channel)
        except self._reach.failures as error:
            raise Unavailable(f"Redis is away: {error}") from None
        with self._lock:
            listener = self._places.get(channel) or self._listeners.get(node)
            if listener is None:
                self._changed.set()
                raise Unavailable("Redis is not listened to yet")
            self._topics.setdefault(topic, set()).add(token)
            self._places[channel] = listener
            confirmed = listener.add(channel)
        if not confirmed.wait(self._timeout):
            raise Unavailable("Redis has not confirmed a subscription")

    def unsubscribe(self, token: object, topic: str) -> None:
        """See :meth:`httpuv.Broker.unsubscribe`."""
        channel = self._channel(topic)
        with self._lock:
            tokens = self._topics.get(topic, set())
            tokens.discard(token)
            if not tokens and self._topics.pop(topic, None) is not None:
                self._places.pop(channel).drop(channel)

    def health(self) -> Health:
        """See :meth:`httpuv.Broker.health`."""
        with self._lock:
            listeners = list(self._listeners.values())
            troubles = [self._trouble.text, *(each.trouble for each in listeners)]
            if self._refused is not None:
                troubles.append(f"Redis refuses: {self._refused[1]}")
        trouble = next(filter(None, troubles), "")
        return Health(not trouble, trouble, 0, sum(each.renewed for each in listeners))

    def close(self, token: object) -> None:
        """See :meth:`httpuv.Broker.close`."""
        for topic in [name for name, tokens in list(self._topics.items()) if token in tokens]:
            self.unsubscribe(token, topic)
        with self._lock:
            self._servers.pop(token, None)
            if self._servers or self._thread is None:
                return
            self._ended.set()
            self._changed.set()
            thread, self._thread = self._thread, None
        if thread is not threading.current_thread():
            thread.join(2 * self._timeout + 1.0)

    # --- a full Redis, or a read-only replica ---

    def _is_refused(self, topic: str, error: Exception) -> None:
        errors = self._errors
        if isinstance(error, (errors.OutOfMemoryError, errors.ReadOnlyError)):
            with self._lock:
                self._refused = topic, str(error)

    def beat(self) -> None:
        """Check whether Redis accepts writes again. A listener calls this each second."""
        refused = self._refused
        if refused is None:
            return
        try:
            self._reach.scripts().client.set(f"{self._keys(refused[0])[0]}:try", b"", px=1000)
        except self._reach.failures:
            return  # it still refuses
        with self._lock:
            self._refused = None
        self._renew()

    # --- the thread that assigns channels to listeners ---

    def _manage(self, ended: threading.Event) -> None:
        while not ended.is_set():
            self._changed.clear()
            try:
                self._place(self._reach.nodes())
            except self._reach.failures as error:
                self._trouble.begin(str(error) or type(error).__name__)
                ended.wait(RETRY)
            else:
                self._changed.wait()
                ended.wait(0.05)  # several slots often move together
        with self._lock:
            if self._ended is not ended:
                return  # start() was called again; the new thread owns the listeners
            listeners = list(self._listeners.values())
            self._listeners.clear()
            self._places.clear()
            self._topics.clear()
            self._trouble = Trouble("closed")
        for each in listeners:
            each.end()
        for each in listeners:
            each.join(self._timeout + 1.0)
        self._reach.close()

    def _place(self, nodes: list[str]) -> None:
        """Have one listener per node, and each channel at the listener of its node."""
        moved = False
        with self._lock:
            for node in nodes:
                if node not in self._listeners:
                    self._listeners[node] = Listener(
                        self._reach, node, self._prefix, self._shard, self
                    )
            gone = [self._listeners.pop(node) for node in {*self._listeners} - {*nodes}]
            for channel, listener in list(self._places.items()):
                place = self._listeners.get(self._reach.node_of(channel))
                if place is None or place is listener:
                    continue
                listener.drop(channel)
                place.add(channel)
                self._places[channel] = place
                moved = True
            self._trouble.end()
        for each in gone:
            each.end()
        if moved:
            self._renew()

    # --- listeners' threads ---

    def listening(self) -> None:
        """A listener begins to listen, or listens to a channel again: messages may be missing."""
        self._renew()

    def misplaced(self) -> None:
        """A node may have gone, or a channel may belong to another node."""
        self._changed.set()

    def _renew(self) -> None:
        with self._lock:
            renews = [renew for _, renew in self._servers.values()]
        for renew in renews:
            renew()

    def received(self, channel: str, payload: bytes) -> None:
        """A message has come."""
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
        return ["" if tag == "%" else tag.replace("%7D", "}").replace("%25", "%")]


def _delivery(offset: int, kind: bytes, event: bytes, data: bytes) -> Delivery:
    return Delivery(offset, data.decode() if kind == b"t" else data, event.decode())
