"""How it is measured: all servers of a scenario live at once, and short slices alternate.

The machine's other work and its processor's clock change within minutes by more than what is looked
for. Slices of one second each that follow one another see the same machine: ratios are of slices
with the same number, and the range of the ratios says how sure their median is.
"""

from __future__ import annotations

import contextlib
import os
import re
import string
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import report
from measure import calls, checks, environment
from measure.loads import Idle, LoadFailed, Pace, WakeUps, WsLoad, many_descriptors
from measure.servers import Died, NotOffered, Server, free_ports, running
from plan import targets
from plan.field import PEERS, PEERS_FOLDER, Peer
from plan.scenarios import SCENARIOS, Scenario
from units import label

NEIGHBOUR = PEERS_FOLDER / "neighbour.py"
#: A server is restless if it uses more than this share of a core for so many seconds of idleness.
RESTLESS = 0.03
IDLE_SECONDS = 0.5
FAULTS = (checks.Wrong, LoadFailed, NotOffered, Died, OSError)


@dataclass(frozen=True)
class Plan:
    """How long, and where.

    Attributes:
        slices: Of each peer that a target is about.
        beside: Of each other peer; 0: none.
        seconds: Of a slice.
        server_core, client_core: As taskset takes them; None: any.
        deadline: In time.monotonic(): when no further slice begins.
        values: Filled into the commands of the peers, see field.Peer.
    """

    slices: int
    beside: int
    seconds: float
    server_core: str | None
    client_core: str | None
    deadline: float
    values: dict[str, str]

    def due(self, peer: str, wanted: set[str], number: int) -> bool:
        """Whether this peer has a slice of this number."""
        if peer in wanted or self.beside >= self.slices:
            return True
        return number in {step * self.slices // self.beside for step in range(self.beside)}


def estimate(name: str, plan: Plan) -> float:
    """About how many seconds a scenario takes."""
    scenario = SCENARIOS[name]
    if scenario.part_of:
        return 0.0
    wanted = targets.compared(name)
    peers = [peer for peer in PEERS if scenario.admits(peer)]
    if plan.beside == 0:
        peers = [peer for peer in peers if peer in wanted]
    slices = sum(
        sum(plan.due(peer, wanted, number) for number in range(plan.slices)) for peer in peers
    )
    start, calls_ = 0.5, calls.ATTACH_SECONDS + plan.seconds + 0.1
    if isinstance(scenario.load, Idle):
        return len(peers) * (1.5 + scenario.load.connections / 800)
    if scenario.alone:
        return slices * (start + calls_ + plan.seconds)
    one = plan.seconds + (0.3 if isinstance(scenario.load, WsLoad) else 0.07)
    if isinstance(scenario.load, Pace):
        one, calls_ = Pace.BLOCKED + 0.3, 0.0
        if "-before" in scenario.load.phases:
            one += Pace.BEFORE
    elif isinstance(scenario.load, WakeUps):
        one, calls_ = plan.seconds + WakeUps.SETTLES, 0.0
    return len(peers) * (start + calls_) + slices * one


class TimeIsUp(Exception):
    """The deadline has come."""


def command_of(
    peer: Peer, scenario: Scenario, port: int, folder: Path, values: dict[str, str]
) -> tuple[list[str], dict[str, str]]:
    """What starts a peer, and what it finds in its environment."""
    values = {**values, "port": str(port), "temp": str(folder)}
    command = [part.format(**values) for part in peer.command]
    uses_nginx = command[0] == "nginx"
    if scenario.tls and not uses_nginx:
        command += ["--tls", values["certificate"]]
    if scenario.busy and peer.keeps_busy:
        command += ["--busy", scenario.busy]
    elif scenario.busy:
        command = [sys.executable, str(NEIGHBOUR), scenario.busy, *command]
    if uses_nginx:
        template = string.Template((PEERS_FOLDER / "other" / "nginx.conf").read_text())
        text = template.substitute(
            PORT=port,
            ROOT=f"{values['root']}/",
            TEMP=folder,
            CERTIFICATE=values["certificate"],
            SSL=" ssl" if scenario.tls else "",
        )
        (folder / "nginx.conf").write_text(text)
    env = {name: value.format(**values) for name, value in peer.environment}
    return command, {"PYTHONDONTWRITEBYTECODE": "1", **env}


class Run:
    """One scenario, its servers and what fails."""

    def __init__(self, name: str, plan: Plan, results: report.Results, temp: Path) -> None:
        self.name = name
        self.scenario = SCENARIOS[name]
        self.plan = plan
        self.results = results
        self.temp = temp
        self.root = Path(plan.values["root"])
        self.server_core = plan.server_core if self.scenario.pinned else None

    def fail(self, peer: str, error: BaseException, part: str = "") -> None:
        kind = type(error).__name__
        print(f"{self.name}{part}: {peer}: {kind}: {error}", flush=True)
        self.results.fail(f"{self.name}{part}", peer, f"{kind}: {error}")

    @contextlib.contextmanager
    def started(self, peers: list[str]) -> Iterator[dict[str, Server]]:
        """Starts servers at once; those that listen and give the right answers."""
        with contextlib.ExitStack() as stack:
            servers = {}
            for peer, port in zip(peers, free_ports(len(peers)), strict=True):
                folder = self.temp / re.sub(r"\W+", "-", peer)
                folder.mkdir(exist_ok=True)
                folder.chmod(0o755)  # nginx's worker is another user
                command, env = command_of(
                    PEERS[peer], self.scenario, port, folder, self.plan.values
                )
                log = folder / "server.log"
                one = running(command, port, self.server_core, env, log)
                servers[peer] = stack.enter_context(one)
            right = {}
            for peer, server in servers.items():
                try:
                    server.await_listening()
                    self.scenario.check(server.port, self.root)
                    for part, why in self.scenario.load.missing(server.port, self.root).items():
                        server.missing.add(part)
                        self.fail(peer, NotOffered(why), f"-{part}")
                    if self.scenario.load.warms_up:
                        self.count_calls(peer, server)
                except FAULTS as error:
                    self.fail(peer, error)
                    continue
                right[peer] = server
            yield right

    def count_calls(self, peer: str, server: Server) -> None:
        """Counts system calls in a slice that warms the server up."""
        found = calls.counted(
            server,
            lambda one: next(
                iter(
                    self.scenario.load.measure_parts(
                        one, self.plan.client_core, self.plan.seconds
                    ).values()
                )
            ),
            self.temp,
        )
        if found is not None:
            self.results.count(self.name, peer, *found)

    def slice(self, peer: str, server: Server, number: int) -> bool:
        """Measures once; False if it failed."""
        if time.monotonic() > self.plan.deadline:
            raise TimeIsUp
        try:
            found = self.scenario.load.measure_parts(
                server, self.plan.client_core, self.plan.seconds
            )
        except FAULTS as error:
            self.fail(peer, error)
            return False
        for part, one in found.items():
            self.results.add(f"{self.name}{part}", peer, one)
            print(
                f"{self.name + part} {number + 1}/{self.plan.slices} {peer:24} "
                f"{label(one.value, self.scenario.unit):>12}  p99 {one.p99_us:8.0f} µs  "
                f"{one.cpu_us:7.1f} µs of processor  server {one.server_cpu:4.0%}  "
                f"client {one.load_cpu:4.0%}",
                flush=True,
            )
        return True

    def halt_restless(self, servers: dict[str, Server]) -> set[str]:
        """Stops servers that use the processor while they have nothing to do; their names.

        In the slices of others they would take a share of the core that the others are measured
        on.
        """
        before = {peer: server.cpu_seconds() for peer, server in servers.items()}
        time.sleep(IDLE_SECONDS)
        restless = {
            peer
            for peer, server in servers.items()
            if server.cpu_seconds() - before[peer] > IDLE_SECONDS * RESTLESS
        }
        for peer in restless:
            print(f"{self.name}: {peer} is never idle, and stopped between its slices", flush=True)
            servers[peer].halt()
        return restless

    def alternate(self, peers: list[str]) -> None:
        """All servers at once; another one is first in each slice."""
        wanted = targets.compared(self.name)
        with self.started(peers) as servers:
            restless = self.halt_restless(servers) if len(servers) > 1 else set()
            for number in range(self.plan.slices):
                names = list(servers)
                turn = number % len(names) if names else 0
                for peer in [*names[turn:], *names[:turn]]:
                    if not self.plan.due(peer, wanted, number):
                        continue
                    if peer in restless:
                        servers[peer].go_on()
                    right = self.slice(peer, servers[peer], number)
                    if peer in restless:
                        servers[peer].halt()
                    if not right:
                        del servers[peer]

    def one_by_one(self, peers: list[str]) -> None:
        """One server at a time, started anew each time."""
        # Memory does not depend on what else the machine does.
        slices = 1 if isinstance(self.scenario.load, Idle) else self.plan.slices
        failed: set[str] = set()
        for number in range(slices):
            for peer in peers:
                if peer in failed:
                    continue
                with self.started([peer]) as servers:
                    if not servers or not self.slice(peer, servers[peer], number):
                        failed.add(peer)


def measure(chosen: list[str], peers: list[str], plan: Plan, results: report.Results) -> None:
    """Measures scenarios one after the other. Where time is up, the results say so."""
    with tempfile.TemporaryDirectory(prefix="httpuv-bench-") as temp_name, many_descriptors():
        temp = Path(temp_name)
        temp.chmod(0o755)
        environment.certificate(temp)
        plan.values["certificate"] = str(temp)
        many = any(getattr(SCENARIOS[name].load, "paths", 0) for name in chosen)
        with environment.folder(temp, many) as root:
            plan.values["root"] = str(root)
            for name in chosen:
                scenario = SCENARIOS[name]
                if scenario.part_of:
                    continue  # is measured by another one
                wanted = targets.compared(name)
                here = [
                    peer
                    for peer in peers
                    if scenario.admits(peer) and (plan.beside > 0 or peer in wanted)
                ]
                run = Run(name, plan, results, temp)
                began = time.monotonic()
                try:
                    if began > plan.deadline:
                        raise TimeIsUp
                    (run.one_by_one if scenario.alone else run.alternate)(here)
                except TimeIsUp:
                    print(f"{name}: time is up", flush=True)
                    results.fail(name, "all", "time was up before all slices were measured")
                print(f"{name}: took {time.monotonic() - began:.0f} s", flush=True)


def cores(option: str) -> tuple[str | None, str | None]:
    """The core of the servers and that of the client; None with a single core."""
    if option:
        server, _, load = option.partition(",")
        return server, load
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        print("one core only: client and server share it, and the ratios mean little")
        return None, None
    return str(allowed[0]), str(allowed[1])
