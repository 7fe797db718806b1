"""The interface of a broker, and the types of its arguments and results."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Unavailable(ConnectionError):
    """The broker cannot be reached, or refuses.

    Attributes:
        maybe: Whether the message may have been published although the answer did not come.
    """

    def __init__(self, text: str, *, maybe: bool = False) -> None:
        super().__init__(text)
        self.maybe = maybe


class Keep(NamedTuple):
    """How much of a topic is kept: messages, bytes and seconds."""

    history: int
    max_bytes: int
    ttl: float


class Delivery(NamedTuple):
    """A message of a topic.

    Attributes:
        offset: 1 for the first message of the epoch; each message has the next number.
        data: str is text, bytes are binary.
        event: The name of the server-sent event; ``""``: none.
    """

    offset: int
    data: str | bytes
    event: str = ""


class Standing(NamedTuple):
    """Where a topic stands.

    Attributes:
        epoch: 1 to 64 letters, digits, ``-`` and ``_``. It changes whenever history is lost.
        offset: The offset of the last message; 0: there was none.
        messages: The last messages up to that offset, in order. Older ones may have been dropped.
    """

    epoch: str
    offset: int
    messages: list[Delivery]


class Health(NamedTuple):
    """How a broker is doing.

    Attributes:
        ok: Whether it can be reached.
        detail: A description of the problem; ``""`` if there is none.
        dropped: Messages that were not handed over because the server was behind. The gaps were
            filled from the history.
        renewed: How often the subscriptions were renewed.
    """

    ok: bool
    detail: str = ""
    dropped: int = 0
    renewed: int = 0


class Published(int):
    """What ``publish()`` returns where there is a broker: the offset, as an int.

    Attributes:
        epoch: The epoch of the offset.
        local: Whether the broker was away. The message went to this server's own clients only and
            has no offset (0).
    """

    epoch: str
    local: bool

    def __new__(cls, offset: int, epoch: str, local: bool) -> Published:
        self = super().__new__(cls, offset)
        self.epoch = epoch
        self.local = local
        return self


#: See :meth:`Broker.start`.
Receive = Callable[[str, str, Delivery], None]


class Broker(Protocol):
    """Shares topics between servers.

    The server calls ``start`` once. It calls the other methods on any thread, also at the same
    time. A method waits for a few seconds at most and then raises
    :class:`httpuv.brokers.Unavailable`. One object may serve several servers of a process: each
    server has a token and gets the messages of its own subscriptions.

    Attributes:
        away: What ``server.publish()`` does while the broker is away: ``"refuse"`` raises
            Unavailable, ``"local"`` sends to the server's own clients only.
    """

    away: str

    def start(self, receive: Receive, renew: Callable[[], None]) -> object:
        """Register a server and return its token.

        Args:
            receive: The broker calls it with topic, epoch and :class:`Delivery` for each message
                of a subscribed topic, in order. It returns at once.
            renew: The broker calls it when it can be reached at first, and when messages may have
                been missed, after an outage.
        """

    def publish(self, topic: str, data: str | bytes, event: str, keep: Keep) -> tuple[str, int]:
        """Give a message its offset, keep it and send it to all subscribers, in one step.

        Returns:
            Epoch and offset.

        Raises:
            Unavailable: The broker is away or full.
        """

    def subscribe(self, token: object, topic: str) -> None:
        """Receive the messages that are published after the return of this call.

        Raises:
            Unavailable: The broker is away.
        """

    def unsubscribe(self, token: object, topic: str) -> None:
        """Stop receiving the messages of a topic. Does not fail."""

    def history(self, topic: str, since: tuple[str, int] | None) -> Standing:
        """The state of a topic, and its messages after a position, or all of them.

        Raises:
            Unavailable: The broker is away.
        """

    def health(self) -> Health:
        """The state of the broker. Does not wait. While it is not ``ok``, no topic is loaded."""

    def close(self, token: object) -> None:
        """A server has stopped."""
