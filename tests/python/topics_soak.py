"""Topics on a Redis that fails: every client ends with every message once and in order, or a reset.

    python tests/python/topics_soak.py [--processes 4] [--clients 500] [--cycles 1000] [--seconds N]

Server processes share a Redis, each with so many clients. Clients read streams of events, leave at
random and come back, to any of the servers, with the id they had last: so many times each, or until
the seconds are over. Meanwhile messages are published through all servers, and Redis is killed,
restarted, paused, emptied, filled, made to drop its listeners, and cut off in a network namespace
of its own, where one may be made.

What is checked, for every client: within an epoch offsets follow each other without a gap or a
double; what is missing was told by ``reset``; whatever two clients have under the same id is the
same; and in the end all stand where Redis does.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

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
class Plan:
    """What one process of clients does.

    Attributes:
        first: The number of its first client.
        clients: How many it has.
        cycles: How often each comes back; 0: until it is told to end.
        stay: Seconds that a visit lasts, on the average.
    """

    ports: list[int]
    first: int
    clients: int
    cycles: int
    stay: float


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

    async def run(self, until: asyncio.Event, cycles: int, stay: float) -> None:
        while not until.is_set() and not (cycles and self.cycles >= cycles):
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self.visit(self.dice.expovariate(1 / stay))
            await asyncio.sleep(self.dice.random() * stay / 5)

    async def visit(self, seconds: float, goal: str | None = None) -> None:
        """Connect, and read for so long, or until the goal is reached."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.dice.choice(self.ports))
        try:
            name = f"Last-Event-ID: {self.last}\r\n" if self.last else ""
            writer.write(f"GET /events HTTP/1.0\r\nHost: x\r\n{name}\r\n".encode())
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            self.cycles += 1
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0 and self.last != goal:
                try:
                    block = await asyncio.wait_for(reader.readuntil(b"\n\n"), left)
                except asyncio.TimeoutError:
                    return
                self.take(block.decode())
        except asyncio.TimeoutError:
            pass  # the server has had too much to do: once more
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


# --- a process of clients ------------------------------------------------------------------------


async def read(plan: Plan) -> dict[str, Any]:
    """Do what the plan says until "end" is told, or all have come back as often as they are to.

    Then a line says so, and the next one tells where all are to end.
    """
    seen: dict[str, str] = {}
    until = asyncio.Event()
    numbers = range(plan.first, plan.first + plan.clients)
    clients = [Client(plan.ports, random.Random(number), seen) for number in numbers]
    visits = [asyncio.create_task(each.run(until, plan.cycles, plan.stay)) for each in clients]

    async def told() -> None:
        await asyncio.to_thread(sys.stdin.readline)
        until.set()

    ending = asyncio.create_task(told())
    await asyncio.gather(*visits)
    print("done", flush=True)
    await ending
    goal = (await asyncio.to_thread(sys.stdin.readline)).strip()
    room = asyncio.Semaphore(50)

    async def finish(client: Client) -> None:
        deadline = time.monotonic() + 60
        async with room:
            while client.last != goal and time.monotonic() < deadline:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    await client.visit(10, goal)
        if client.last != goal:
            client.faults.append(f"it stands at {client.last}, not at {goal}")

    await asyncio.gather(*map(finish, clients))
    return {
        "faults": [fault for each in clients for fault in each.faults],
        "cycles": [each.cycles for each in clients],
        "got": sum(each.got for each in clients),
        "resets": sum(each.resets for each in clients),
        "seen": seen,
    }


class Readers:
    """Processes of clients."""

    def __init__(self, plans: list[Plan]) -> None:
        command = [sys.executable, __file__, "--read"]
        self._processes = [
            subprocess.Popen(
                [*command, json.dumps(vars(plan))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for plan in plans
        ]

    def _tell(self, text: str) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(text + "\n")
            process.stdin.flush()

    def _lines(self) -> list[str]:
        return [process.stdout.readline() for process in self._processes if process.stdout]

    def wait(self) -> None:
        """Until all have come back as often as they are to, or were told to end."""
        assert self._lines() == ["done\n"] * len(self._processes)

    def end(self) -> None:
        """Have them end."""
        self._tell("end")

    def results(self, goal: str) -> list[dict[str, Any]]:
        """What they have found, once all stand at the goal."""
        self._tell(goal)
        return [json.loads(line) for line in self._lines()]

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()


# --- the rest ------------------------------------------------------------------------------------


async def publish(ports: list[int], until: asyncio.Event, number: int, pause: float) -> int:
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
        await asyncio.sleep(pause)
    return done


async def disturb(
    redis: RedisServer, net: Network | None, until: asyncio.Event, dice: random.Random
) -> list[str]:
    """One fault after the other."""
    done = []
    kinds = ["kill", "restart", "pause", "deaf", "empty", "full"]
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
            await asyncio.sleep(1 + dice.random() * 6)
            redis.signal(signal.SIGCONT)
        elif kind == "deaf":
            redis.tell("CLIENT", "KILL", "TYPE", "pubsub")
        elif kind == "empty":
            redis.tell("FLUSHALL")
        elif kind == "full":
            redis.tell("CONFIG", "SET", "maxmemory", "1")
            await asyncio.sleep(dice.random())
            redis.tell("CONFIG", "SET", "maxmemory", "0")
        else:
            assert net is not None
            net.cut()
            await asyncio.sleep(1 + dice.random() * 6)
            net.mend()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(until.wait(), 1 + dice.random() * 3)
    return done


async def soak(
    redis: RedisServer,
    net: Network | None,
    ports: list[int],
    readers: Readers,
    seconds: float,
    pause: float,
) -> str:
    """Do it; what was done. AssertionError if a client has found a fault."""
    began = time.monotonic()
    until = asyncio.Event()
    publishers = [asyncio.create_task(publish(ports, until, n, pause)) for n in range(len(ports))]
    disturbing = asyncio.create_task(disturb(redis, net, until, random.Random(1)))
    waiting = asyncio.create_task(asyncio.to_thread(readers.wait))
    await asyncio.wait([waiting], timeout=seconds)
    readers.end()
    await waiting
    until.set()
    kinds = await disturbing
    published = sum(await asyncio.gather(*publishers))
    took = time.monotonic() - began
    results = await asyncio.to_thread(readers.results, await _last_place(ports))
    faults = [fault for each in results for fault in each["faults"]]
    assert not faults, (len(faults), faults[:5])
    seen: dict[str, str] = {}
    for each in results:
        for place, data in each["seen"].items():
            assert seen.setdefault(place, data) == data, (place, data, seen[place])
    assert published > 0 and seen
    cycles = [number for each in results for number in each["cycles"]]
    got, resets = (sum(each[name] for each in results) for name in ("got", "resets"))
    counts = ", ".join(f"{kind} {kinds.count(kind)}" for kind in dict.fromkeys(kinds))
    return (
        f"{took:.0f} s: {len(cycles)} clients of {len(ports)} processes,"
        f" {sum(cycles)} visits, {min(cycles)} to {max(cycles)} each; {published} messages"
        f" published, {got} received, {resets} resets; faults of Redis: {counts}"
    )


async def _last_place(ports: list[int]) -> str:
    """Where the topic stands: once a message could be published, what a new client is told."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[0])
        writer.write(b"GET /?end HTTP/1.0\r\nHost: x\r\n\r\n")
        answer = await reader.read()
        writer.close()
        if b" 200 " in answer[:20]:
            new = Client(ports[:1], random.Random(0), {})
            offset = answer.rpartition(b"\r\n\r\n")[2].decode()
            for _ in range(100):
                await new.visit(0.2)
                if new.last.endswith("." + offset):
                    return new.last
                new.last = ""
        await asyncio.sleep(0.2)
    raise AssertionError("nothing can be published any more")


def run(
    processes: int,
    clients: int,
    seconds: float,
    cycles: int = 0,
    stay: float = 1.0,
    pause: float = 0.02,
    readers: int = 1,
) -> str:
    """Servers, Redis, clients; what was done.

    Args:
        processes: Servers.
        clients: For each of them.
        seconds: The longest that clients come back.
        cycles: How often each comes back; 0: as often as it can.
        stay: Seconds of a visit, on the average.
        pause: Seconds between two messages of a publisher; each server has one.
        readers: Processes that the clients are in.
    """
    with contextlib.ExitStack() as stack:
        try:
            net = stack.enter_context(network())
        except NotPermitted as error:
            print(f"Redis is not cut off, since that needs a network namespace: {error}")
            net = None
        redis = stack.enter_context(redis_server(net))
        scripts = [stack.enter_context(Script(SERVER, redis.url)) for _ in range(processes)]
        ports = [int(each.line()) for each in scripts]
        share = processes * clients // readers
        plans = [Plan(ports, n * share, share, cycles, stay) for n in range(readers)]
        started = Readers(plans)
        stack.callback(started.close)
        done = asyncio.run(soak(redis, net, ports, started, seconds, pause))
        for each in scripts:
            each.tell()
        return done


def main() -> None:
    parser = argparse.ArgumentParser(description="Topics on a Redis that fails.")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--clients", type=int, default=500, help="of each process")
    parser.add_argument("--seconds", type=float, default=3600, help="the longest")
    parser.add_argument("--cycles", type=int, default=1000, help="how often a client comes back")
    parser.add_argument("--stay", type=float, default=0.4, help="seconds of a visit")
    parser.add_argument("--pause", type=float, default=0.5, help="between messages of a publisher")
    parser.add_argument("--readers", type=int, default=2, help="processes of clients")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    given = vars(parser.parse_args())
    plan = given.pop("read")
    if plan is not None:
        print(json.dumps(asyncio.run(read(Plan(**json.loads(plan))))), flush=True)
    else:
        print(run(**given))


if __name__ == "__main__":
    main()
