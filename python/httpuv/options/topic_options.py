"""Topics: what ``startServer(topics=...)`` says about them, and what ``topic_stats()`` tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..base.checks import check_int, check_seconds

#: A rule as the core takes it: pattern, messages, bytes, seconds, overflow.
Rule = tuple[str, int, int, float, str | None]

_OVERFLOW = ("close", "drop", "latest")


@dataclass(frozen=True)
class Topic:
    """What a server keeps of a topic, so that clients that were away get what they missed.

    ::

        httpuv.startServer(host, port, app, topics={"news": httpuv.Topic(history=200, ttl=300)})

    Attributes:
        history: How many messages are kept; 0: none.
        ttl: Seconds for which a message is kept.
        max_bytes: Bytes of messages that are kept, with what each takes besides its text. A message
            that is longer by itself is sent, and not kept.
        overflow: What becomes of a message for a subscriber that is behind. ``"close"``: when
            ``Limits.ws_queue_bytes`` wait for it, it is closed (WebSockets with 1013; an
            EventSource is cut off, comes back by itself, and gets what it missed); ``"drop"``: the
            message is dropped then; ``"latest"``: as soon as anything waits for it, only the newest
            message of the topic does, and those before it are dropped. None: as ``wsOverflow``.

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
    """How a topic is doing in this process.

    Attributes:
        subscribers: WebSockets and streams of events that get its messages.
        epoch: Names the time since it began; ``""``: it is not known.
        offset: The number of its last message.
        messages: How many messages its history has.
        bytes: What these take.
        dropped: Messages that were not sent to a subscriber because it was behind, in all.
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
    """
    if not isinstance(topic, str):
        raise TypeError(f"topic must be str, not {type(topic).__name__}")
    return topic


def check_event(event: object) -> str:
    """The name of an event; None is no name.

    Raises:
        TypeError: It is neither str nor None.
        ValueError: It has a line end or NUL in it, or is ``"reset"``, which the server sends.
    """
    if event is None:
        return ""
    if not isinstance(event, str):
        raise TypeError(f"event must be str or None, not {type(event).__name__}")
    if any(character in event for character in "\r\n\0"):
        raise ValueError(f"event must not have line ends or NUL in it: {event!r}")
    if event == "reset":
        raise ValueError("event must not be 'reset': that is what the server itself sends")
    return event


def check_topics(topics: Mapping[str, Topic] | None) -> list[Rule]:
    """The rules of ``startServer(topics=...)``, as the core takes them.

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
        if not isinstance(each, Topic):
            raise TypeError(f"topics: {pattern!r} must be a Topic, not {type(each).__name__}")
        rules.append((pattern, each.history, each.max_bytes, each.ttl, each.overflow))
    return rules


def rule_of(topics: Mapping[str, Topic], topic: str) -> Topic | None:
    """The rule for a topic: its own name's, else that of the longest pattern, else None."""
    found = topics.get(topic)
    if found is not None or not topics:
        return found
    matching = [pattern for pattern in topics if "*" in pattern and _matches(pattern, topic)]
    return topics[max(matching, key=len)] if matching else None


def _matches(pattern: str, topic: str) -> bool:
    parts = map(re.escape, pattern.split("*"))
    return re.fullmatch(".*".join(parts), topic, re.DOTALL) is not None
