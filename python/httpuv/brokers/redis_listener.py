"""A connection to Redis that listens, with its own thread."""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any, Protocol

from ..base import fork
from .redis_servers import Servers
from .trouble import Trouble

#: Seconds between two messages to itself, and seconds without one until it is replaced.
_BEAT = 1.0
_DEAF = 5.0
#: Seconds between two attempts to listen.
RETRY = 0.5


class Owner(Protocol):
    """The methods that a listener calls, on its thread."""

    def received(self, channel: str, payload: bytes) -> None: ...
    def listening(self) -> None: ...
    def misplaced(self) -> None: ...
    def beat(self) -> None: ...


class Listener:
    """Listens to channels of one node. A connection that fails or gets nothing is replaced.

    It sends itself a message each second. Without that, a dead connection looks like a connection
    on which nothing is published.

    Args:
        servers: The connections to Redis.
        node: The name of a node; ``""``: any node.
        prefix: The prefix of the names of channels.
        shard: Whether channels are sharded.
        owner: Gets the messages, and is told when listening begins, and when the node or the node
            of a channel may have changed.
    """

    def __init__(self, servers: Servers, node: str, prefix: str, shard: bool, owner: Owner) -> None:
        self.node = node
        self._servers = servers
        self._shard = shard
        self._owner = owner
        self._own = f"{prefix}beat:{secrets.token_hex(8)}"
        self._errors = servers.errors
        self._lock = fork.lock()  # guards the members below
        self._channels: dict[str, threading.Event] = {}  # set: confirmed
        self._lost: set[str] = set()  # channels that Redis has ended, and not confirmed again
        self._listening: Any = None  # a PubSub, or None
        self._begun = 0
        self._trouble = Trouble()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="httpuv redis", daemon=True)
        self._thread.start()

    # --- any thread ---

    @property
    def trouble(self) -> str:
        """Why it does not listen; ``""`` if it does."""
        return self._trouble.text

    @property
    def renewed(self) -> int:
        """How often the connection was replaced."""
        return max(0, self._begun - 1)

    def add(self, channel: str) -> threading.Event:
        """Subscribe to a channel. The event is set while Redis has confirmed it."""
        with self._lock:
            confirmed = self._channels.get(channel)
            if confirmed is None:
                confirmed = self._channels[channel] = threading.Event()
                self._say(channel, True)
            return confirmed

    def drop(self, channel: str) -> None:
        """Unsubscribe from a channel."""
        with self._lock:
            if self._channels.pop(channel, None) is not None:
                self._say(channel, False)

    def end(self) -> None:
        """End the thread. Does not wait."""
        self._ended.set()

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread."""
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _say(self, channel: str, wanted: bool) -> None:
        """Subscribe or unsubscribe, with _lock held. On a failure _hear() ends."""
        listening = self._listening
        if listening is None:
            return
        try:
            if self._shard:
                (listening.ssubscribe if wanted else listening.sunsubscribe)(channel)
            else:
                (listening.subscribe if wanted else listening.unsubscribe)(channel)
        except self._servers.failures:
            self._listening = None

    # --- its thread ---

    def _run(self) -> None:
        while not self._ended.is_set():
            pubsub: Any = None
            try:
                client = self._servers.connection(self.node)
                pubsub = client.pubsub()
                self._begin(pubsub)
                self._hear(client, pubsub)
            except (*self._servers.failures, ValueError) as error:
                self._trouble.begin(str(error) or type(error).__name__)
            finally:
                with self._lock:
                    self._listening = None
                    self._lost.clear()
                    for confirmed in self._channels.values():
                        confirmed.clear()
                if pubsub is not None:
                    pubsub.close()
            if not self._ended.wait(RETRY):
                self._owner.misplaced()

    def _begin(self, pubsub: Any) -> None:
        pubsub.subscribe(self._own)
        with self._lock:
            self._listening = pubsub
            channels = list(self._channels)
            if channels and self._shard:
                for each in channels:  # one command must name one slot only
                    pubsub.ssubscribe(each)
            elif channels:
                pubsub.subscribe(*channels)

    def _hear(self, client: Any, pubsub: Any) -> None:
        heard = sent = time.monotonic()
        confirmed = False
        while not self._ended.is_set():
            with self._lock:
                if self._listening is not pubsub:
                    raise self._errors.ConnectionError("a subscription could not be sent")
            try:
                message = pubsub.get_message(timeout=_BEAT / 4)
            except self._errors.MovedError:
                self._owner.misplaced()  # a channel, which stays unconfirmed
                continue
            now = time.monotonic()
            if message is not None:
                kind, channel = message["type"], message["channel"].decode()
                if channel == self._own:
                    heard = now
                    if kind == "subscribe" and confirmed:
                        raise self._errors.ConnectionError("the connection was lost")
                    if not confirmed:
                        confirmed = True
                        self._is_listening()
                elif kind in ("message", "smessage"):
                    self._owner.received(channel, message["data"])
                else:
                    self._is_confirmed(channel, kind in ("subscribe", "ssubscribe"))
            if now - sent >= _BEAT:
                sent = now
                client.publish(self._own, b"")
                self._say_again()
                self._owner.beat()
            if now - heard > _DEAF:
                raise self._errors.ConnectionError("the listener has gone deaf")

    def _is_listening(self) -> None:
        self._trouble.end()
        with self._lock:
            self._begun += 1
        self._owner.listening()

    def _is_confirmed(self, channel: str, there: bool) -> None:
        with self._lock:
            event = self._channels.get(channel)
            if event is None:
                self._lost.discard(channel)
                return  # it was dropped meanwhile
            ended = not there and event.is_set()
            missed = there and channel in self._lost
            if there:
                event.set()
                self._lost.discard(channel)
            elif ended:  # not requested: its slot has moved to another node, and may come back
                event.clear()
                self._lost.add(channel)
        if missed:
            self._owner.listening()
        elif ended:
            self._owner.misplaced()

    def _say_again(self) -> None:
        with self._lock:
            for channel, confirmed in self._channels.items():
                if not confirmed.is_set():
                    self._say(channel, True)
