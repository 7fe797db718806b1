"""The clients: wrk for HTTP, wsload for WebSockets, pace for what is blocked, and connections that
only stay."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from measure import checks
from measure.environment import PACE, WSLOAD
from measure.servers import HOST, Counters, Server

CLIENTS = Path(__file__).parents[1] / "clients"


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


#: Longer than its time plus this, and a client has hung.
PATIENCE = 20.0


@dataclass(frozen=True)
class Used:
    """What a client printed, what the server took meanwhile, and the client's processor time."""

    result: dict[str, float]
    server: Counters
    load_seconds: float
    wall_seconds: float

    def measured(self, value: float, answers: float) -> Measured:
        return Measured(
            value,
            self.result["p50_us"],
            self.result["p99_us"],
            self.server.cpu_seconds / self.wall_seconds,
            self.load_seconds / self.wall_seconds,
            1e6 * self.server.cpu_seconds / max(answers, 1),
            self.server.switches / max(answers, 1),
            self.server.transfers / max(answers, 1),
            answers,
        )


def run_client(
    command: list[str], server: Server, core: str | None, env: dict[str, str], seconds: float
) -> Used:
    pin = ["taskset", "-c", core] if core is not None else []
    counters = server.counters()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    try:
        result = subprocess.run(
            [*pin, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **env},
            timeout=seconds + PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise LoadFailed(f"{command[0]} is not done in time") from None
    wall = time.monotonic() - start
    counters = server.counters().since(counters)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    server.check()
    line = next(
        (line for line in result.stdout.splitlines() if line.startswith(("result {", "{"))), None
    )
    if result.returncode != 0 or line is None:
        raise LoadFailed(f"{command[0]}: {result.stdout.strip()[-300:]}")
    return Used(json.loads(line.removeprefix("result ")), counters, used, wall)


class Load:
    """Something that measures a server."""

    #: A short run that does not count comes first.
    warms_up = True

    def missing(self, port: int, root: Path) -> dict[str, str]:
        """The parts that the server on this port cannot be measured at, and why."""
        return {}

    def measure_parts(
        self, server: Server, core: str | None, seconds: float
    ) -> dict[str, Measured]:
        """All that one run measures, by what is appended to the scenario's name."""
        return {"": self.measure(server, core, seconds)}

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
        conditional: With the validator that the server gives.
        body: "order": a POST with common.order().
        size: Of an answer's body: a slice ends within answers that take long.
    """

    target: str = "/"
    connections: int = 64
    depth: int = 1
    paths: int = 0
    unit: str = "requests"
    conditional: bool = False
    tls: bool = False
    body: str = ""
    size: int = 0

    def measure(self, server: Server, core: str | None, seconds: float) -> Measured:
        seconds = max(1.0, float(round(seconds)))  # wrk knows no shorter time
        command = ["wrk", "-t1", f"-c{self.connections}", f"-d{seconds:.0f}s", "--timeout", "30s"]
        command += ["-s", str(CLIENTS / "load.lua")]
        if self.conditional:
            field, condition = checks.validator(server.port, self.target)
            command += ["-H", f"{field}: {condition}"]
        command.append(f"http{'s' if self.tls else ''}://{HOST}:{server.port}{self.target}")
        env = {"DEPTH": str(self.depth), "PATHS": str(self.paths)}
        with tempfile.NamedTemporaryFile() as body:
            if self.body:
                body.write(checks.order())
                body.flush()
                env["BODY"] = body.name
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
        answers = result["bytes"] / self.size if self.size else result["requests"]
        return used.measured(value, answers)


@dataclass(frozen=True)
class Handshakes(Load):
    """New TLS connections, none of them resumed: several `openssl s_time` at once.

    Attributes:
        clients: How many.
    """

    clients: int = 4

    def measure(self, server: Server, core: str | None, seconds: float) -> Measured:
        pin = ["taskset", "-c", core] if core is not None else []
        seconds = max(1.0, float(round(seconds)))  # whole ones only
        command = [*pin, "openssl", "s_time", "-connect", f"{HOST}:{server.port}", "-new"]
        command += ["-time", f"{seconds:.0f}"]
        counters, start = server.counters(), time.monotonic()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        clients = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(self.clients)
        ]
        try:
            outputs = [client.communicate(timeout=seconds + PATIENCE)[0] for client in clients]
        except subprocess.TimeoutExpired:
            raise LoadFailed("openssl s_time is not done in time") from None
        finally:
            for client in clients:
                client.kill()
                client.wait()
        wall = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        server.check()
        answers = 0
        for output in outputs:
            found = re.search(r"(\d+) connections in (\d+) real seconds", output)
            if found is None:
                raise LoadFailed(f"openssl s_time: {output.strip()[-300:]}")
            answers += int(found[1])
        load = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        used = Used({"p50_us": 0.0, "p99_us": 0.0}, server.counters().since(counters), load, wall)
        # s_time counts whole seconds; what it takes to start is a few milliseconds.
        return used.measured(answers / wall, answers)


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
        command += [str(self.connections), str(self.size), self.type, f"{seconds:g}"]
        if self.under_way:
            command.append(str(self.under_way))
        used = run_client(command, server, core, {}, seconds)
        rate = used.result["messages"] / used.result["seconds"]
        value = used.result["p50_us"] if self.unit == "p50" else rate
        # The client's warm-up is part of the processor time.
        return used.measured(value, rate * used.wall_seconds)


@dataclass(frozen=True)
class Pace(Load):
    """pace: a file, health and pings at a fixed rate while a handler of the application blocks, and
    with an idle server before. Their p99 in microseconds.

    Attributes:
        block: What blocks for longer than BLOCKED seconds.
        rate: Of each kind, a second.
        kinds: Of KINDS.
        phases: How the names of the measurements end: "-before" is that with an idle server.
    """

    warms_up = False

    KINDS: ClassVar[dict[str, str]] = {"static": "1 KiB", "health": "health", "ping": "pings"}
    PATHS: ClassVar[dict[str, str]] = {
        "static": "/static/1k.bin",
        "health": "/livez",
        "ping": "/ws",
    }
    BLOCKED: ClassVar[float] = 2.9
    BEFORE: ClassVar[float] = 1.5

    block: str
    rate: int = 300
    kinds: tuple[str, ...] = tuple(KINDS)
    phases: tuple[str, ...] = ("-before", "")

    def missing(self, port: int, root: Path) -> dict[str, str]:
        tries: dict[str, Callable[[], None]] = {
            "static": lambda: checks.check_content(
                port, self.PATHS["static"], (root / "1k.bin").read_bytes()
            ),
            "health": lambda: checks.check_health(port, self.PATHS["health"]),
            "ping": lambda: checks.check_ping(port),
        }
        found = {}
        for kind in self.kinds:
            try:
                tries[kind]()
            except (checks.Wrong, OSError, ValueError) as error:
                found[kind] = f"{type(error).__name__}: {error}"
        return found

    def measure_parts(
        self, server: Server, core: str | None, seconds: float
    ) -> dict[str, Measured]:
        found: dict[str, Measured] = {}
        for phase in self.phases:
            time_, block = (self.BEFORE, "-") if phase else (self.BLOCKED, self.block)
            command = [str(PACE), HOST, str(server.port), str(time_), str(self.rate)]
            paths = [self.PATHS[kind] for kind in ("static", "health", "ping")]
            command += [
                "-" if kind in server.missing or kind not in self.kinds else path
                for kind, path in zip(("static", "health", "ping"), paths, strict=True)
            ]
            used = run_client([*command, block], server, None, {}, time_)
            for kind, times in used.result.items():
                assert isinstance(times, dict)
                found[f"-{kind}{phase}"] = Measured(
                    times["p99_us"], times["p50_us"], times["p99_us"], answers=times["answered"]
                )
        return found


@dataclass(frozen=True)
class WakeUps(Load):
    """Context switches a second of a server that has had a request and has none now."""

    warms_up = False

    def measure(self, server: Server, core: str | None, seconds: float) -> Measured:
        with socket.create_connection((HOST, server.port), 10) as client:
            client.sendall(checks.request("/"))
            checks.read_answer(client)
            time.sleep(self.SETTLES)
            before = server.counters()
            time.sleep(max(seconds, 1.0))
            used = server.counters().since(before)
        server.check()
        return Measured(used.switches / max(seconds, 1.0))

    SETTLES: ClassVar[float] = 0.3


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
