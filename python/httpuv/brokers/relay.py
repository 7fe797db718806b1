"""The relay between a broker and a server: loads topics, fills gaps, releases unused topics."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from ..base import fork, log
from .protocol import Broker, Delivery, Health, Keep, Published, Standing, Unavailable

#: Messages that may wait for the relay's thread. Further ones are read from the history.
_MOST = 10_000
#: Seconds between two checks for topics without subscribers and for failed loads.
_TICK = 1.0
#: Checks in a row without subscribers after which a topic is released.
_PATIENCE = 10


class Core(Protocol):
    """The part of a server that this module uses."""

    def publish(
        self,
        topic: str,
        message: str | bytes | bytearray | memoryview,
        compress: bool = True,
        binary: bool | None = None,
        event: str = "",
        offset: int | None = None,
    ) -> int: ...
    def load_topic(
        self,
        topic: str,
        epoch: str,
        offset: int,
        messages: list[tuple[int, str | bytes, bool, str]],
    ) -> None: ...
    def topic_needs(self) -> tuple[list[str], list[str], list[str]]: ...
    def release_topic(self, topic: str) -> bool: ...
    def set_broker(self, *, away: bool, ready: bool, dropped: int, renewed: int) -> None: ...


class Relay:
    """The relay of one server with a broker.

    Its thread asks the broker for missing messages. The broker's own thread publishes a message
    that is the next one of its topic, and hands others to the relay's thread. Of the server's
    threads only one that publishes waits for the network. A broker that raises other errors than
    Unavailable counts as one that is away: they are logged, and what failed is tried again.

    Args:
        core: The server.
        broker: The broker.
        keep: Returns how much of a topic is kept.
        needed: Whether the server is not ready for requests while the broker is away.
    """

    def __init__(
        self, core: Core, broker: Broker, keep: Callable[[str], Keep], needed: bool
    ) -> None:
        self._core = core
        self._broker = broker
        self._keep = keep
        self._needed = needed
        self._told = Health(True)  # the health that the core was told
        self._complaint = ""  # what health() has raised, and was logged
        self._at: dict[str, tuple[str, int]] = {}  # positions of the loaded topics
        self._unused: dict[str, int] = {}  # checks in a row without subscribers
        self._stale: set[str] = set()  # to load once the broker is reachable
        self._subscribed: set[str] = set()
        self._work: queue.Queue[Callable[[], None]] = queue.Queue(_MOST)
        self._lock = fork.lock()
        self._working: Any = fork.lock()  # guards _at; held while the state of a topic changes
        self._missed: set[str] = set()  # guarded by _lock
        self._dropped = 0  # guarded by _lock
        self._renewing = threading.Event()
        self._closing = threading.Event()
        self._token = broker.start(self._receive, self._renew)
        self._tell_health()
        self._thread = threading.Thread(target=self._run, name="httpuv broker", daemon=True)
        try:
            self._thread.start()
        except BaseException:
            broker.close(self._token)
            raise

    # --- any thread ---

    def want(self, topic: str) -> None:
        """Load a topic for a client; the I/O thread keeps the subscription until it is loaded."""
        if topic not in self._at:
            self._put(lambda: self._load(topic), topic)

    def publish(self, topic: str, data: str | bytes, event: str, compress: bool) -> Published:
        """Publish a message.

        Raises:
            Unavailable: The broker is away, and its ``away`` is not "local".
        """
        try:
            epoch, offset = self._broker.publish(topic, data, event, self._keep(topic))
        except Unavailable as error:
            # A message that may have been published would arrive twice.
            if self._broker.away != "local" or error.maybe:
                raise
            self._core.publish(topic, data, compress, None, event, 0)
            return Published(0, "", True)
        return Published(offset, epoch, False)

    def health(self) -> Health:
        """How the broker is doing."""
        try:
            ok, detail, dropped, renewed = self._broker.health()
            complaint = ""
        except Exception as error:
            complaint = f"health() raises {type(error).__name__}: {error}"
            ok, detail, dropped, renewed = False, complaint, 0, 0
        if complaint and complaint != self._complaint:
            log.write(logging.ERROR, "broker: %s", complaint)
        self._complaint = complaint
        with self._lock:
            return Health(ok, detail, dropped + self._dropped, renewed)

    def close(self) -> None:
        """The server has stopped."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._put(lambda: None, "")
        if self._thread is not threading.current_thread():
            self._thread.join(_TICK * 5)
        self._guarded(lambda: self._broker.close(self._token))

    # --- the broker's threads ---

    def _receive(self, topic: str, epoch: str, message: Delivery) -> None:
        # The relay's thread is idle most of the time. Then the change of threads is saved.
        if self._working.acquire(blocking=False):
            try:
                if self._work.empty() and self._goes_on(topic, epoch, message):
                    return
            except Exception as error:
                log.write(logging.ERROR, "broker: %s: %s", type(error).__name__, error)
            finally:
                self._working.release()
        self._put(lambda: self._deliver(topic, epoch, message), topic)

    def _goes_on(self, topic: str, epoch: str, message: Delivery) -> bool:
        """Publish a message if it is the next one of its topic; with _working held."""
        if self._at.get(topic) != (epoch, message.offset - 1):
            return False
        self._core.publish(topic, message.data, True, None, message.event, message.offset)
        self._at[topic] = (epoch, message.offset)
        return True

    def _renew(self) -> None:
        self._renewing.set()
        self._put(lambda: None, "")

    def _put(self, work: Callable[[], None], topic: str) -> None:
        try:
            self._work.put_nowait(work)
        except queue.Full:
            with self._lock:
                self._dropped += 1
                if topic:
                    self._missed.add(topic)

    @staticmethod
    def _guarded(work: Callable[[], None]) -> None:
        """Log what a step raises: the next one is done in any case."""
        try:
            work()
        except Exception as error:
            log.write(logging.ERROR, "broker: %s: %s", type(error).__name__, error)

    # --- the relay's thread ---

    def _run(self) -> None:
        looked = time.monotonic()
        while not self._closing.is_set():
            work = None
            with contextlib.suppress(queue.Empty):
                work = self._work.get(timeout=_TICK)
            with self._working:
                if work is not None:
                    self._guarded(work)
                self._guarded(self._make_good)
                if time.monotonic() - looked >= _TICK:
                    looked = time.monotonic()
                    self._guarded(self._look)

    def _make_good(self) -> None:
        """Load the topics that may have missed messages."""
        with self._lock:
            missed, self._missed = self._missed, set()
        if self._renewing.is_set():
            self._renewing.clear()
            missed |= self._subscribed | self._stale
        self._load_all(missed)

    def _tell_health(self) -> None:
        before, now = self._told, self.health()
        self._told = now
        self._core.set_broker(
            away=not now.ok,
            ready=not self._needed,
            dropped=max(0, now.dropped - before.dropped),
            renewed=max(0, now.renewed - before.renewed),
        )

    def _look(self) -> None:
        self._tell_health()
        unloaded, behind, unused = self._core.topic_needs()
        for topic in unloaded:
            self._at.pop(topic, None)  # some I/O thread has nothing of it: it needs the history
        self._load_all({*self._stale, *unloaded, *behind})
        counts = {topic: self._unused.get(topic, 0) + 1 for topic in unused}
        for topic, count in list(counts.items()):
            if count > _PATIENCE and self._core.release_topic(topic):
                del counts[topic]
                self._at.pop(topic, None)
                self._stale.discard(topic)
                self._subscribed.discard(topic)
                self._unsubscribe(topic)
        self._unused = counts

    def _unsubscribe(self, topic: str) -> None:
        self._guarded(lambda: self._broker.unsubscribe(self._token, topic))

    def _load_all(self, topics: set[str]) -> None:
        for topic in topics:
            if self._closing.is_set():
                return
            self._load(topic, anew=True)

    def _load(self, topic: str, anew: bool = False) -> None:
        """Give the server the state of a topic and the messages that it has not got."""
        at = self._at.get(topic)
        if at is not None and not anew:
            return
        if not self.health().ok:
            # Each topic would wait for a timeout. The broker calls _renew() when it is there.
            self._stale.add(topic)
            return
        try:
            # Subscribe first, so that no message is missed in between.
            self._broker.subscribe(self._token, topic)
            self._subscribed.add(topic)
            standing = self._broker.history(topic, at)
            messages = _checked(standing)
            self._core.load_topic(topic, standing.epoch, standing.offset, messages)
        except Exception as error:
            # It is tried again each second; logged once.
            if not isinstance(error, Unavailable) and topic not in self._stale:
                log.write(logging.ERROR, "broker: %s: %s", type(error).__name__, error)
            self._stale.add(topic)
            return
        self._stale.discard(topic)
        self._at[topic] = (standing.epoch, standing.offset)

    def _deliver(self, topic: str, epoch: str, message: Delivery) -> None:
        at = self._at.get(topic)
        if at is None:
            return  # loading the topic will bring the message
        if self._goes_on(topic, epoch, message):
            return
        if at[0] != epoch or message.offset > at[1]:
            self._load(topic, anew=True)


def _checked(standing: Standing) -> list[tuple[int, str | bytes, bool, str]]:
    """The messages of a broker, in the core's types.

    Raises:
        ValueError: Their offsets are not what :class:`Standing` says.
    """
    before = 0
    for each in standing.messages:
        if not before < each.offset <= standing.offset:
            raise ValueError(
                f"history() must return messages in order, up to offset {standing.offset}:"
                f" {each.offset} comes after {before}"
            )
        before = each.offset
    return [
        (each.offset, each.data, isinstance(each.data, bytes), each.event)
        for each in standing.messages
    ]
