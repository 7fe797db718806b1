"""System calls of a server for each answer: perf or strace counts them, in a separate slice."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from measure.loads import Measured
from measure.servers import Server, children

#: Where neither may watch: the calls of read(2), write(2) and their kin that the kernel counts.
FALLBACK = "reads and writes only, from /proc/PID/io"
ATTACH_SECONDS = 0.3

_PATTERNS = {
    "perf": r"^(\d+),.*sys_enter",
    "strace": r"^100\.00\s+\S+\s+(?:\S+\s+)?(\d+).*total$",
}


def _commands(pids: list[int], counts: Path) -> dict[str, list[str]]:
    perf = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o", str(counts)]
    strace = ["strace", "-qq", "-f", "-c", "-o", str(counts)]
    for pid in pids:
        strace += ["-p", str(pid)]
    return {"perf": [*perf, "-p", ",".join(map(str, pids))], "strace": strace}


def counted(
    server: Server, measure: Callable[[Server], Measured], folder: Path
) -> tuple[float, str] | None:
    """System calls for each answer and what counted them; None if there is nothing to count."""
    counts = folder / "counts"
    for tool, command in _commands(children(server.process.pid), counts).items():
        if shutil.which(tool) is None:
            continue
        counts.unlink(missing_ok=True)
        watcher = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                watcher.wait(ATTACH_SECONDS)  # until it is attached, or has said that it may not
            if watcher.poll() is not None:
                continue
            measured = measure(server)
        finally:
            watcher.send_signal(signal.SIGINT)
            try:
                watcher.wait(10)
            except subprocess.TimeoutExpired:
                watcher.kill()
                watcher.wait()
        found = re.search(_PATTERNS[tool], counts.read_text(), re.MULTILINE)
        if found and measured.answers:
            return int(found[1]) / measured.answers, tool
    measured = measure(server)
    return (measured.transfers, FALLBACK) if measured.answers else None
