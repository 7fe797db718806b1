"""Brokers: the same meaning of offset, epoch and recovery over several servers, and outages."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpuv
import pytest
from conftest import Serve
from httpuv import brokers
from httpuv.brokers.hub import Hub
from httpuv.brokers.protocol import Delivery, Keep, Receive
from httpuv.brokers.worker import Worker
from metrics_support import samples, value
from network import NotPermitted, network
from redis_server import RedisServer, move_slot, redis_cluster, redis_server
from support import PATIENCE, get
from test_topics import events
from ws_support import Client, Watch, wait_until

TOPICS = {"*": httpuv.Topic(history=1000, ttl=60)}
KEEP = Keep(5, 1 << 20, 60.0)
PATHS = {"health": "/livez", "ready": "/readyz", "metrics": "/metrics"}
MakeBroker = Callable[[], httpuv.Broker]


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[RedisServer]]:
    with redis_cluster() as nodes:
        yield nodes


@pytest.fixture(params=["memory", "workers", "redis", "shard", "cluster", "cluster shard"])
def make(request: pytest.FixtureRequest) -> Iterator[MakeBroker]:
    """Makes brokers that share their topics."""
    if request.param == "memory":
        shared = brokers.Memory()
        yield lambda: shared
        return
    if request.param == "workers":
        with contextlib.closing(Hub()) as hub:
            yield lambda: Worker(hub.path)
        return
    if request.param.startswith("cluster"):
        nodes = request.getfixturevalue("cluster")
        prefix, shard = f"{time.time_ns()}:", "shard" in request.param
        yield lambda: brokers.Redis(nodes[0].url, prefix=prefix, shard=shard, timeout=1)
        return
    with redis_server() as server:
        yield lambda: brokers.Redis(server.url, shard=request.param == "shard", timeout=1)


class Ear:
    """What a broker tells a server."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, Delivery]] = []
        self.renewed = threading.Event()

    def receive(self, topic: str, epoch: str, message: Delivery) -> None:
        self.got.append((topic, epoch, message))


def test_what_a_broker_does(make: MakeBroker) -> None:
    broker, other = make(), make()
    ear, far = Ear(), Ear()
    token = broker.start(ear.receive, ear.renewed.set)
    there = other.start(far.receive, far.renewed.set)
    try:
        wait_until(lambda: broker.health().ok and other.health().ok)
        broker.subscribe(token, "t")
        other.subscribe(there, "t")
        epoch, offset = broker.publish("t", "té\n", "", KEEP)
        assert offset == 1
        assert other.publish("t", b"\xff \0", "name", KEEP) == (epoch, 2)
        expected = [
            ("t", epoch, Delivery(1, "té\n")),
            ("t", epoch, Delivery(2, b"\xff \0", "name")),
        ]
        wait_until(lambda: len(ear.got) == 2 and len(far.got) == 2)
        assert ear.got == far.got == expected
        assert other.history("t", None) == (epoch, 2, [each[2] for each in expected])
        assert broker.history("t", (epoch, 1)) == (epoch, 2, [expected[1][2]])
        assert broker.history("t", ("else", 1)).messages == [each[2] for each in expected]
        for _ in range(6):
            broker.publish("t", "x", "", KEEP)
        assert [each.offset for each in broker.history("t", None).messages] == [4, 5, 6, 7, 8]
        small = KEEP._replace(max_bytes=500)
        assert broker.publish("t", "y" * 1000, "", small)[1] == 9
        assert broker.history("t", None).messages == []
        wait_until(lambda: len(ear.got) == 9)
        broker.unsubscribe(token, "t")
        other.publish("t", "z", "", KEEP)
        wait_until(lambda: len(far.got) == 10)
        assert len(ear.got) == 9
        # Another topic is another count, whatever its name. The order holds within a topic only: in
        # a cluster the topics come from different servers.
        for name in ("", "a}b{", "%7D", "ü"):
            broker.subscribe(token, name)
            assert broker.publish(name, name, "", KEEP)[1] == 1
        wait_until(lambda: len(ear.got) == 13)
        assert {each[0] for each in ear.got[9:]} == {"", "a}b{", "%7D", "ü"}
    finally:
        broker.close(token)
        other.close(there)


def test_two_servers_share_topics(serve: Serve, make: MakeBroker) -> None:
    stream = httpuv.EventStream(topics=["t"])
    watches = Watch(), Watch()
    one, two = (
        serve({"onWSOpen": watch, "call": lambda req: stream}, topics=TOPICS, broker=make())
        for watch in watches
    )
    with Client.open(one) as here, Client.open(two) as there:
        ours, theirs = (watch.opened().ws for watch in watches)
        epoch, offset, _ = ours.subscribe("t")
        assert tuple(theirs.subscribe("t")) == (epoch, 0, False) and offset == 0
        for number in range(1, 11):
            published = (one, two)[number % 2].publish("t", str(number))
            assert published == number and (published.epoch, published.local) == (epoch, False)
        for client in (here, there):
            assert [client.message() for _ in range(10)] == [str(n) for n in range(1, 11)]
    with Client.open(two) as again:  # it continues at the other one
        joined = watches[1].opened().ws.subscribe("t", since=(epoch, 7))
        assert tuple(joined) == (epoch, 10, True)
        assert [again.message() for _ in range(3)] == ["8", "9", "10"]
    for server in (one, two):
        with events(server, last=f"{epoch}.8") as client:
            assert client.next()["id"] == f"{epoch}.8"
            assert [client.next()["data"] for _ in range(2)] == ["9", "10"]
    assert one.broker_health().ok


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match="broker"):
        httpuv.startServer("127.0.0.1", 0, {}, broker=object())
    pytest.importorskip("redis")
    for more in ({"away": "x"}, {"prefix": 1}, {"timeout": -1}):
        with pytest.raises((TypeError, ValueError), match=next(iter(more))):
            brokers.Redis("redis://localhost", **more)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_topic_that_only_the_relay_knows_has_its_history(serve: Serve, threads: int) -> None:
    """Its first load may come before its first client, or to another I/O thread."""
    broker = brokers.Memory()
    server = serve(
        {"call": lambda req: httpuv.EventStream(topics=["t"])},
        topics=TOPICS,
        broker=broker,
        ioThreads=threads,
    )
    for number in range(5):
        epoch, _ = broker.publish("t", str(number), "", KEEP)
    assert server._relay is not None
    server._relay.want("t")
    wait_until(lambda: "t" in server._relay._at)
    for _ in range(6):  # on every I/O thread
        with events(server, last=f"{epoch}.2") as client:
            assert client.next() == {"id": f"{epoch}.2"}
            assert [client.next()["data"] for _ in range(3)] == ["2", "3", "4"]


class Deaf(brokers.Memory):
    """A broker that sends the second server only what it asks for."""

    def __init__(self) -> None:
        super().__init__()
        self._started = 0

    def start(self, receive: Receive, renew: Callable[[], None]) -> object:
        self._started += 1
        return super().start(receive if self._started == 1 else lambda *message: None, renew)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_client_that_is_ahead_of_a_server_loses_nothing(serve: Serve, threads: int) -> None:
    """It comes from a faster server: the slower one asks the broker before it answers."""
    stream, watch, broker = httpuv.EventStream(topics=["t"]), Watch(), Deaf()
    app = {"call": lambda req: stream, "onWSOpen": watch}
    fast, slow = (serve(app, topics=TOPICS, broker=broker, ioThreads=threads) for _ in range(2))
    with events(slow) as waiting:
        epoch = waiting.next()["id"].partition(".")[0]
        for number in range(1, 4):
            assert fast.publish("t", str(number)) == number
        with events(slow, last=f"{epoch}.3") as client:
            assert client.next() == {"id": f"{epoch}.3"}
        assert [waiting.next()["data"] for _ in range(3)] == ["1", "2", "3"]
        for number in range(4, 6):
            fast.publish("t", str(number))
        with Client.open(slow) as client:
            joined = watch.opened().ws.subscribe("t", since=(epoch, 4))
            assert tuple(joined) == (epoch, 5, True)
            assert client.message() == "5"
        # What the broker has not got either was made up, or has been lost.
        with events(slow, last=f"{epoch}.99") as client:
            assert client.next()["event"] == "reset"
        with Client.open(slow):
            assert tuple(watch.opened().ws.subscribe("t", since=(epoch, 99))) == (epoch, 5, False)


class Slow(brokers.Memory):
    """A broker that answers for the topic "slow" only after an event."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go = threading.Event(), threading.Event()

    def history(self, topic: str, since: tuple[str, int] | None) -> brokers.Standing:
        if topic == "slow":
            self.asked.set()
            assert self.go.wait(PATIENCE)
        return super().history(topic, since)


def test_what_a_server_is_too_slow_for_is_fetched(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many messages may wait; those beyond are counted, and come from the history."""
    monkeypatch.setattr("httpuv.brokers.relay._MOST", 5)
    broker = Slow()
    server = serve(
        {"call": lambda req: httpuv.EventStream(topics=[req["PATH_INFO"][1:]])},
        topics=TOPICS,
        broker=broker,
        **PATHS,
    )
    with events(server, url="/t") as client:
        client.next()
        server.publish("t", "live")
        assert client.next()["data"] == "live"
        with events(server, url="/slow") as slow:
            assert broker.asked.wait(PATIENCE)
            for number in range(50):
                broker.publish("t", str(number), "", KEEP._replace(history=100))
            assert server.broker_health().dropped == 45
            broker.go.set()
            assert [client.next()["data"] for _ in range(50)] == [str(n) for n in range(50)]
            slow.next()

    def told() -> float:
        return value(samples(get(server, "/metrics").body), "httpuv_broker_dropped_total")

    wait_until(lambda: told() == 45)


def test_a_worker_gets_what_it_missed_when_its_connection_ended(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one for which too much waits: the parent ends its connection then."""
    stream = httpuv.EventStream(topics=["t"])
    with contextlib.closing(Hub()) as hub:
        workers = [Worker(hub.path) for _ in range(2)]
        one, two = (
            serve({"call": lambda req: stream}, topics=TOPICS, broker=each, **PATHS)
            for each in workers
        )
        with events(two) as client:
            client.next()
            behind, back = workers[1], threading.Event()
            connect = behind._connect
            monkeypatch.setattr(behind, "_connect", lambda: connect() if back.is_set() else None)
            assert behind._connection is not None
            behind._connection.shutdown(socket.SHUT_RDWR)
            wait_until(lambda: not two.broker_health().ok)
            with pytest.raises(brokers.Unavailable, match="away"):
                two.publish("t", "refused")
            wait_until(lambda: get(two, "/readyz").status == 503)
            for number in range(1, 11):
                assert one.publish("t", str(number)) == number
            back.set()
            assert [client.next()["data"] for _ in range(10)] == [str(n) for n in range(1, 11)]
            assert two.publish("t", "11") == 11
            assert client.next()["data"] == "11"
            wait_until(lambda: get(two, "/readyz").status == 200)


def test_one_subscription_for_all_clients(
    serve: Serve, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none any more, some seconds after the last one has gone."""
    monkeypatch.setattr("httpuv.brokers.relay._PATIENCE", 1)
    stream, watch = httpuv.EventStream(topics=["t"], keepalive=0.2), Watch()
    broker = brokers.Redis(redis.url)
    server = serve({"call": lambda req: stream, "onWSOpen": watch}, topics=TOPICS, broker=broker)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(events(server)).next()
            stack.enter_context(Client.open(server))
            assert watch.opened().ws.subscribe("t").epoch
        assert redis.subscribers(broker._channel("t")) == 1
    wait_until(lambda: redis.subscribers(broker._channel("t")) == 0)


# --- outages of Redis ---------------------------------------------------------------------------


class Pair:
    """Two servers on one Redis, and a client of each that reads all the time."""

    def __init__(
        self,
        serve: Serve,
        redis: RedisServer,
        away: str = "refuse",
        shard: bool = False,
        prefix: str = "httpuv:",
    ) -> None:
        self.prefix = prefix
        self.stream = httpuv.EventStream(topics=["t"], keepalive=0.5)
        self.servers = [
            serve(
                {"call": lambda req: self.stream},
                topics=TOPICS,
                broker=brokers.Redis(redis.url, away=away, timeout=0.5, shard=shard, prefix=prefix),
            )
            for _ in range(2)
        ]
        self._all: list[list[str]] = [[], []]
        self._repeated: set[str] = set()
        self._stack = contextlib.ExitStack()
        self._threads = []
        for server, got in zip(self.servers, self._all, strict=True):
            client = self._stack.enter_context(events(server))
            client.next()  # it is subscribed
            thread = threading.Thread(target=self._read, args=(client, got), daemon=True)
            thread.start()
            self._threads.append(thread)

    @staticmethod
    def _read(client: object, got: list[str]) -> None:
        with contextlib.suppress(Exception):
            while True:
                event = client.next()  # type: ignore[attr-defined]
                got.append(event["data"] if "event" not in event else event["event"])

    @property
    def got(self) -> list[list[str]]:
        """What each client has; once what may have been published twice."""
        found: list[list[str]] = [[], []]
        for texts, kept in zip(self._all, found, strict=True):
            for text in list(texts):
                if text not in self._repeated or text not in kept:
                    kept.append(text)
        return found

    def publish(self, text: str, at: int = 0) -> None:
        """Until it is known to have been published."""
        deadline = time.monotonic() + 30
        while True:
            try:
                self.servers[at].publish("t", text)
                return
            except brokers.Unavailable as error:
                assert time.monotonic() < deadline
                if error.maybe:
                    self._repeated.add(text)
                time.sleep(0.05)

    def settled(self, last: str) -> None:
        wait_until(lambda: all(last in got for got in self.got))

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def pair(serve: Serve, redis: RedisServer) -> Iterator[Pair]:
    made = Pair(serve, redis)
    yield made
    made.close()


def test_redis_is_restarted(pair: Pair, redis: RedisServer) -> None:
    """Both servers listen again, and fetch what the other one has published meanwhile."""
    pair.publish("before")
    pair.settled("before")
    redis.signal(signal.SIGTERM)
    with pytest.raises(brokers.Unavailable):
        pair.servers[0].publish("t", "refused")
    wait_until(lambda: not pair.servers[1].broker_health().ok)
    redis.start()
    for number in range(20):
        pair.publish(str(number), number % 2)
    pair.settled("19")
    assert pair.got[0] == pair.got[1] == ["before", *map(str, range(20))]
    wait_until(lambda: pair.servers[1].broker_health().ok)
    assert pair.servers[1].broker_health().renewed >= 1


def test_redis_loses_everything(pair: Pair, redis: RedisServer) -> None:
    """Another epoch: clients are told to begin anew, and go on."""
    pair.publish("before")
    pair.settled("before")
    redis.tell("FLUSHALL")
    pair.publish("after")
    pair.settled("after")
    for got in pair.got:
        assert got[:2] == ["before", "reset"]


def test_a_websocket_is_told_that_redis_has_lost_everything(
    serve: Serve, redis: RedisServer
) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, topics=TOPICS, broker=brokers.Redis(redis.url))
    with Client.open(server) as client:
        watched = watch.opened()
        before = watched.ws.subscribe("t")
        assert before.offset == 0  # it has begun
        assert server.publish("t", "before") == 1
        assert client.message() == "before"
        redis.tell("FLUSHALL")
        published = server.publish("t", "after")
        assert (published, published.epoch != before.epoch) == (1, True)
        assert watched.until("reset") == ("reset", "t", published.epoch, 0)
        assert client.message() == "after"
    with Client.open(server):
        assert not watch.opened().ws.subscribe("t", since=(before.epoch, 1)).recovered


def test_redis_starts_again_with_older_data(serve: Serve, redis: RedisServer) -> None:
    """What is published then gets offsets that others had: there is a new epoch."""
    watch = Watch()
    server = serve({"onWSOpen": watch}, topics=TOPICS, broker=brokers.Redis(redis.url))
    with Client.open(server) as client:
        watched = watch.opened()
        before = watched.ws.subscribe("t")
        assert before.offset == 0  # it has begun
        for number in range(1, 6):
            server.publish("t", str(number))
        assert [client.message() for _ in range(5)] == ["1", "2", "3", "4", "5"]
        # As it was after the third.
        redis.tell("HSET", "httpuv:{t}:at", "o", "3")
        redis.tell("XDEL", "httpuv:{t}:log", "4-0", "5-0")
        redis.tell("XSETID", "httpuv:{t}:log", "3-0")
        redis.tell("CLIENT", "KILL", "TYPE", "pubsub")
        _, topic, epoch, offset = watched.until("reset")
        assert (topic, epoch != before.epoch, offset) == ("t", True, 0)
        for number in range(4, 8):
            server.publish("t", f"new {number}")
        got = [client.message() for _ in range(7)]
        assert got == ["1", "2", "3", "new 4", "new 5", "new 6", "new 7"]
    with Client.open(server):
        assert not watch.opened().ws.subscribe("t", since=(before.epoch, 5)).recovered


def test_websockets_get_everything_across_a_restart_of_redis(
    pair: Pair, serve: Serve, redis: RedisServer
) -> None:
    watch = Watch()
    server = serve({"onWSOpen": watch}, topics=TOPICS, broker=brokers.Redis(redis.url, timeout=0.5))
    with Client.open(server) as client:
        epoch, offset, _ = watch.opened().ws.subscribe("t")
        pair.publish("before")
        assert client.message() == "before"
        redis.signal(signal.SIGKILL)
        redis.start()
        for number in range(20):
            pair.publish(str(number), number % 2)
        assert [client.message() for _ in range(20)] == [str(number) for number in range(20)]
    with Client.open(server) as client:
        joined = watch.opened().ws.subscribe("t", since=(epoch, offset + 11))
        assert tuple(joined) == (epoch, offset + 21, True)
        assert [client.message() for _ in range(10)] == [str(number) for number in range(10, 20)]


def test_memory_forgets_topics_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("httpuv.brokers.memory._MOST_TOPICS", 10)
    shared, ear = brokers.Memory(), Ear()
    token = shared.start(ear.receive, ear.renewed.set)
    shared.subscribe(token, "kept")
    epoch, _ = shared.publish("kept", "x", "", KEEP)
    for number in range(1000):
        shared.publish(f"t{number}", "x", "", KEEP)
    assert len(shared._topics) == 10
    assert shared.publish("kept", "x", "", KEEP) == (epoch, 2)
    assert shared.publish("t999", "x", "", KEEP)[1] == 2  # the newest are there


def test_redis_is_paused(pair: Pair, redis: RedisServer) -> None:
    pair.publish("before")
    pair.settled("before")
    redis.signal(signal.SIGSTOP)
    try:
        with pytest.raises(brokers.Unavailable, match="answer"):
            pair.servers[0].publish("t", "maybe")
    finally:
        redis.signal(signal.SIGCONT)
    for number in range(10):
        pair.publish(str(number), number % 2)
    pair.settled("9")
    for got in pair.got:
        assert [each for each in got if each != "maybe"] == ["before", *map(str, range(10))]
        assert got == pair.got[0]


def test_redis_is_full(pair: Pair, redis: RedisServer) -> None:
    pair.publish("before")
    redis.tell("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(brokers.Unavailable, match="refuses"):
        pair.servers[0].publish("t", "too much")
    redis.tell("CONFIG", "SET", "maxmemory", "0")
    pair.publish("after")
    pair.settled("after")
    assert pair.got[0] == pair.got[1] == ["before", "after"]


def test_a_deaf_listener_is_replaced(pair: Pair, redis: RedisServer) -> None:
    """Its subscriptions are gone, the connection is not, and no message says so."""
    pair.publish("before")
    pair.settled("before")
    redis.tell("CLIENT", "KILL", "TYPE", "pubsub")
    for number in range(10):
        pair.publish(str(number))
    pair.settled("9")
    assert pair.got[0] == pair.got[1] == ["before", *map(str, range(10))]


def test_local_delivery_while_redis_is_away(serve: Serve, redis: RedisServer) -> None:
    pair = Pair(serve, redis, "local")
    pair.publish("before")
    pair.settled("before")
    redis.signal(signal.SIGTERM)
    published = pair.servers[0].publish("t", "here only")
    assert published == 0 and published.local
    wait_until(lambda: "here only" in pair.got[0])
    redis.start()
    pair.publish("after", 1)
    pair.settled("after")
    assert pair.got == [["before", "here only", "after"], ["before", "after"]]
    pair.close()


# --- what tells -----------------------------------------------------------------------------------


@pytest.mark.parametrize("needed", [True, False])
def test_health_readiness_and_metrics(serve: Serve, redis: RedisServer, needed: bool) -> None:
    """While Redis is away /readyz says so, unless the server is configured otherwise."""
    server = serve(
        {"call": lambda req: {"status": 200}},
        topics=TOPICS,
        broker=brokers.Redis(redis.url, timeout=0.5),
        readyNeedsBroker=needed,
        **PATHS,
    )

    def away() -> float:
        return value(samples(get(server, "/metrics").body), "httpuv_broker_away")

    wait_until(lambda: get(server, "/readyz").status == 200 and away() == 0)
    assert server.broker_health().ok
    redis.signal(signal.SIGTERM)
    wait_until(lambda: away() == 1)
    answer = get(server, "/readyz")
    assert answer.status == (503 if needed else 200)
    assert (b"broker" in answer.body) == needed
    assert get(server, "/livez").status == 200
    assert not server.broker_health().ok and server.broker_health().detail
    redis.start()
    wait_until(lambda: get(server, "/readyz").status == 200 and away() == 0)
    found = samples(get(server, "/metrics").body)
    assert value(found, "httpuv_broker_renewed_total") >= 1
    assert value(found, "httpuv_broker_dropped_total") == 0


def test_a_full_redis_is_told(serve: Serve, redis: RedisServer) -> None:
    server = serve({}, topics=TOPICS, broker=brokers.Redis(redis.url, timeout=0.5), **PATHS)
    wait_until(lambda: get(server, "/readyz").status == 200)
    server.publish("t", "x")  # Redis loads the script, and the one that follows it does not fail
    redis.tell("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(brokers.Unavailable, match="refuses"):
        server.publish("t", "x")
    assert "refuses" in server.broker_health().detail
    wait_until(lambda: get(server, "/readyz").status == 503)
    redis.tell("CONFIG", "SET", "maxmemory", "0")
    wait_until(lambda: get(server, "/readyz").status == 200)
    assert server.publish("t", "x") == 2


def test_a_server_without_a_broker_has_none_in_its_metrics(serve: Serve) -> None:
    server = serve({}, **PATHS)
    assert get(server, "/readyz").status == 200
    assert b"httpuv_broker" not in get(server, "/metrics").body


# --- the network, and a cluster -----------------------------------------------------------------


def test_redis_is_cut_off(serve: Serve) -> None:
    """Nothing arrives and no side notices; with the cable back, nothing is missing."""
    with contextlib.ExitStack() as stack:
        try:
            net = stack.enter_context(network())
        except NotPermitted as error:
            pytest.skip(f"no network namespace: {error}")
        redis = stack.enter_context(redis_server(net))
        pair = Pair(serve, redis)
        stack.callback(pair.close)
        pair.publish("before")
        pair.settled("before")
        net.cut()
        with pytest.raises(brokers.Unavailable):
            pair.servers[0].publish("t", "maybe")
        wait_until(lambda: not pair.servers[1].broker_health().ok)
        net.mend()
        for number in range(10):
            pair.publish(str(number), number % 2)
        pair.settled("9")
        for got in pair.got:
            assert [each for each in got if each != "maybe"] == ["before", *map(str, range(10))]


@pytest.fixture(params=[False, True], ids=["all nodes", "sharded"])
def spread(
    serve: Serve, cluster: list[RedisServer], request: pytest.FixtureRequest
) -> Iterator[Pair]:
    made = Pair(serve, cluster[0], shard=request.param, prefix=f"{time.time_ns()}:")
    yield made
    made.close()


def test_a_slot_moves_to_another_node(spread: Pair, cluster: list[RedisServer]) -> None:
    for number in range(10):
        spread.publish(str(number), number % 2)
    spread.settled("9")
    for move in range(1, 4):
        move_slot(cluster, f"{spread.prefix}{{t}}:at")
        for number in range(10 * move, 10 * move + 10):
            spread.publish(str(number), number % 2)
        spread.settled(str(10 * move + 9))
    for got in spread.got:
        assert got == [str(number) for number in range(40)]


def test_a_slot_is_back_before_it_was_missed(spread: Pair, cluster: list[RedisServer]) -> None:
    spread.publish("before")
    spread.settled("before")
    for _ in range(2):
        move_slot(cluster, f"{spread.prefix}{{t}}:at")
    spread.publish("after")  # the subscription has ended, and no message follows
    spread.settled("after")
    for got in spread.got:
        assert got == ["before", "after"]


def test_a_node_is_restarted(spread: Pair, cluster: list[RedisServer]) -> None:
    spread.publish("before")
    spread.settled("before")
    # A node that moves nothing away: the slot stays where it is.
    node = move_slot(cluster, f"{spread.prefix}{{t}}:at")
    node.signal(signal.SIGTERM)
    node.start("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
    for number in range(20):
        spread.publish(str(number), number % 2)
    spread.settled("19")
    for got in spread.got:
        assert got == ["before", *map(str, range(20))]
    wait_until(lambda: all(each.broker_health().ok for each in spread.servers))
