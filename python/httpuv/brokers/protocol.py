"""What a broker does, and what is said to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Unavailable(ConnectionError):
    """The broker cannot be reached, or refuses.

    Attributes:
        maybe: Whether a message may have been published nevertheless: the answer did not come.
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
        offset: 1 for the first of the epoch, and so on: each has the next number.
        data: str is text, bytes are binary.
        event: The name of the server-sent event; ``""``: none.
    """

    offset: int
    data: str | bytes
    event: str = ""


class Standing(NamedTuple):
    """Where a topic stands.

    Attributes:
        epoch: 1 to 64 letters, digits, ``-`` and ``_``. Another one whenever history was lost.
        offset: That of the last message; 0: there was none.
        messages: The last ones, in order, up to that; some may have been dropped before.
    """

    epoch: str
    offset: int
    messages: list[Delivery]


class Health(NamedTuple):
    """How a broker is doing.

    Attributes:
        ok: Whether it can be reached.
        detail: In words; ``""`` if all is well.
        dropped: Messages that were not handed over because the server was behind; the gaps were
            filled from the history.
        renewed: How often its subscriptions were made anew.
    """

    ok: bool
    detail: str = ""
    dropped: int = 0
    renewed: int = 0


class Published(int):
    """What ``publish()`` returns where there is a broker: the offset, as an int.

    Attributes:
        epoch: Names the time in which offsets count.
        local: Whether the broker was away: the message went to this server's own clients only, and
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

    The server calls ``start`` once; the others come from any thread and at the same time. None of
    them waits for longer than a few seconds: then it raises
    :class:`httpuv.brokers.Unavailable`. One object may serve several servers of a process: each
    has a token, and gets what it has subscribed to.

    Attributes:
        away: What ``server.publish()`` does while the broker is away: ``"refuse"`` raises
            Unavailable, ``"local"`` sends to the server's own clients only.
    """

    away: str

    def start(self, receive: Receive, renew: Callable[[], None]) -> object:
        """A server begins. Returns its token.

        Args:
            receive: To be called with topic, epoch and :class:`Delivery` for each message of a
                topic that is subscribed to, in order. Returns at once.
            renew: To be called when messages may have been missed: after an outage.
        """

    def publish(self, topic: str, data: str | bytes, event: str, keep: Keep) -> tuple[str, int]:
        """Give a message its offset, keep it and send it to all subscribers, in one step.

        Returns:
            Epoch and offset.

        Raises:
            Unavailable: The broker is away or full.
        """

    def subscribe(self, token: object, topic: str) -> None:
        """Have messages received that are published from the return on.

        Raises:
            Unavailable: The broker is away.
        """

    def unsubscribe(self, token: object, topic: str) -> None:
        """Have them received no longer. Does not fail."""

    def history(self, topic: str, since: tuple[str, int] | None) -> Standing:
        """Where a topic stands, and what it has behind a position, or all.

        Raises:
            Unavailable: The broker is away.
        """

    def health(self) -> Health:
        """How it is doing. Does not wait."""

    def close(self, token: object) -> None:
        """A server has stopped."""
