"""The budget of a server: what it may hold for all clients together, and what it says of it."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpuv
import pytest
from conftest import Serve
from httpuv.servers.stats import Held, Stats
from support import PATIENCE, Wire, address, chunked, fetch, request

Limits = httpuv.Limits
MIB = 1 << 20


def length(req: dict) -> dict:
    return {"status": 200, "body": str(len(req["rook.input"].read()))}


def until(condition: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, "it never was so"
        pause.wait(0.005)


def serve_until(condition: Callable[[], bool]) -> None:
    """Run callbacks until it is so."""

    def served() -> bool:
        httpuv.runNow(0)
        return condition()

    until(served)


def holds_nothing(server: httpuv.WebServer) -> None:
    """Everything that was held is given back."""
    until(lambda: not any(server.stats()["held"].values()))
    stats = server.stats()
    assert (stats["memory_bytes"], stats["disk_bytes"], stats["in_flight"]) == (0, 0, 0)


def small(wire: Wire) -> Wire:
    """A client with small kernel buffers: they take little of what it does not read."""
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return wire


# --- stats ---


def test_stats_name_what_is_held(serve: Serve) -> None:
    server = serve(length)
    assert fetch(address(server), request()).status == 200
    holds_nothing(server)
    stats = server.stats()
    assert set(stats) == set(Stats.__annotations__)
    assert set(stats["held"]) == set(Held.__annotations__)
    assert stats["requests"] == stats["accepted"] == 1
    server.stop()
    assert server.stats()["requests"] == 1


# --- bodies ---


def test_a_body_that_waits_for_python_is_counted() -> None:
    with (
        httpuv.startServer("127.0.0.1", 0, length) as server,
        Wire(address(server)) as short,
        Wire(address(server)) as long,
    ):
        short.send(request(method="POST", body=b"x" * 1000))
        long.send(request(method="POST", body=b"x" * 100_000))
        until(lambda: server.stats()["in_flight"] == 2)
        held = server.stats()["held"]
        assert (held["bodies"], held["spooled"]) == (1000, 100_000)
        assert 0 < held["heads"] < 4096
        serve_until(lambda: server.stats()["in_flight"] == 0)
        assert short.response().body == b"1000"
        assert long.response().body == b"100000"
        holds_nothing(server)


def test_a_spooled_body_counts_until_python_closes_it(serve: Serve) -> None:
    bodies = []

    def keep(req: dict) -> dict:
        bodies.append(req["rook.input"])
        return {"status": 200}

    server = serve(keep)
    for _ in range(2):
        assert fetch(address(server), request(method="POST", body=b"x" * 100_000)).status == 200
    assert server.stats()["disk_bytes"] == 200_000
    bodies.pop().close()
    until(lambda: server.stats()["disk_bytes"] == 100_000)
    bodies.clear()
    holds_nothing(server)


def test_bodies_of_clients_that_went_count_until_python_drops_them() -> None:
    """Events wait in the queue, whatever becomes of their connection."""
    with httpuv.startServer("127.0.0.1", 0, length) as server:
        for i in range(20):
            with Wire(address(server)) as wire:
                wire.send(request(method="POST", body=b"x" * 10_000))
                until(lambda count=i + 1: server.stats()["requests"] == count)
                until(lambda: server.stats()["in_flight"] == 1)
                wire.reset()
            until(lambda: server.stats()["connections"] == 0)
        assert server.stats()["held"]["bodies"] == 200_000
        serve_until(lambda: server.stats()["memory_bytes"] == 0)


def test_a_body_that_can_never_fit_is_refused_at_the_head(serve: Serve, tmp_path: Path) -> None:
    server = serve(length, limits=Limits(disk_bytes=100_000, memory_bytes=MIB))
    data = request("/", "Content-Length: 100001", "Expect: 100-continue", method="POST")
    with Wire(address(server)) as wire:
        wire.send(data)
        response = wire.response()
        assert (response.status, response.informational) == (413, [])
    whole = request(method="POST", body=b"x" * 100_000)
    assert fetch(address(server), whole).body == b"100000"
    holds_nothing(server)


def test_a_body_that_does_not_fit_now_is_refused_at_the_head() -> None:
    limits = Limits(disk_bytes=150_000)
    with (
        httpuv.startServer("127.0.0.1", 0, length, limits=limits) as server,
        Wire(address(server)) as first,
        Wire(address(server)) as late,
    ):
        first.send(request(method="POST", body=b"x" * 100_000))
        until(lambda: server.stats()["in_flight"] == 1)
        head = request("/", "Content-Length: 70000", "Expect: 100-continue", method="POST")
        late.send(head)
        response = late.response()
        assert (response.status, response.informational) == (503, [])
        assert int(response.get("Retry-After") or "") >= 1
        serve_until(lambda: server.stats()["in_flight"] == 0)
        assert first.response().body == b"100000"
        with Wire(address(server)) as again:
            again.send(head)
            assert again.head().status == 100
            again.send(b"x" * 70_000)
            serve_until(lambda: bool(select.select([again.socket], [], [], 0)[0]))
            assert again.response().body == b"70000"


@pytest.mark.parametrize(("limit", "status"), [("queue_bytes", 413), ("disk_bytes", 413)])
def test_a_body_of_unknown_length_ends_where_it_does_not_fit(
    serve: Serve, limit: str, status: int
) -> None:
    server = serve(length, limits=Limits(**{limit: 200_000}))
    start = request("/", "Transfer-Encoding: chunked", method="POST")
    assert fetch(address(server), start + chunked(b"x" * 200_000)).body == b"200000"
    with Wire(address(server)) as wire:
        wire.send(start + chunked(b"x" * 200_001))
        response = wire.response()
        assert response.status == status
        assert wire.at_end()
    holds_nothing(server)


def test_bodies_on_their_way_share_the_disk(serve: Serve) -> None:
    server = serve(length, limits=Limits(disk_bytes=MIB))
    wires = [Wire(address(server)) for _ in range(8)]
    head = request("/", "Transfer-Encoding: chunked", method="POST")
    for count, wire in enumerate(wires[:4], 1):
        wire.send(head + chunked(b"x" * (MIB // 4))[:-5])  # it never ends
        until(lambda size=count * MIB // 4: server.stats()["disk_bytes"] == size)
    for wire in wires[4:]:
        wire.send(head + chunked(b"x" * (MIB // 4))[:-5])
        assert wire.head().status == 503
    assert server.stats()["disk_bytes"] == MIB
    for wire in wires:
        wire.reset()
    holds_nothing(server)


# --- heads ---


def test_heads_that_wait_for_python_are_bounded() -> None:
    limits = Limits(memory_bytes=4 * MIB)
    with httpuv.startServer("127.0.0.1", 0, length, limits=limits) as server:
        wires = [Wire(address(server)) for _ in range(80)]
        for wire in wires:
            wire.send(request("/", "A: " + "x" * 90_000))
        until(lambda: server.stats()["requests"] == 80)
        stats = server.stats()
        assert 3 * MIB < stats["memory_bytes"] <= 4 * MIB
        assert stats["overloaded"] == 80 - stats["in_flight"] > 30
        serve_until(lambda: server.stats()["in_flight"] == 0)
        statuses = [wire.response().status for wire in wires]
        assert set(statuses) == {200, 503}
        for wire in wires:
            wire.close()
        holds_nothing(server)


def test_heads_that_are_not_complete_are_bounded(serve: Serve) -> None:
    server = serve(length, limits=Limits(memory_bytes=2 * MIB))
    wires = [Wire(address(server)) for _ in range(60)]
    for wire in wires:
        wire.send(request("/", "A: " + "x" * 60_000)[:-1])
    until(lambda: server.stats()["overloaded"] > 0)
    assert server.stats()["memory_bytes"] <= 2 * MIB
    for wire in wires:
        wire.reset()
    holds_nothing(server)


# --- answers ---


def test_pipelined_answers_that_wait_are_few() -> None:
    calls = 0
    body = b"x" * (4 * MIB)

    def call(req: dict) -> dict:
        nonlocal calls
        calls += 1
        return {"status": 200, "body": body}

    with httpuv.startServer("127.0.0.1", 0, call, dispatch="thread") as server:
        with Wire(address(server)) as wire:
            wire.send(request() * 24)
            until(lambda: server.stats()["held"]["answers"] > 0)
            until(lambda: calls > 0 and server.stats()["in_flight"] == 0)
            assert calls <= 8
            for _ in range(24):
                assert len(wire.response().body) == 4 * MIB
        assert calls == 24
        holds_nothing(server)


def test_an_answer_that_finds_memory_used_up_is_refused() -> None:
    def call(req: dict) -> dict:
        return {"status": 200, "body": b"x" * (8 * MIB)}

    limits = Limits(memory_bytes=16 * MIB)
    with httpuv.startServer("127.0.0.1", 0, call, dispatch="thread", limits=limits) as server:
        wires = [small(Wire(address(server))) for _ in range(8)]
        for wire in wires:
            wire.send(request())
        until(lambda: server.stats()["overloaded"] > 0)
        assert server.stats()["memory_bytes"] <= (16 + 8) * MIB + 64 * 1024  # heads, too
        for wire in wires:
            wire.reset()
        holds_nothing(server)
        assert len(fetch(address(server), request()).body) == 8 * MIB


# --- connections ---


def test_idle_connections_make_room_the_oldest_first(serve: Serve) -> None:
    server = serve(length, limits=Limits(max_connections=4))
    wires = []
    for _ in range(4):
        wire = Wire(address(server))
        wire.send(request())
        assert wire.response().status == 200
        wires.append(wire)
        time.sleep(0.01)  # idle since another millisecond
    for i in range(2):
        late = Wire(address(server))
        late.send(request())
        assert late.response().status == 200
        with wires[i]:
            assert wires[i].at_end()
        wires.append(late)  # stays open: the next one that comes has no room, either
    for wire in wires[2:]:
        wire.send(request())
        assert wire.response().status == 200
        wire.close()
    assert server.stats()["evicted"] == 2


def test_connections_without_a_request_make_room(serve: Serve) -> None:
    server = serve(length, limits=Limits(max_connections=3))
    silent = [Wire(address(server)) for _ in range(3)]
    with Wire(address(server)) as late:
        late.send(request())
        assert late.response().status == 200
    for wire in silent:
        wire.close()


def test_a_connection_that_goes_idle_lets_others_in(serve: Serve) -> None:
    server = serve(length, limits=Limits(max_connections=1))
    with Wire(address(server)) as first, Wire(address(server)) as late:
        first.send(request(method="POST", body=b"abc")[:-1])
        late.send(request())
        first.send(b"c")
        assert first.response().body == b"3"
        assert late.response().status == 200


# --- chaos ---


def test_everything_is_given_back_after_chaos(serve: Serve) -> None:
    def call(req: dict) -> dict:
        size = int(req["QUERY_STRING"] or 0)
        req["rook.input"].read(10)
        return {"status": 200, "body": b"x" * size}

    server = serve(call, limits=Limits(memory_bytes=8 * MIB, disk_bytes=2 * MIB))
    mixed = [
        request("/?5"),
        request("/?300000") * 5,
        request("/?2000000"),
        request("/", "A: " + "y" * 50_000),
        request("/?10", method="POST", body=b"z" * 30_000),
        request("/?10", method="POST", body=b"z" * 300_000),
        request("/?10", method="POST", body=b"z" * 300_000)[:-1],
        request("/", "A: b")[:-1],
        request("/", "Transfer-Encoding: chunked", method="POST") + chunked(b"q" * 90_000)[:-5],
        b"nonsense\r\n\r\n",
    ]
    seed = int.from_bytes(os.urandom(2), "big")
    wires = []
    for i in range(150):
        wire = small(Wire(address(server)))
        wire.socket.settimeout(0.01)
        try:
            for k in range(3):
                wire.send(mixed[(seed + i * 7 + k * 3 + i // 10) % len(mixed)])
        except OSError:
            pass
        if i % 3:
            wires.append(wire)
        else:
            wire.reset()
    for wire in wires:
        wire.reset()
    holds_nothing(server)
    assert fetch(address(server), request("/?5")).body == b"xxxxx", f"seed {seed}"
