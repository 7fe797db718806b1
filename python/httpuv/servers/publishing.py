"""The methods of :class:`Server` for topics, and for the broker that shares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _core
from ..brokers.protocol import Health, Keep
from ..brokers.relay import Relay
from ..options.topic_options import TopicStats, check_event, check_topic, rule_of

if TYPE_CHECKING:
    from .._core import Server as Core
    from ..options.server import WebOptions


class Publishing:
    """Mixed into :class:`Server`."""

    if TYPE_CHECKING:
        _core: Core

    def __init__(self, options: WebOptions) -> None:
        self._broker, self._topics = options["broker"], dict(options["topics"] or {})
        self._ready_with_broker = options["readyNeedsBroker"]
        self._relay: Relay | None = None

    def _start_relay(self) -> Relay | None:
        """The connection to the broker; None: there is no broker."""
        if self._broker is not None:
            self._relay = Relay(self._core, self._broker, self._keep_of, self._ready_with_broker)
        return self._relay

    def publish(
        self,
        topic: str,
        message: str | bytes | bytearray | memoryview,
        *,
        compress: bool = True,
        binary: bool | None = None,
        event: str | None = None,
    ) -> int:
        """Send a message to all subscribers of a topic.

        Subscribers are WebSockets (``ws.subscribe``) and event streams
        (``EventStream(topics=...)``). The message is framed and compressed once. The I/O thread
        sends it, in order with all other messages. The topic's ``overflow``, or ``wsOverflow``,
        decides about slow subscribers.

        Args:
            topic: The topic.
            message: What to send: str, or bytes-like.
            compress: Whether to compress the message for WebSockets that have agreed on that.
            binary: Whether WebSockets get a binary message. None: bytes are binary, str is text.
            event: The name of the event for event streams; None: ``message``.

        Returns:
            The message's offset; the first message of a topic has 1. 0: the message was not sent,
            because the server has stopped, or because the I/O thread is behind and an asyncio loop
            must not wait. With a broker it is a :class:`httpuv.brokers.Published`, which says
            whether the broker was away. The broker is asked on this thread.

        Raises:
            TypeError: ``topic`` is not str, or ``message`` neither str nor bytes-like.
            ValueError: ``event`` contains a line end, or ``binary`` is False and ``message`` is not
                UTF-8.
            UnicodeEncodeError: ``message`` has surrogates in it and cannot be UTF-8.
            httpuv.brokers.Unavailable: The broker is away.
        """
        if binary is not None and not isinstance(binary, bool):
            raise TypeError(f"binary must be bool or None, not {type(binary).__name__}")
        name, kind = check_topic(topic), check_event(event)
        if self._relay is None:
            return self._core.publish(name, message, compress, binary, kind, None)
        return self._relay.publish(name, _payload(message, binary), kind, compress)

    def _keep_of(self, topic: str) -> Keep:
        """How much of a topic a broker keeps."""
        rule = rule_of(self._topics, topic)
        return Keep(0, 0, 60.0) if rule is None else Keep(rule.history, rule.max_bytes, rule.ttl)

    def broker_health(self) -> Health:
        """The state of the broker; without a broker it is ok. Does not wait."""
        return Health(True) if self._relay is None else self._relay.health()

    def topic_stats(self, topic: str) -> TopicStats:
        """The numbers of a topic. The call asks the I/O thread.

        Raises:
            TypeError: ``topic`` is not str.
        """
        found = self._core.topic_stats(check_topic(topic))
        return TopicStats() if found is None else TopicStats(**found)


def _payload(message: object, binary: bool | None) -> str | bytes:
    """A message for a broker: str is text, bytes are binary."""
    if isinstance(message, str):
        return message.encode() if binary else message
    data = _core.to_bytes(message, "message")
    if binary is not False:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError("message must be UTF-8 where binary is False") from None
