"""topics.py as a part of a run: its lines become figures and have targets.

It prints lines such as "events: httpuv 9,000/s, starlette 1,000/s: 9.0 x",
"redis p50: httpuv 900 us, python-socketio 2,000 us" and "an idle topic: 250 bytes".
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import report
from measure.loads import Measured
from plan.field import OURS, path_with_peers
from plan.scenarios import SCENARIOS

SCRIPT = Path(__file__).parent / "topics.py"
ROUNDS, QUICK_ROUNDS = 9, 3

_COMPARED = re.compile(r"([\w-]+ )?([\w.-]+) ([\d,.]+)(/s| us)")
_BYTES = re.compile(r"^an? (idle topic|subscription): ([\d,.]+) bytes")
_MANY = re.compile(r"^publish to one topic ([\d,.]+)/s, to 100,000 ([\d,.]+)/s")


def number(text: str) -> float:
    return float(text.replace(",", "").rstrip("."))


def figures(line: str) -> list[tuple[str, str, float]]:
    """Scenario, peer and value of what a line says."""
    if found := _BYTES.match(line):
        return [(f"topics-{found[1].replace(' ', '-')}", OURS, number(found[2]))]
    if found := _MANY.match(line):
        return [
            ("topics-one", OURS, number(found[1])),
            ("topics-many", OURS, number(found[2])),
        ]
    name, colon, rest = line.partition(":")
    if not colon:
        return []
    scenario = f"topics-{name.strip().replace(' ', '-').lower()}"
    return [(scenario, one[2], number(one[3])) for one in _COMPARED.finditer(rest)]


def measure(results: report.Results, quick: bool, limit: float) -> None:
    """Runs topics.py for at most `limit` seconds; what it has printed by then counts."""
    for name in SCENARIOS:
        if name.startswith("topics-"):
            results.forget(name)
    results.forget("topics")
    command = [sys.executable, "-u", str(SCRIPT)]
    command += ["--rounds", str(QUICK_ROUNDS if quick else ROUNDS)]
    # It finds the peers of the other scenarios, too.
    env = {**os.environ, "PYTHONPATH": path_with_peers()}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True, env=env
    )
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGTERM)  # and its servers
        output, _ = process.communicate(timeout=10)
        results.fail("topics", "all", "time was up")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0 and "topics" not in results.failures:
        results.fail("topics", "all", f"topics.py ended with status {process.returncode}")
    print(output, flush=True)
    for line in output.splitlines():
        for scenario, peer, value in figures(line):
            if scenario in SCENARIOS:
                results.add(scenario, peer, Measured(value))
            else:
                results.fail(scenario, peer, f"no scenario of that name: {line}")
