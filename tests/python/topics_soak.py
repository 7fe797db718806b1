"""Topics on a Redis that fails: every client ends with every message once and in order, or a reset.

    python tests/python/topics_soak.py [--processes 4] [--clients 500] [--cycles 1000] [--seconds N]

Server processes share a Redis, each with so many clients. topicload.c has the clients: half of them
read streams of events, half are WebSockets. They leave at random and come back, to any of the
servers, with the position that they had last: so many times each, or until the seconds are over.
Meanwhile messages are published through all servers, and Redis is killed, restarted, paused,
emptied, filled, made to drop its listeners, and cut off in a network namespace of its own, where
one may be made.

What is checked, for every client: within an epoch offsets follow each other without a gap or a
double; what is missing was told by ``reset``, to a WebSocket by ``recovered``; under one position
all have the same message, which is the one that ``publish()`` has returned the position for; and in
the end all have what was published last.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from network import Network, NotPermitted, network
from redis_server import RedisServer, redis_server
from support import Script

SERVER = """
import sys
import httpuv
from httpuv import brokers

def call(req):
    if req["PATH_INFO"] == "/events":
        return stream
    try:
        published = server.publish("t", req["QUERY_STRING"])
    except brokers.Unavailable as error:
        return {"status": 503, "body": str(error)}
    return {"status": 200, "body": f"{published.epoch}.{published}"}

def opened(ws):
    epoch, _, offset = ws.request["QUERY_STRING"].rpartition(".")
    ws.onReset(lambda topic, epoch, offset: ws.send("!"))
    joined = ws.subscribe("t", since=(epoch, int(offset)) if epoch else None)
    try:
        ws.send(f"@{joined.epoch}.{joined.offset}.{int(joined.recovered)}")
    except TimeoutError:
        ws.close(1013)

stream = httpuv.EventStream(topics=["t"], keepalive=1.0)
limits = httpuv.Limits(max_connections=20_000)
topics = {"t": httpuv.Topic(history=5000, max_bytes=1 << 28)}
broker = brokers.Redis(sys.argv[1], timeout=1)
with httpuv.startServer(
    "127.0.0.1", 0, {"call": call, "onWSOpen": opened}, topics=topics, broker=broker, limits=limits,
    dispatch=4,
) as server:
    print(server.getPort(), flush=True)
    sys.stdin.readline()
"""


# --- the clients ---------------------------------------------------------------------------------


class Load:
    """topicload.c, compiled, with all clients. Skips the test where there is no C compiler.

    Args:
        folder: Where it is compiled.
        cycles: How often each comes back; 0: until it is told to end.
        stay: Seconds that a visit lasts, on the average.
    """

    def __init__(
        self, folder: str, ports: list[int], clients: int, cycles: int, stay: float
    ) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("needs a C compiler (Debian: apt-get install gcc)")
        program, source = f"{folder}/topicload", Path(__file__).with_name("topicload.c")
        warnings = ["-Wall", "-Wextra", "-Werror"]
        command = [compiler, "-std=c11", "-O2", *warnings, "-o", program, str(source)]
        subprocess.run(command, check=True)
        numbers = [clients, cycles, round(stay * 1000), 1, *ports]
        self._process = subprocess.Popen(
            [program, *map(str, numbers)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _tell(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def wait(self) -> None:
        """Until all have come back as often as they are to, or were told to end."""
        assert self._line() == "done\n"

    def end(self) -> None:
        """Have them end."""
        self._tell("end")

    def results(self, goal: str) -> dict[str, Any]:
        """What they have found, once all stand at the goal."""
        self._tell(goal)
        return json.loads(self._line())  # type: ignore[no-any-return]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


# --- the rest ------------------------------------------------------------------------------------


async def publish_one(port: int, message: str) -> str | None:
    """Publish a message through a server; returns its position, None if it may not have been."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET /publish?{message} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            answer = await reader.read()
        finally:
            writer.close()
        if b" 200 " in answer[:20]:
            return answer.rpartition(b"\r\n\r\n")[2].decode()
    return None


async def publish(
    ports: list[int], until: asyncio.Event, number: int, pause: float
) -> dict[str, str]:
    """Publish all the time; the positions of the messages that are known to have been."""
    places: dict[str, str] = {}
    count = 0
    while not until.is_set():
        message = f"{number}-{count}"
        place = await publish_one(ports[count % len(ports)], message)
        if place is not None:
            places[message] = place
        count += 1
        await asyncio.sleep(pause)
    return places


async def disturb(
    redis: RedisServer,
    net: Network | None,
    until: asyncio.Event,
    dice: random.Random,
    longest: float,
) -> list[str]:
    """One fault after the other, which last so many seconds at most."""
    done: list[str] = []
    kinds = ["kill", "restart", "pause", "deaf", "one deaf", "empty", "full"]
    if net is not None:
        kinds.append("cut off")
    while not until.is_set():
        kind = kinds[len(done) % len(kinds)]
        done.append(kind)
        if kind in ("kill", "restart"):
            redis.signal(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
            await asyncio.sleep(dice.random())
            await asyncio.to_thread(redis.start)
        elif kind == "pause":
            redis.signal(signal.SIGSTOP)
            await asyncio.sleep(1 + dice.random() * (longest - 1))
            redis.signal(signal.SIGCONT)
        elif kind == "deaf":
            redis.tell("CLIENT", "KILL", "TYPE", "pubsub")
        elif kind == "one deaf":  # one server is behind the others meanwhile
            listeners = re.findall(r"^id=(\d+)", redis.listing("pubsub"), re.MULTILINE)
            redis.tell("CLIENT", "KILL", "ID", dice.choice(listeners))
        elif kind == "empty":
            redis.tell("FLUSHALL")
        elif kind == "full":
            redis.tell("CONFIG", "SET", "maxmemory", "1")
            await asyncio.sleep(dice.random())
            redis.tell("CONFIG", "SET", "maxmemory", "0")
        else:
            assert net is not None
            net.cut()
            await asyncio.sleep(1 + dice.random() * (longest - 1))
            net.mend()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(until.wait(), (1 + dice.random()) * longest / 5)
    return done


@dataclass
class Outcome:
    """What a run has found.

    Attributes:
        found: What topicload.c has printed.
        published: The positions of messages, as publish() has returned them.
        kinds: The faults of Redis.
    """

    seconds: float
    processes: int
    found: dict[str, Any]
    published: dict[str, str]
    kinds: list[str] = field(default_factory=list)

    def check(self) -> None:
        """AssertionError if a client has found a fault."""
        found = self.found
        assert not found["faults"], found["shown"]
        assert found["lost"] == found["doubled"] == 0
        assert self.published and found["events"] and found["frames"]
        places = found["places"]
        for message, place in self.published.items():
            # What is not seen was lost with its epoch, before it had come to any server.
            assert places.get(message, place) == place, (message, place, places[message])

    def __str__(self) -> str:
        found, kinds = self.found, self.kinds
        counts = ", ".join(f"{kind} {kinds.count(kind)}" for kind in dict.fromkeys(kinds))
        return (
            f"{self.seconds:.0f} s: {found['clients']} clients of {self.processes} processes, half"
            f" of them WebSockets; {found['visits']} visits, {found['least']} to {found['most']}"
            f" each; {len(self.published)} messages published, {found['events']} events and"
            f" {found['frames']} frames checked: {found['lost']} lost, {found['doubled']} doubled;"
            f" {found['resets']} resets of event streams, {found['unrecovered']} of WebSockets;"
            f" {found['cut_off']} visits ended by the server; faults of Redis: {counts}"
        )


async def soak(
    redis: RedisServer,
    net: Network | None,
    ports: list[int],
    load: Load,
    seconds: float,
    pause: float,
    longest: float,
) -> Outcome:
    """Do it."""
    began = time.monotonic()
    until = asyncio.Event()
    publishers = [asyncio.create_task(publish(ports, until, n, pause)) for n in range(len(ports))]
    disturbing = asyncio.create_task(disturb(redis, net, until, random.Random(1), longest))
    waiting = asyncio.create_task(asyncio.to_thread(load.wait))
    await asyncio.wait([waiting], timeout=seconds)
    load.end()
    await waiting
    until.set()
    kinds = await disturbing
    published: dict[str, str] = {}
    for places in await asyncio.gather(*publishers):
        published |= places
    took = time.monotonic() - began
    message, place = await _last(ports)
    published[message] = place
    found = await asyncio.to_thread(load.results, place)
    return Outcome(took, len(ports), found, published, kinds)


async def _last(ports: list[int]) -> tuple[str, str]:
    """A last message, once one could be published, and its position."""
    deadline = time.monotonic() + 60
    count = 0
    while time.monotonic() < deadline:
        message = f"{len(ports)}-{count}"
        place = await publish_one(ports[0], message)
        if place is not None:
            return message, place
        count += 1
        await asyncio.sleep(0.2)
    raise AssertionError("nothing can be published any more")


def run(
    processes: int,
    clients: int,
    seconds: float,
    cycles: int = 0,
    stay: float = 0.2,
    pause: float = 0.02,
    longest: float = 7.0,
) -> Outcome:
    """Servers, Redis, clients; AssertionError if a client has found a fault.

    Args:
        processes: Servers.
        clients: For each of them.
        seconds: The longest that clients come back.
        cycles: How often each comes back; 0: as often as it can.
        stay: Seconds of a visit, on the average.
        pause: Seconds between two messages of a publisher; each server has one.
        longest: Seconds that a fault of Redis lasts, at most.
    """
    with contextlib.ExitStack() as stack:
        try:
            net = stack.enter_context(network())
        except NotPermitted as error:
            print(f"Redis is not cut off, since that needs a network namespace: {error}")
            net = None
        redis = stack.enter_context(redis_server(net))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        scripts = [stack.enter_context(Script(SERVER, redis.url)) for _ in range(processes)]
        ports = [int(each.line()) for each in scripts]
        load = Load(folder, ports, processes * clients, cycles, stay)
        stack.callback(load.close)
        outcome = asyncio.run(soak(redis, net, ports, load, seconds, pause, longest))
        for each in scripts:
            each.tell()
        outcome.check()
        return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description="Topics on a Redis that fails.")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--clients", type=int, default=500, help="of each process")
    parser.add_argument("--seconds", type=float, default=3600, help="the longest")
    parser.add_argument("--cycles", type=int, default=1000, help="how often a client comes back")
    parser.add_argument("--stay", type=float, default=0.2, help="seconds of a visit")
    parser.add_argument("--pause", type=float, default=0.2, help="between messages of a publisher")
    parser.add_argument("--longest", type=float, default=7, help="seconds of a fault of Redis")
    print(run(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
