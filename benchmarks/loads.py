"""The clients: wrk for HTTP, wsload for WebSockets, and connections that only stay."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import checks
from environment import WSLOAD
from servers import HOST, Server

HERE = Path(__file__).parent


class LoadFailed(Exception):
    """The client saw an error, so what it measured means nothing."""


@dataclass(frozen=True)
class Measured:
    """One measurement.

    Attributes:
        value: In the unit of the scenario.
        p50_us, p99_us: Time from sending to receiving, in microseconds; 0 if not measured.
        server_cpu, load_cpu: Share of one core that each used.
        cpu_us: Processor time of the server for each answer, in microseconds.
        switches, transfers: Context switches of the server, and its calls of read(2), write(2) and
            their kin, for each answer.
        answers: How many there were.
    """

    value: float
    p50_us: float = 0.0
    p99_us: float = 0.0
    server_cpu: float = 0.0
    load_cpu: float = 0.0
    cpu_us: float = 0.0
    switches: float = 0.0
    transfers: float = 0.0
    answers: float = 0.0


@dataclass(frozen=True)
class Used:
    """What a client printed, and the processor time that the two sides took."""

    result: dict[str, float]
    server_seconds: float
    load_seconds: float
    wall_seconds: float
    switches: int
    transfers: int

    def measured(self, value: float, answers: float) -> Measured:
        return Measured(
            value,
            self.result["p50_us"],
            self.result["p99_us"],
            self.server_seconds / self.wall_seconds,
            self.load_seconds / self.wall_seconds,
            1e6 * self.server_seconds / max(answers, 1),
            self.switches / max(answers, 1),
            self.transfers / max(answers, 1),
            answers,
        )


def run_client(
    command: list[str], server: Server, core: str | None, env: dict[str, str], seconds: float
) -> Used:
    pin = ["taskset", "-c", core] if core is not None else []
    cpu, switches = server.cpu_seconds(), server.context_switches()
    transfers = server.transfers()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    try:
        result = subprocess.run(
            [*pin, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **env},
            timeout=2 * seconds + 60,
        )
    except subprocess.TimeoutExpired:
        raise LoadFailed(f"{command[0]} is not done in time") from None
    wall = time.monotonic() - start
    cpu = server.cpu_seconds() - cpu
    switches = server.context_switches() - switches
    transfers = server.transfers() - transfers
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    server.check()
    line = next(
        (line for line in result.stdout.splitlines() if line.startswith(("result {", "{"))), None
    )
    if result.returncode != 0 or line is None:
        raise LoadFailed(f"{command[0]}: {result.stdout.strip()[-300:]}")
    result_of = json.loads(line.removeprefix("result "))
    return Used(result_of, cpu, used, wall, switches, transfers)


class Load:
    """Something that measures a server."""

    #: A short run that does not count comes first.
    warms_up = True

    def measure(self, server: Server, core: str | None, seconds: float) -> Measured:
        """Measures for so many seconds, pinned to `core` unless that is None.

        Raises:
            LoadFailed: The client met an error.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Wrk(Load):
    """wrk with one thread.

    Attributes:
        target: Of the requests.
        depth: Requests in a batch.
        paths: Files below the target to be asked for in turn.
        unit: What counts: "requests" or "bytes" for each second, or "p99" in microseconds.
    """

    target: str = "/"
    connections: int = 64
    depth: int = 1
    paths: int = 0
    unit: str = "requests"
    conditional: bool = False
    tls: bool = False

    def measure(self, server: Server, core: str | None, seconds: float) -> Measured:
        command = ["wrk", "-t1", f"-c{self.connections}", f"-d{seconds:.0f}s", "--timeout", "30s"]
        command += ["-s", str(HERE / "load.lua")]
        if self.conditional:
            field, condition = checks.validator(server.port, self.target)
            command += ["-H", f"{field}: {condition}"]
        command.append(f"http{'s' if self.tls else ''}://{HOST}:{server.port}{self.target}")
        env = {"DEPTH": str(self.depth), "PATHS": str(self.paths)}
        used = run_client(command, server, core, env, seconds)
        result = used.result
        if result["failed"] or result["status"] or not result["bytes"]:
            raise LoadFailed(f"wrk counted failures: {result}")
        if self.depth > 1:
            # wrk's correction for coordinated omission takes a batch for a single request.
            result.update(p50_us=0.0, p99_us=0.0)
        if self.unit == "p99" and not result["p99_us"]:
            raise LoadFailed("wrk could not tell the 99th percentile")
        rate = result["requests"] / result["seconds"]
        value = {
            "requests": rate,
            "bytes": result["bytes"] / result["seconds"],
            "p99": result["p99_us"],
        }[self.unit]
        return used.measured(value, result["requests"])


@dataclass(frozen=True)
class Handshakes(Load):
    """New TLS connections, none of them resumed: several `openssl s_time` at once.

    Attributes:
        clients: How many.
    """

    clients: int = 4

    def measure(self, server: Server, core: str | None, seconds: float) -> Measured:
        pin = ["taskset", "-c", core] if core is not None else []
        command = [*pin, "openssl", "s_time", "-connect", f"{HOST}:{server.port}", "-new"]
        command += ["-time", f"{max(seconds, 1):.0f}"]
        cpu, start = server.cpu_seconds(), time.monotonic()
        clients = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(self.clients)
        ]
        outputs = [client.communicate(timeout=2 * seconds + 60)[0] for client in clients]
        wall = time.monotonic() - start
        server.check()
        total = 0.0
        for output in outputs:
            found = re.search(r"(\d+) connections in (\d+) real seconds", output)
            if found is None or int(found[2]) == 0:
                raise LoadFailed(f"openssl s_time: {output.strip()[-300:]}")
            total += int(found[1]) / max(seconds, 1)
        used = server.cpu_seconds() - cpu
        return Measured(total, server_cpu=used / wall, cpu_us=1e6 * used / max(total * wall, 1))


@dataclass(frozen=True)
class WsLoad(Load):
    """wsload.

    Attributes:
        kind: "echo" or "broadcast".
        size, type: Of a message: bytes, and "text" or "binary".
        unit: "messages" for each second, or "p50" in microseconds.
        under_way: Of a broadcast: messages that have not reached everybody yet.
    """

    kind: str
    path: str
    connections: int
    size: int
    type: str
    unit: str = "messages"
    under_way: int = 0

    def measure(self, server: Server, core: str | None, seconds: float) -> Measured:
        command = [str(WSLOAD), self.kind, HOST, str(server.port), self.path]
        command += [str(self.connections), str(self.size), self.type, f"{seconds:.0f}"]
        if self.under_way:
            command.append(str(self.under_way))
        used = run_client(command, server, core, {}, seconds)
        rate = used.result["messages"] / used.result["seconds"]
        value = used.result["p50_us"] if self.unit == "p50" else rate
        # The client's warm-up is part of the processor time.
        return used.measured(value, rate * used.wall_seconds)


@dataclass(frozen=True)
class Idle(Load):
    """Connections that have had one answer and stay: resident bytes of the server for each."""

    warms_up = False  # what it leaves behind would be taken for free

    websocket: bool
    connections: int = 1000

    def measure(self, server: Server, core: str | None, seconds: float) -> Measured:
        with contextlib.ExitStack() as stack:
            # The first ones pay for what the server allocates once.
            self.open(server.port, 20, stack)
            before = server.resident_bytes()
            self.open(server.port, self.connections, stack)
            settled = server.resident_bytes()
        server.check()
        return Measured((settled - before) / self.connections)

    def open(self, port: int, count: int, stack: contextlib.ExitStack) -> None:
        for _ in range(count):
            client = stack.enter_context(socket.create_connection((HOST, port), 10))
            if self.websocket:
                checks.upgrade(client, "/ws")
                checks.echo(client, b"x" * 32)
            else:
                client.sendall(checks.request("/"))
                checks.read_answer(client)


@contextlib.contextmanager
def many_descriptors() -> Iterator[None]:
    """Lets this process and its children open some thousand connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16384 if hard == resource.RLIM_INFINITY else min(16384, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
