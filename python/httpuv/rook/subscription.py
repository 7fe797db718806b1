"""What ``ws.subscribe()`` returns, and who may subscribe."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .. import _core
from ..base.checks import check_int
from ..options.topic_options import check_topic

#: Seconds that the answer of a broker, which says where a topic stands, may take.
_PATIENCE = 10.0

#: Where a subscriber begins: 0, from all that the history has; (epoch, offset), behind a message.
Since = tuple[str, int] | int | None


class Subscription:
    """A subscription: where in the topic it began.

    ``epoch, offset, recovered = ws.subscribe("news", since=...)`` unpacks it. Reading it waits for
    the I/O thread, and on a topic of a broker that is away for that, up to 10 s.

    Attributes:
        topic: The topic.

    Raises:
        TimeoutError: Reading it: the broker has not said where the topic stands.
    """

    __slots__ = ("_joining", "topic")

    def __init__(self, topic: str, joining: _core.Joining) -> None:
        self.topic = topic
        self._joining = joining

    def _get(self) -> tuple[str, int, bool]:
        return self._joining.get(_PATIENCE) or ("", 0, False)

    @property
    def epoch(self) -> str:
        """Names the time in which offsets count; ``""`` if the connection was closed."""
        return self._get()[0]

    @property
    def offset(self) -> int:
        """The number of the last message before the first that comes live."""
        return self._get()[1]

    @property
    def recovered(self) -> bool:
        """Whether nothing is missing: all messages behind ``since`` are sent."""
        return self._get()[2]

    def __iter__(self) -> Iterator[str | int | bool]:
        return iter(self._get())

    def __repr__(self) -> str:
        return f"<Subscription {self.topic!r}>"


class Gate:
    """Who may subscribe to what, and who is to know of it first; one for each server.

    Args:
        on_subscribe: ``onSubscribe`` of the application.
    """

    def __init__(self, on_subscribe: Callable[[object, str], object] | None) -> None:
        #: Of the application; a server whose application is replaced sets it.
        self.on_subscribe = on_subscribe
        #: Told of each topic that a client is about to subscribe to.
        self.wanted: Callable[[str], None] | None = None

    def enter(self, client: object, topic: str) -> None:
        """A client is to subscribe.

        Raises:
            PermissionError: The application refuses.
        """
        if self.on_subscribe is not None and self.on_subscribe(client, topic) is False:
            raise PermissionError(f"onSubscribe refuses the topic {topic!r}")
        if self.wanted is not None:
            self.wanted(topic)


def subscribe(
    gate: Gate, socket: _core.Socket, client: object, topic: object, since: Since
) -> Subscription:
    """Have a socket get what is published to a topic.

    Raises:
        TypeError, ValueError: An argument is wrong; the message names it.
        PermissionError: The application refuses.
    """
    name = check_topic(topic)
    position, history = _check_since(since)
    gate.enter(client, name)
    return Subscription(name, socket.subscribe(name, position, history))


def _check_since(since: object) -> tuple[tuple[str, int] | None, bool]:
    if since is None:
        return None, False
    if isinstance(since, int) and not isinstance(since, bool):
        if since != 0:
            raise ValueError(f"since must be (epoch, offset), 0 or None, not {since!r}")
        return None, True
    if not isinstance(since, (tuple, list)) or len(since) != 2 or not isinstance(since[0], str):
        raise TypeError(f"since must be (epoch, offset), 0 or None, not {since!r}")
    return (since[0], check_int("since: offset", since[1], 0, 2**64 - 1)), False
