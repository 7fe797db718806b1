"""A server of the field as a process: started, awaited, watched and ended."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
START_SECONDS = 20.0
NOT_OFFERED = 3


class NotOffered(Exception):
    """The server cannot do what is measured."""


class Died(Exception):
    """The server did not start, or ended by itself."""


def free_ports(count: int) -> list[int]:
    """So many different ones."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def children(pid: int) -> list[int]:
    """The processes below `pid`, itself first."""
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += children(int(child))
    return found


@dataclass(frozen=True)
class Counters:
    """What a server has used so far: processor time, context switches and calls of read(2),
    write(2) and their kin."""

    cpu_seconds: float
    switches: int
    transfers: int

    def since(self, before: Counters) -> Counters:
        return Counters(
            self.cpu_seconds - before.cpu_seconds,
            self.switches - before.switches,
            self.transfers - before.transfers,
        )


class Server:
    """A running server.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        missing: Parts of its scenario that it cannot be measured at; see loads.Load.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log
        self.missing: set[str] = set()

    def await_listening(self) -> None:
        """Returns when a connection is accepted.

        Raises:
            NotOffered, Died: It ended instead, or did not listen within START_SECONDS.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1):
                return
            self.check()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)
        raise Died(f"does not listen after {START_SECONDS:.0f} s; {self.last_words()}")

    def check(self) -> None:
        """Raises NotOffered or Died if the process has ended."""
        status = self.process.poll()
        if status == NOT_OFFERED:
            raise NotOffered(self.last_words())
        if status is not None:
            raise Died(f"ended with status {status}: {self.last_words()}")

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][-300:] if lines else "it said nothing"

    def counters(self) -> Counters:
        return Counters(self.cpu_seconds(), self.context_switches(), self.transfers())

    def tasks(self) -> Iterator[Path]:
        """/proc/PID/task/TID of all threads of the process and its children."""
        for pid in children(self.process.pid):
            with contextlib.suppress(OSError):
                yield from Path(f"/proc/{pid}/task").iterdir()

    def cpu_seconds(self) -> float:
        """Of the threads that live, in user and kernel mode.

        From schedstat, in nanoseconds; where the kernel has none, from stat, in ticks of 10 ms.
        """
        seconds = 0.0
        for task in self.tasks():
            with contextlib.suppress(OSError):
                try:
                    seconds += int((task / "schedstat").read_text().split()[0]) / 1e9
                except FileNotFoundError:
                    fields = (task / "stat").read_text().rpartition(")")[2].split()
                    ticks = int(fields[11]) + int(fields[12])
                    seconds += ticks / os.sysconf("SC_CLK_TCK")
        return seconds

    def context_switches(self) -> int:
        """Voluntary and involuntary ones of the threads that live."""
        total = 0
        for task in self.tasks():
            with contextlib.suppress(OSError):
                for line in (task / "status").read_text().splitlines():
                    if line.startswith(("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")):
                        total += int(line.split()[1])
        return total

    def transfers(self) -> int:
        """Calls of read(2), write(2) and their kin that the process and its children made.

        Not all system calls: epoll_wait(2), futex(2), sendmsg(2) and sendfile(2) among others are
        missing. Counting all takes perf or strace, see calls.py.
        """
        total = 0
        for pid in children(self.process.pid):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/io").read_text().splitlines():
                    if line.startswith(("syscr:", "syscw:")):
                        total += int(line.split()[1])
        return total

    def resident_bytes(self) -> int:
        """Resident memory that is not shared with a file, of the process and its children.

        smaps_rollup is exact; the counters in status lag behind by some hundred KiB.
        """
        total = 0
        for pid in children(self.process.pid):
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Anonymous:"):
                        total += int(line.split()[1]) * 1024
        return total

    def halt(self) -> None:
        """Stops it with all its children, so that it uses no processor time, until go_on()."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Terminates it with all its children; those that do not obey are killed."""
        with contextlib.suppress(ProcessLookupError):
            self.go_on()
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
                break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # children that outlived their parent


@contextlib.contextmanager
def running(
    command: list[str], port: int, core: str | None, env: dict[str, str], log: Path
) -> Iterator[Server]:
    """Runs a server, pinned to `core` (as taskset takes it) unless that is None.

    It may not listen yet: see Server.await_listening().
    """
    # In a separate session it would outlive a killed harness.
    pin = ["setpriv", "--pdeathsig", "TERM"]
    pin += ["taskset", "-c", core] if core is not None else []
    env = {**os.environ, **env}
    env["PATH"] += ":/usr/sbin:/sbin"
    with log.open("wb") as words:
        process = subprocess.Popen(
            [*pin, shutil.which(command[0], path=env["PATH"]) or command[0], *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
    server = Server(process, port, log)
    try:
        yield server
    finally:
        server.end()
