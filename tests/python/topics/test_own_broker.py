"""Brokers of the application's own that do not keep to the rules of httpuv.Broker."""

from __future__ import annotations

import threading
from typing import Any

import httpuv
import pytest
from conftest import Serve
from httpuv import brokers
from httpuv.brokers import relay
from httpuv.brokers.protocol import Delivery, Health, Standing
from support import PATIENCE
from test_topics import events
from ws_support import Client, Watch, wait_until

TOPICS = {"*": httpuv.Topic(history=10, ttl=60)}


class Faulty(brokers.Memory):
    """Raises in the methods that are named in ``faults``."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: set[str] = set()
        self.failed = 0
        self.enough = threading.Event()  # it has failed three times

    def _try(self, method: str) -> None:
        if method not in self.faults:
            return
        self.failed += 1
        if self.failed >= 3:
            self.enough.set()
        raise RuntimeError(f"{method} is broken")

    def health(self) -> Health:
        self._try("health")
        return super().health()

    def subscribe(self, token: object, topic: str) -> None:
        self._try("subscribe")
        super().subscribe(token, topic)

    def unsubscribe(self, token: object, topic: str) -> None:
        self._try("unsubscribe")
        super().unsubscribe(token, topic)

    def history(self, topic: str, since: tuple[str, int] | None) -> Standing:
        self._try("history")
        return super().history(topic, since)

    def close(self, token: object) -> None:
        self._try("close")
        super().close(token)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_TICK", 0.05)


@pytest.mark.parametrize("method", ["health", "subscribe", "history"])
def test_what_has_failed_is_tried_again(
    serve: Serve, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Faulty()
    stream = httpuv.EventStream(topics=["t"])
    server = serve({"call": lambda req: stream}, topics=TOPICS, broker=broker)
    broker.faults = {method}
    with events(server) as client:
        assert broker.enough.wait(PATIENCE)
        broker.faults = set()
        client.next()  # its position: the topic is loaded
        server.publish("t", "here")
        assert client.next()["data"] == "here"
    complaints = [each for each in caplog.messages if "is broken" in each]
    assert len(complaints) == 1  # not each time


def test_a_broken_health_is_told(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    broker = Faulty()
    broker.faults = {"health"}
    server = serve({"onWSOpen": Watch()}, topics=TOPICS, broker=broker)
    health = server.broker_health()
    assert (health.ok, health.detail) == (
        False,
        "health() raises RuntimeError: health is broken",
    )
    broker.faults = set()
    wait_until(lambda: server.broker_health().ok)


def test_other_topics_are_released_where_unsubscribe_fails(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_PATIENCE", 0)
    broker, watch = Faulty(), Watch()
    server = serve({"onWSOpen": watch}, topics=TOPICS, broker=broker)
    with Client.open(server) as client:
        ws = watch.opened().ws
        for topic in ("a", "b", "c"):
            ws.subscribe(topic).epoch  # noqa: B018  # waits until it is loaded
        broker.faults = {"unsubscribe"}
        for topic in ("a", "b", "c"):
            ws.unsubscribe(topic)
        assert broker.enough.wait(PATIENCE)
        broker.faults = set()
        ws.subscribe("a").epoch  # noqa: B018
        server.publish("a", "here")
        assert client.message() == "here"


def test_a_server_stops_where_close_fails(caplog: pytest.LogCaptureFixture) -> None:
    broker = Faulty()
    broker.faults = {"close"}
    server = httpuv.startServer("127.0.0.1", 0, {}, topics=TOPICS, broker=broker)
    server.stop()
    assert server not in httpuv.listServers()
    assert "broker: RuntimeError: close is broken" in caplog.messages


@pytest.mark.parametrize(
    ("standing", "complaint"),
    [
        (Standing("", 0, []), "epoch must be 1 to 64 letters"),
        (Standing("e", 1, [Delivery(2, "x")]), "up to offset 1: 2 comes after 0"),
        (Standing("e", 2, [Delivery(2, "x"), Delivery(1, "y")]), "1 comes after 2"),
        (Standing("e", 2, [Delivery(0, "x")]), "0 comes after 0"),
        (Standing("e", -1, []), "TypeError"),
        (Standing("e", 1, [Delivery(1, 5)]), "message must be str or bytes-like"),  # type: ignore[arg-type]
        (None, "AttributeError"),
    ],
)
def test_a_history_that_cannot_be_is_not_loaded(
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    standing: Any,
    complaint: str,
) -> None:
    broker, watch = Faulty(), Watch()
    server = serve({"onWSOpen": watch}, topics=TOPICS, broker=broker)
    with Client.open(server) as client, monkeypatch.context() as patch:
        patch.setattr(broker, "history", lambda topic, since: standing)
        subscription = watch.opened().ws.subscribe("t")
        wait_until(lambda: any(complaint in each for each in caplog.messages))
        patch.undo()
        assert subscription.offset == 0
        server.publish("t", "here")
        assert client.message() == "here"


def test_a_topic_that_is_left_before_it_is_loaded(serve: Serve) -> None:
    """Leaving holds, though the subscription has waited for the broker."""
    broker, watch = Faulty(), Watch()
    broker.faults = {"history"}
    server = serve({"onWSOpen": watch}, topics=TOPICS, broker=broker)
    with Client.open(server) as client:
        ws = watch.opened().ws
        left, stays = ws.subscribe("t"), ws.subscribe("u")
        ws.unsubscribe("t")
        assert tuple(left) == ("", 0, False)  # it does not wait
        broker.faults = set()
        assert stays.offset == 0
        server.publish("t", "no")
        server.publish("u", "yes")
        assert client.message() == "yes"
        assert ws.subscriptions == ("u",)
