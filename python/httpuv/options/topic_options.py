"""Topics: the rules of ``startServer(topics=...)``, and the numbers of ``topic_stats()``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..base.checks import check_int, check_seconds, check_utf8
from ..base.names import checked_class

#: A rule in the core's types: pattern, messages, bytes, seconds, overflow.
Rule = tuple[str, int, int, float, str | None]

_OVERFLOW = ("close", "drop", "latest")


@checked_class
@dataclass(frozen=True)
class Topic:
    """The history of a topic: clients that were away get the messages that they missed.

    ::

        httpuv.startServer(host, port, app, topics={"news": httpuv.Topic(history=200, ttl=300)})

    Attributes:
        history: How many messages are kept; 0: none.
        ttl: Seconds for which a message is kept.
        max_bytes: Bytes of messages that are kept, including the overhead of each. A single longer
            message is sent but not kept.
        overflow: What happens to a message for a slow subscriber. ``"close"``: when
            ``Limits.ws_queue_bytes`` wait for the subscriber, its connection is closed. WebSockets
            get 1013; an EventSource reconnects by itself and gets what it missed. ``"drop"``: the
            message is dropped then. ``"latest"``: of the messages of the topic only the newest
            waits; older ones are dropped. None: as ``wsOverflow``.

    Raises:
        TypeError, ValueError: An argument is wrong; the message names it.
    """

    history: int = 100
    ttl: float = 300.0
    max_bytes: int = 1024 * 1024
    overflow: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "history", check_int("history", self.history, 0, 2**31))
        object.__setattr__(self, "ttl", check_seconds("ttl", self.ttl))
        object.__setattr__(self, "max_bytes", check_int("max_bytes", self.max_bytes, 0, 2**62))
        if self.overflow is not None and self.overflow not in _OVERFLOW:
            raise ValueError(
                f"overflow must be one of {', '.join(_OVERFLOW)}, or None, not {self.overflow!r}"
            )


class TopicStats(NamedTuple):
    """The numbers of a topic in this process.

    Attributes:
        subscribers: WebSockets and event streams that get its messages.
        epoch: The epoch of its offsets; ``""``: it is not known.
        offset: The offset of its last message.
        messages: The number of messages in its history.
        bytes: The bytes of these messages.
        dropped: The number of messages that were not sent because a subscriber was too slow.
    """

    subscribers: int = 0
    epoch: str = ""
    offset: int = 0
    messages: int = 0
    bytes: int = 0
    dropped: int = 0


def check_topic(topic: object) -> str:
    """A topic.

    Raises:
        TypeError: It is not str.
        ValueError: It has half of a surrogate pair in it.
    """
    if not isinstance(topic, str):
        raise TypeError(f"topic must be str, not {type(topic).__name__}")
    return check_utf8("topic", topic)


def check_event(event: object) -> str:
    """The name of an event; None is no name.

    Raises:
        TypeError: It is neither str nor None.
        ValueError: It has a line end or NUL in it, or is ``"reset"``, which is the server's own.
    """
    if event is None:
        return ""
    if not isinstance(event, str):
        raise TypeError(f"event must be str or None, not {type(event).__name__}")
    if any(character in event for character in "\r\n\0"):
        raise ValueError(f"event must not have line ends or NUL in it: {event!r}")
    if event == "reset":
        raise ValueError("event must not be 'reset': that is what the server itself sends")
    return check_utf8("event", event)


def check_topics(topics: Mapping[str, Topic] | None) -> list[Rule]:
    """The rules of ``startServer(topics=...)``, in the core's types.

    Raises:
        TypeError: It is no mapping from str to :class:`Topic`.
    """
    if topics is None:
        return []
    if not isinstance(topics, Mapping):
        raise TypeError(f"topics must be a dict or None, not {type(topics).__name__}")
    rules: list[Rule] = []
    for pattern, each in topics.items():
        if not isinstance(pattern, str):
            raise TypeError(f"topics: a name must be str, not {pattern!r}")
        check_utf8("topics: a name", pattern)
        if not isinstance(each, Topic):
            raise TypeError(f"topics: {pattern!r} must be a Topic, not {type(each).__name__}")
        rules.append((pattern, each.history, each.max_bytes, each.ttl, each.overflow))
    return rules


def rule_of(topics: Mapping[str, Topic], topic: str) -> Topic | None:
    """The rule for a topic: of its exact name, else of the longest pattern, else None."""
    found = topics.get(topic)
    if found is not None or not topics:
        return found
    matching = [pattern for pattern in topics if "*" in pattern and _matches(pattern, topic)]
    return topics[max(matching, key=len)] if matching else None


def _matches(pattern: str, topic: str) -> bool:
    parts = map(re.escape, pattern.split("*"))
    return re.fullmatch(".*".join(parts), topic, re.DOTALL) is not None
