"""Two builds of ours in one run: what a change costs or gains.

The machine's other work and its processor's clock change within minutes by more than what is
looked for. So both servers live at once, on the same core, and short slices alternate between them
(the first of each pair alternates too). The median of the slices counts; the range of the pairs'
ratios says how sure it is.

For each answer are reported: processor time of the server (schedstat), context switches
(/proc/PID/status), and system calls: all of them if `perf` or `strace` may watch the server, in a
slice of its own that is not timed; otherwise only those of read and write kind (/proc/PID/io),
and the report says so.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import checks
import environment
import report
from field import OURS, PEERS, SCENARIOS, Peer, Scenario
from loads import LoadFailed, Measured, many_descriptors
from servers import Died, NotOffered, Server, free_port, running

ROOT = Path(__file__).resolve().parent.parent
BUILDS = ROOT / "build" / "against"
NOW = "now"
SLICES = 11
AT_LEAST = 9

Pins = tuple[str | None, str | None]
CommandOf = Callable[[Peer, Scenario, int, Path, Path], list[str]]


def git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def build(name: str) -> tuple[str, Path]:
    """The short name of a commit, and a Python with its httpuv, which is built now if needed.

    Raises:
        SystemExit: There is no such commit, or it cannot be built.
    """
    try:
        commit = git("rev-parse", "--verify", f"{name}^{{commit}}")
    except subprocess.CalledProcessError:
        raise SystemExit(f"--against: {name} is no commit") from None
    folder = BUILDS / commit[:12]
    python = folder / "venv" / "bin" / "python"
    if not (folder / "installed").exists():
        print(f"building {commit[:12]} in {folder.relative_to(ROOT)}: some minutes", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        source = folder / "source"
        source.mkdir(parents=True)
        archive = folder / "source.tar"
        git("archive", f"--output={archive}", commit)
        shutil.unpack_archive(archive, source)
        for pin in source.glob("vendor/*/pin"):
            ours = ROOT / "vendor" / pin.parent.name
            # The third-party sources need not be fetched again if they are the same.
            if (ours / "source").is_dir() and (ours / "pin").read_bytes() == pin.read_bytes():
                shutil.copytree(ours / "source", pin.parent / "source", dirs_exist_ok=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        try:
            subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
            subprocess.run([*pip, str(source)], check=True)
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"--against: {commit[:12]} cannot be built: {error}") from None
        (folder / "installed").touch()
    return commit[:12], python


@dataclass(frozen=True)
class Build:
    """One of the two.

    Attributes:
        name: NOW, or its commit.
        python: Where it is installed.
    """

    name: str
    python: Path

    def peer(self) -> Peer:
        ours = PEERS[OURS]
        return replace(ours, command=(str(self.python), *ours.command[1:]))


def traced(
    server: Server, measure: Callable[[Server], Measured], folder: Path
) -> tuple[float, str] | None:
    """System calls for each answer and the tool that counted them; None if none can."""
    pid = str(server.process.pid)
    counts = folder / "counts"
    commands = {
        "perf": [
            "perf",
            "stat",
            "-x,",
            "-e",
            "raw_syscalls:sys_enter",
            "-o",
            str(counts),
            "-p",
            pid,
        ],
        "strace": ["strace", "-qq", "-f", "-c", "-o", str(counts), "-p", pid],
    }
    patterns = {
        "perf": r"^(\d+),.*sys_enter",
        "strace": r"^100\.00\s+\S+\s+(?:\S+\s+)?(\d+).*total$",
    }
    for tool, command in commands.items():
        if shutil.which(tool) is None:
            continue
        watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            watcher.wait(0.5)  # until it is attached, or has said that it may not
        if watcher.poll() is not None:
            continue
        measured = measure(server)
        watcher.send_signal(signal.SIGINT)
        watcher.wait(30)
        found = re.search(patterns[tool], counts.read_text(), re.MULTILINE)
        if found and measured.answers:
            return int(found[1]) / measured.answers, tool
    return None


@dataclass
class Compared:
    """The slices of one scenario: of the other build, and of ours in the same order."""

    theirs: list[Measured]
    ours: list[Measured]
    calls: tuple[float, float] | None = None
    counted_by: str = "/proc/PID/io: reads and writes only"

    def values(self, attribute: str) -> tuple[list[float], list[float]]:
        return (
            [getattr(one, attribute) for one in self.theirs],
            [getattr(one, attribute) for one in self.ours],
        )

    def ratio(self, attribute: str) -> tuple[float, float, float] | None:
        """Median, least and greatest of ours / theirs over the pairs of slices."""
        pairs = [b / a for a, b in zip(*self.values(attribute), strict=True) if a and b]
        return (statistics.median(pairs), min(pairs), max(pairs)) if pairs else None


def compare(
    scenario: Scenario,
    builds: Sequence[Build],
    root: Path,
    temp: Path,
    slices: int,
    seconds: float,
    pins: Pins,
    command_of: CommandOf,
) -> Compared:
    with contextlib.ExitStack() as stack:
        servers = []
        for build_ in builds:
            folder = temp / build_.name
            folder.mkdir(exist_ok=True)
            if scenario.tls:
                environment.certificate(folder)
            port = free_port()
            command = command_of(build_.peer(), scenario, port, root, folder)
            core = pins[0] if scenario.pinned else None
            env = {"PYTHONDONTWRITEBYTECODE": "1"}
            if build_.name != NOW:
                env["PYTHONPATH"] = ""  # or a path meant for ours would be found first
            started = running(command, port, core, env, folder / "server.log")
            servers.append(stack.enter_context(started))
        for server in servers:
            scenario.check(server.port, root)
            scenario.load.measure(server, pins[1], 1)
        found: tuple[list[Measured], list[Measured]] = ([], [])
        for number in range(slices):
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                found[side].append(scenario.load.measure(servers[side], pins[1], seconds))
        compared = Compared(*found)
        calls = [
            traced(server, lambda one: scenario.load.measure(one, pins[1], 1), temp)
            for server in servers
        ]
        if calls[0] is not None and calls[1] is not None:
            compared.calls = (calls[0][0], calls[1][0])
            compared.counted_by = calls[0][1]
        else:
            theirs, ours = compared.values("transfers")
            compared.calls = (statistics.median(theirs), statistics.median(ours))
        return compared


def ranged(ratio: tuple[float, float, float] | None) -> str:
    return "-" if ratio is None else "{:.3f} ({:.3f}-{:.3f})".format(*ratio)


def markdown(facts: dict[str, object], results: dict[str, Compared], names: Sequence[str]) -> str:
    theirs, ours = names
    head = ["", f"rate {theirs}", ours, "ratio (range)", f"µs {theirs}", ours, "ratio (range)"]
    head += [f"calls {theirs}", ours, f"switches {theirs}", ours]
    rows = []
    for name, compared in results.items():
        scenario = SCENARIOS[name]
        row = [f"{name}: {report.title(scenario)}"]
        row += [
            report.number(statistics.median(v), scenario.unit) for v in compared.values("value")
        ]
        row.append(ranged(compared.ratio("value")))
        row += [f"{statistics.median(v):.2f}" for v in compared.values("cpu_us")]
        row.append(ranged(compared.ratio("cpu_us")))
        row += [f"{calls:.2f}" for calls in compared.calls or ()]
        row += [f"{statistics.median(v):.3f}" for v in compared.values("switches")]
        rows.append(row)
    counted = ", ".join(sorted({compared.counted_by for compared in results.values()}))
    return "\n".join(
        [
            f"{facts['cpu']}, {facts['cores']} cores, Linux {facts['kernel']}, "
            f"Python {facts['python']}. {facts['method']}",
            "",
            "Ratios are ours to theirs, pair by pair. For each answer: µs, processor time of the "
            f"server; calls, system calls ({counted}); switches, context switches.",
            "",
            *report.table(head, rows),
        ]
    )


def main(
    arguments: argparse.Namespace,
    chosen: list[str],
    pins: Pins,
    command_of: CommandOf,
    folder: Path,
) -> int:
    if arguments.rounds < AT_LEAST:
        print(f"fewer than {AT_LEAST} slices: the result says little", file=sys.stderr)
    environment.install_system_packages()
    environment.build_wsload()
    commit, python = build(arguments.against)
    builds = [Build(commit, python), Build(NOW, Path(sys.executable))]
    facts = environment.facts()
    facts["against"] = commit
    facts["method"] = (
        f"Servers on core {pins[0]}, client on core {pins[1]}; {arguments.rounds} slices of "
        f"{arguments.seconds:.0f} s each, alternating."
    )
    results: dict[str, Compared] = {}
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="httpuv-bench-") as temp_name, many_descriptors():
        temp = Path(temp_name)
        with environment.folder(temp) as root:
            for name in chosen:
                scenario = SCENARIOS[name]
                if not scenario.admits(OURS) or not scenario.load.warms_up:
                    continue  # memory is not a matter of slices
                try:
                    results[name] = compare(
                        scenario,
                        builds,
                        root,
                        temp,
                        arguments.rounds,
                        arguments.seconds,
                        pins,
                        command_of,
                    )
                except (checks.Wrong, LoadFailed, NotOffered, Died, OSError) as error:
                    failures[name] = f"{type(error).__name__}: {error}"
                    print(f"{name}: {failures[name]}", flush=True)
                    continue
                print(
                    f"{name:18} rate {ranged(results[name].ratio('value'))}  "
                    f"processor time {ranged(results[name].ratio('cpu_us'))}",
                    flush=True,
                )
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H%M%S")
    path = folder / f"{stamp}-against-{commit}.md"
    path.write_text(markdown(facts, results, (commit, NOW)))
    whole = {
        "facts": facts,
        "scenarios": {name: asdict(compared) for name, compared in results.items()},
        "failures": failures,
    }
    path.with_suffix(".json").write_text(json.dumps(whole, indent=1) + "\n")
    print("\n" + path.read_text())
    return 1 if failures else 0
