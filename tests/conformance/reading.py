"""What each suite's output says: how many cases passed, of how many, and which did not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Outcome:
    """What a suite found.

    Attributes:
        passed, of: Cases.
        misses: The names of those that failed; a suite that cannot name them leaves it empty.
        note: A fact worth its place in the table.
    """

    passed: int
    of: int
    misses: list[str] = field(default_factory=list)
    note: str = ""


class Unreadable(Exception):
    """The output is not what this suite prints when it has run to its end."""


def plain(text: str) -> str:
    """Without the escape sequences of terminals."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


def find(pattern: str, text: str) -> re.Match[str]:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise Unreadable(f"nothing like {pattern!r} in the output")
    return match


def read_h1spec(text: str) -> Outcome:
    text = plain(text)
    last = find(r"^(\d+) out of (\d+) tests passed", text)
    misses = re.findall(r"^❌ ([^:\n]+)", text, re.MULTILINE)
    return Outcome(int(last[1]), int(last[2]), misses)


def read_fragmentation(text: str) -> Outcome:
    text = plain(text)
    of = int(find(r"Testing (\d+) fragmentation offsets", text)[1])
    if "All OK" in text:
        return Outcome(of, of)
    failed = int(find(r"(\d+) fragmentation offset\(s\) failed", text)[1])
    requests = re.findall(r"^Request: (.*)\nOffset: (\d+)", text, re.MULTILINE)
    return Outcome(of - failed, of, [f"{name} at {offset}" for name, offset in requests])


def read_mocha(text: str, never: Iterable[str]) -> Outcome:
    """mocha's "spec" report. `never` are tests that can pass against no server from outside."""
    text = plain(text)
    find(r"^\s+\d+ passing", text)
    passed = re.findall(r"^\s+✔ (.*?)(?: \(\d+ms\))?$", text, re.MULTILINE)
    failed = re.findall(r"^      \s*\d+\) (.*)$", text.split(" passing (")[0], re.MULTILINE)
    misses = [name for name in failed if name not in set(never)]
    return Outcome(len(passed), len(passed) + len(misses), misses)


def read_pytest(text: str) -> Outcome:
    """pytest's report with -rfE. A name goes without parameters, and without the kind of socket."""
    counts = {
        word.rstrip("s"): int(number)
        for number, word in re.findall(
            r"(\d+) (passed|failed|errors?)\b",
            find(r"^.*\d+ passed.* in [\d.]+s.*$", plain(text))[0],
        )
    }
    misses = re.findall(
        r"^(?:FAILED|ERROR|SUBFAILED\S*) \S+?\.py::(?:Tcp|Unix)?(.*?)(?:\[.*?)?(?: - .*)?$",
        text,
        re.MULTILINE,
    )
    failed = counts.get("failed", 0) + counts.get("error", 0)
    return Outcome(counts["passed"], counts["passed"] + failed, misses)


def read_corpus(text: str) -> Outcome:
    """Verdicts of a request corpus: "partial" is an invalid request refused at its second part."""
    counts = {
        key: int(value)
        for key, value in re.findall(
            r"'(\w+/[\w-]+/\w+)': (\d+)", find(r"^\{'.*\} [\d.]+s$", text)[0]
        )
    }
    ran = {key: value for key, value in counts.items() if not key.endswith("/skip")}
    failed = sum(value for key, value in ran.items() if key.endswith("/FAIL"))
    misses = [
        f"{kind.partition(':')[0]} {name}"
        for name, kind in re.findall(
            r"^FAIL \w+ (.+?) (valid|invalid:.*?|incomplete|upgrade) ", text, re.MULTILINE
        )
    ]
    of = sum(ran.values())
    return Outcome(of - failed, of, misses)


def read_static(text: str) -> Outcome:
    misses = re.findall(r"^FAIL (.*?) :: ", text, re.MULTILINE)
    result = json.loads(find(r"^\{\"suite\".*\}$", text)[0])
    return Outcome(result["core_pass"], result["core"], misses)


def read_autobahn(out: Path, port: int, shards: Iterable[str]) -> Outcome:
    """The reports of the fuzzing client: only OK and INFORMATIONAL count as passed."""
    passed = of = 0
    misses = []
    for shard in shards:
        report = out / f"ab-{port}-{shard}" / "index.json"
        if not report.exists():
            raise Unreadable(f"{shard} left no report")
        for cases in json.loads(report.read_text()).values():
            for name, case in cases.items():
                of += 1
                verdicts = {case["behavior"], case["behaviorClose"]}
                if verdicts <= {"OK", "INFORMATIONAL"}:
                    passed += 1
                else:
                    misses.append(f"{name} {'/'.join(sorted(verdicts))}")
    misses.sort(key=lambda miss: [int(part) for part in miss.split()[0].split(".")])
    return Outcome(passed, of, misses)


#: KiB that the second run of the same inputs may add: memory that stays is flat, not merely small.
FLAT = 4096


def read_fuzz(texts: list[str]) -> Outcome:
    """Two runs with the same inputs. The fuzzer itself reports death, deafness and descriptors."""
    of = sum(int(find(r"^\w+ (\d+) inputs", text)[1]) for text in texts)
    misses = []
    grown = 0
    for text in texts:
        if "UNHEALTHY" in text or "healthy True" not in text:
            misses.append("not healthy")
        if "PROCESS LOST" in text:
            misses.append("process lost")
        if "FD LEAK" in text:
            misses.append("descriptors leak")
        before, after = (
            int(find(rf"{when} \{{\d+: \((\d+),", text)[1]) for when in ("before", "after")
        )
        grown = after - before
    if grown > FLAT:
        misses.append(f"memory grew by {grown} KiB in the second run")
    return Outcome(0 if misses else of, of, misses, f"second run: {grown:+d} KiB")


def read_slow(texts: list[str], cut_off: list[bool]) -> Outcome:
    """One slowhttptest report an attack: available at every look; `cut_off` where it must be."""
    misses = []
    notes = []
    for text, must_close in zip(texts, cut_off, strict=True):
        text = plain(text)
        attack = find(r"^test type:\s+(.*?)\s*$", text)[1].lower()
        if "NO" in re.findall(r"^service available:\s+(\w+)", text, re.MULTILINE):
            misses.append(f"{attack}: not available")
        end = find(r"^Test ended on (\d+)th second\s+Exit status:\s*(.*?)\s*$", text)
        notes.append(f"{attack}: {end[2].lower()} after {end[1]} s")
        # A closed connection is not reopened: without any left, all met their deadline.
        if must_close and end[2] != "No open connections left":
            misses.append(f"{attack}: connections are open past the deadline")
    return Outcome(len(texts) - len(misses), len(texts), misses, "; ".join(notes))
