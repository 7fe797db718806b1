"""Topics on a Redis that fails: every client ends with every message once and in order, or a reset.

    python tests/python/topics_soak.py [--processes 4] [--clients 2000] [--seconds 300]

Server processes share a Redis. Clients read streams of events, leave at random and come back, to
any of the servers, with the id they had last. Meanwhile messages are published through all servers,
and Redis is killed, restarted, paused, emptied, filled, and made to drop its listeners.

What is checked, for every client: within an epoch offsets follow each other without a gap or a
double; what is missing was told by ``reset``; whatever two clients have under the same id is the
same; and in the end all stand where Redis does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import time
from dataclasses import dataclass, field

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
        return {"status": 200, "body": str(server.publish("t", req["QUERY_STRING"]))}
    except brokers.Unavailable as error:
        return {"status": 503, "body": str(error)}

stream = httpuv.EventStream(topics=["t"], keepalive=1.0)
limits = httpuv.Limits(max_connections=20_000)
topics = {"t": httpuv.Topic(history=5000, max_bytes=1 << 28)}
broker = brokers.Redis(sys.argv[1], timeout=1)
with httpuv.startServer(
    "127.0.0.1", 0, call, topics=topics, broker=broker, limits=limits, dispatch=4
) as server:
    print(server.getPort(), flush=True)
    sys.stdin.readline()
"""


@dataclass
class Client:
    """One that reads, leaves and comes back."""

    ports: list[int]
    dice: random.Random
    seen: dict[str, str]  # by id: what all clients have there
    last: str = ""
    got: int = 0
    resets: int = 0
    cycles: int = 0
    faults: list[str] = field(default_factory=list)

    async def run(self, until: asyncio.Event) -> None:
        while not until.is_set():
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self.visit(until, self.dice.expovariate(1.0))
            await asyncio.sleep(self.dice.random() * 0.2)

    async def visit(self, until: asyncio.Event, seconds: float, goal: str | None = None) -> None:
        """Connect, and read for so long, or until the goal is reached."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.dice.choice(self.ports))
        try:
            name = f"Last-Event-ID: {self.last}\r\n" if self.last else ""
            writer.write(f"GET /events HTTP/1.0\r\nHost: x\r\n{name}\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            self.cycles += 1
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0 and self.last != goal:
                try:
                    block = await asyncio.wait_for(reader.readuntil(b"\n\n"), left)
                except asyncio.TimeoutError:
                    return
                self.take(block.decode())
        finally:
            writer.close()

    def take(self, block: str) -> None:
        """An event, as a browser takes it."""
        lines = [line.partition(": ") for line in block.splitlines() if line[:1] != ":"]
        fields = {name: value for name, _, value in lines}
        if "id" not in fields:
            return
        place, before = fields["id"], self.last
        self.last = place
        if fields.get("event") == "reset":
            self.resets += 1
        elif "data" not in fields:
            if before and before != place:
                self.faults.append(f"no reset: {place} behind {before}")
        else:
            self.got += 1
            epoch, _, offset = place.rpartition(".")
            if before and before != f"{epoch}.{int(offset) - 1}":
                self.faults.append(f"{place} behind {before}")
            if self.seen.setdefault(place, fields["data"]) != fields["data"]:
                self.faults.append(f"{place} is {fields['data']}, and was {self.seen[place]}")


async def publish(ports: list[int], until: asyncio.Event, number: int) -> int:
    """Publish all the time; how many are known to have been."""
    count = done = 0
    while not until.is_set():
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", ports[count % len(ports)])
            writer.write(f"GET /?{number}-{count} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            done += b" 200 " in answer[:20]
        count += 1
        await asyncio.sleep(0.01)
    return done


async def disturb(redis: RedisServer, until: asyncio.Event, dice: random.Random) -> list[str]:
    """One fault after the other."""
    done = []
    kinds = ["kill", "restart", "pause", "deaf", "empty", "full"]
    while not until.is_set():
        kind = kinds[len(done) % len(kinds)]
        done.append(kind)
        if kind in ("kill", "restart"):
            redis.signal(signal.SIGKILL if kind == "kill" else signal.SIGTERM)
            await asyncio.sleep(dice.random())
            await asyncio.to_thread(redis.start)
        elif kind == "pause":
            redis.signal(signal.SIGSTOP)
            await asyncio.sleep(1 + dice.random() * 6)
            redis.signal(signal.SIGCONT)
        elif kind == "deaf":
            redis.tell("CLIENT", "KILL", "TYPE", "pubsub")
        elif kind == "empty":
            redis.tell("FLUSHALL")
        else:
            redis.tell("CONFIG", "SET", "maxmemory", "1")
            await asyncio.sleep(dice.random())
            redis.tell("CONFIG", "SET", "maxmemory", "0")
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(until.wait(), 1 + dice.random() * 3)
    return done


async def soak(redis: RedisServer, ports: list[int], clients: int, seconds: float) -> str:
    """Do it; what was done. AssertionError if a client has found a fault."""
    dice = random.Random(1)
    seen: dict[str, str] = {}
    until = asyncio.Event()
    readers = [Client(ports, random.Random(n), seen) for n in range(clients)]
    visits = [asyncio.create_task(each.run(until)) for each in readers]
    publishers = [asyncio.create_task(publish(ports, until, n)) for n in range(2)]
    disturbing = asyncio.create_task(disturb(redis, until, dice))
    await asyncio.sleep(seconds)
    until.set()
    faults = await disturbing
    published = sum(await asyncio.gather(*publishers))
    await asyncio.gather(*visits)
    goal = await _last_place(ports)
    for each in readers:  # one after the other comes to where Redis stands
        deadline = time.monotonic() + 60
        while each.last != goal and time.monotonic() < deadline:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await each.visit(until, 10, goal)
        assert each.last == goal, f"a client stands at {each.last}, not at {goal}"
        assert not each.faults, each.faults[:5]
    assert published > 0 and any(each.got for each in readers)
    cycles = sum(each.cycles for each in readers)
    resets = sum(each.resets for each in readers)
    return (
        f"{published} published, {cycles} visits, {resets} resets, {len(faults)} faults: {faults}"
    )


async def _last_place(ports: list[int]) -> str:
    """Where the topic stands: once a message could be published, what a new client is told."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[0])
        writer.write(b"GET /?end HTTP/1.0\r\nHost: x\r\n\r\n")
        answer = await reader.read()
        writer.close()
        if b" 200 " in answer[:20]:
            new = Client(ports[:1], random.Random(0), {})
            offset = answer.rpartition(b"\r\n\r\n")[2].decode()
            for _ in range(100):
                await new.visit(asyncio.Event(), 0.2)
                if new.last.endswith("." + offset):
                    return new.last
                new.last = ""
        await asyncio.sleep(0.2)
    raise AssertionError("nothing can be published any more")


def run(processes: int, clients: int, seconds: float) -> str:
    """Servers, Redis, clients; what was done."""
    with redis_server() as redis, contextlib.ExitStack() as stack:
        scripts = [stack.enter_context(Script(SERVER, redis.url)) for _ in range(processes)]
        ports = [int(each.line()) for each in scripts]
        done = asyncio.run(soak(redis, ports, clients, seconds))
        for each in scripts:
            each.tell()
        return done


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Topics on a Redis that fails.")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--clients", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=300)
    given = parser.parse_args()
    print(run(given.processes, given.clients, given.seconds))
