"""Subscriptions of WebSockets to topics, and the application's permission for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

from .. import _core
from ..base.checks import check_int, check_utf8
from ..options.topic_options import check_topic

#: Seconds that a broker may take to report the position of a topic.
_PATIENCE = 10.0

#: The start of a subscription: 0: the whole history; (epoch, offset): after that message.
Since = tuple[str, int] | int | None


class Subscription:
    """A subscription and its start position in the topic.

    ``epoch, offset, recovered = ws.subscribe("news", since=...)`` unpacks it. Reading an attribute
    waits for the I/O thread. For a topic of a broker that is away it waits up to 10 s.

    Attributes:
        topic: The topic.

    Raises:
        TimeoutError: An attribute was read, and the broker has not reported the position.
    """

    __slots__ = ("_joining", "topic")

    def __init__(self, topic: str, joining: _core.Joining) -> None:
        self.topic = topic
        self._joining = joining

    def _get(self) -> tuple[str, int, bool]:
        return self._joining.get(_PATIENCE) or ("", 0, False)

    @property
    def epoch(self) -> str:
        """The epoch of the offsets; ``""`` if the connection was closed, or left the topic."""
        return self._get()[0]

    @property
    def offset(self) -> int:
        """The offset of the last message before the first live one."""
        return self._get()[1]

    @property
    def recovered(self) -> bool:
        """Whether no message is missing: all messages after ``since`` are sent."""
        return self._get()[2]

    def __iter__(self) -> Iterator[str | int | bool]:
        return iter(self._get())

    def __repr__(self) -> str:
        return f"<Subscription {self.topic!r}>"


class Gate:
    """Asks the application before each subscription, and tells the broker; one for each server.

    Args:
        on_subscribe: ``onSubscribe`` of the application.
    """

    def __init__(self, on_subscribe: Callable[[object, str], object] | None) -> None:
        #: ``onSubscribe`` of the application; replacing the application sets it.
        self.on_subscribe = on_subscribe
        #: Called with each topic that a client has subscribed to.
        self.wanted: Callable[[str], None] | None = None

    def enter(self, client: object, topic: str) -> None:
        """Check a subscription.

        Raises:
            PermissionError: The application refuses it.
            TypeError: The application returns an awaitable, which is no answer.
        """
        if self.on_subscribe is None:
            return
        answer = self.on_subscribe(client, topic)
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            raise TypeError(f"onSubscribe must return a bool or None, not {answer!r}")
        if answer is not None and not answer:
            raise PermissionError(f"onSubscribe refuses the topic {topic!r}")

    def entered(self, topic: str) -> None:
        """Announce a subscription, once the I/O thread will see it before a broker's answer."""
        if self.wanted is not None:
            self.wanted(topic)


def subscribe(
    gate: Gate, socket: _core.Socket, client: object, topic: object, since: Since
) -> Subscription:
    """Subscribe a WebSocket to a topic.

    Raises:
        TypeError, ValueError: An argument is wrong; the message names it.
        PermissionError: The application refuses.
    """
    name = check_topic(topic)
    position, history = _check_since(since)
    gate.enter(client, name)
    subscription = Subscription(name, socket.subscribe(name, position, history))
    gate.entered(name)
    return subscription


def _check_since(since: object) -> tuple[tuple[str, int] | None, bool]:
    if since is None:
        return None, False
    if isinstance(since, int) and not isinstance(since, bool):
        if since != 0:
            raise ValueError(f"since must be (epoch, offset), 0 or None, not {since!r}")
        return None, True
    if not isinstance(since, (tuple, list)) or len(since) != 2 or not isinstance(since[0], str):
        raise TypeError(f"since must be (epoch, offset), 0 or None, not {since!r}")
    epoch = check_utf8("since: epoch", since[0])
    return (epoch, check_int("since: offset", since[1], 0, 2**64 - 1)), False
