"""The result of a run: ratios first, for they mean something on other machines too."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from measure.loads import Measured
from plan.field import OURS, PEERS
from plan.scenarios import SCENARIOS, Scenario
from plan.targets import EARLIER, TARGETS, Cell, Target
from units import label

#: The load used nearly its whole core and the server did not: the client was the limit.
SATURATED = 0.97

#: Median, least and greatest.
Range = tuple[float, float, float]


@dataclass
class Results:
    """Measurements by scenario and peer, one for each slice, and why some are missing.

    Attributes:
        calls: System calls for each answer, and what counted them.
    """

    facts: dict[str, object]
    measured: dict[str, dict[str, list[Measured]]] = field(default_factory=dict)
    calls: dict[str, dict[str, tuple[float, str]]] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, scenario: str, peer: str, measured: Measured) -> None:
        self.measured.setdefault(scenario, {}).setdefault(peer, []).append(measured)

    def count(self, scenario: str, peer: str, calls: float, tool: str) -> None:
        self.calls.setdefault(scenario, {})[peer] = (calls, tool)

    def fail(self, scenario: str, peer: str, why: str) -> None:
        self.failures.setdefault(scenario, {})[peer] = why

    def forget(self, scenario: str) -> None:
        """Drops what an earlier run has found of a scenario and of its parts."""
        for found in (self.measured, self.calls, self.failures):
            for name in list(found):
                if name == scenario or (name in SCENARIOS and SCENARIOS[name].part_of == scenario):
                    del found[name]

    def values(self, cell: Cell) -> list[float]:
        rounds = self.measured.get(cell.scenario, {}).get(cell.peer, [])
        return [getattr(one, cell.attribute) for one in rounds]

    def range(self, cell: Cell) -> Range | None:
        values = self.values(cell)
        return (statistics.median(values), min(values), max(values)) if values else None

    def median(self, scenario: str, peer: str, attribute: str = "value") -> float | None:
        found = self.range(Cell(scenario, peer, attribute))
        return found[0] if found else None

    def ratio(self, subject: Cell, reference: Cell) -> Range | None:
        """Of the slices with the same number; of the medians where there are not as many."""
        above, below = self.values(subject), self.values(reference)
        if len(above) != len(below):
            above, below = (
                [statistics.median(values)] if values else [] for values in (above, below)
            )
        ratios = [a / b for a, b in zip(above, below, strict=False) if b]
        return (statistics.median(ratios), min(ratios), max(ratios)) if ratios else None

    def client_bound(self, scenario: str, peer: str) -> bool:
        load, server = (
            self.median(scenario, peer, name) or 0.0 for name in ("load_cpu", "server_cpu")
        )
        return SCENARIOS[scenario].pinned and load > SATURATED and server < SATURATED

    def write_json(self, path: Path) -> None:
        scenarios = {
            scenario: {
                "family": SCENARIOS[scenario].family,
                "title": SCENARIOS[scenario].title,
                "unit": SCENARIOS[scenario].unit,
                "lower": SCENARIOS[scenario].lower,
                "peers": {
                    peer: {
                        "median": self.median(scenario, peer),
                        "ratio": (
                            self.ratio(Cell(scenario, OURS), Cell(scenario, peer)) or (None,)
                        )[0],
                        "calls": self.calls.get(scenario, {}).get(peer, (None, ""))[0],
                        "calls_by": self.calls.get(scenario, {}).get(peer, (None, ""))[1],
                        "rounds": [asdict(one) for one in rounds],
                    }
                    for peer, rounds in peers.items()
                },
            }
            for scenario, peers in self.measured.items()
        }
        whole = {
            "facts": self.facts,
            "targets": [judgement(self, target) for target in TARGETS],
            "scenarios": scenarios,
            "failures": self.failures,
        }
        path.write_text(json.dumps(whole, indent=1) + "\n")


def read_json(path: Path) -> Results:
    """What write_json() wrote."""
    whole = json.loads(path.read_text())
    results = Results(whole["facts"], failures=whole["failures"])
    for scenario, found in whole["scenarios"].items():
        if scenario not in SCENARIOS:
            continue  # there is no such scenario any more
        for peer, of in found["peers"].items():
            for one in of["rounds"]:
                results.add(scenario, peer, Measured(**one))
            if of["calls"] is not None:
                results.count(scenario, peer, of["calls"], of["calls_by"])
    return results


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    head = list(head)
    return [line(head), "|---|" + "---:|" * (len(head) - 1), *map(line, rows), ""]


def title(scenario: Scenario) -> str:
    return f"{scenario.title} (lower is better)" if scenario.lower else scenario.title


def figure(value: float, target: Target) -> str:
    """A value of a target, in its unit."""
    if target.reference is not None:
        return f"{value:.2f}" if value < 100 else f"{value:,.0f}"
    if target.subject.attribute != "value":
        return f"{value:.2f}"
    return label(value, SCENARIOS[target.subject.scenario].unit)


def wanted(target: Target) -> str:
    of = f" x {target.reference.peer}" if target.reference else ""
    if target.reference and target.reference.scenario != target.subject.scenario:
        other = SCENARIOS[target.reference.scenario]
        of = " x before" if target.reference.scenario.endswith("-before") else f" x {other.title}"
    if target.subject.attribute == "cpu_us":
        of += ", processor time"
    if target.factor is None:
        return f"shown:{of}"
    return f"at {'least' if target.least else 'most'} {figure(target.factor, target)}{of}"


def judgement(results: Results, target: Target) -> dict[str, object]:
    """A target, what was measured, and whether it is reached; "reached" is None where nothing was
    measured, with the reason, or nothing is asked for."""
    found = (
        results.range(target.subject)
        if target.reference is None
        else results.ratio(target.subject, target.reference)
    )
    reached = None
    if found is not None and target.factor is not None:
        reached = found[0] >= target.factor if target.least else found[0] <= target.factor
    why = ""
    if found is None:
        why = "not measured"
        for cell in target.cells():
            failures = results.failures.get(cell.scenario, {})
            why = failures.get(cell.peer, failures.get("all", why))
    text = ""
    if found is not None:
        median, low, high = (figure(value, target) for value in found)
        text = f"{median} [{low}-{high}]"
    return {
        "text": text,
        "part": target.part,
        "title": target.title,
        "subject": target.subject.peer,
        "wanted": wanted(target),
        "factor": target.factor,
        "median": found[0] if found else None,
        "low": found[1] if found else None,
        "high": found[2] if found else None,
        "slices": len(results.values(target.subject)),
        "reached": reached,
        "why": why,
        "scenario": target.subject.scenario,
    }


def target_rows(results: Results, all_of_them: bool) -> list[list[str]]:
    """The table of targets; also those of scenarios that did not run if all are wanted."""
    rows = []
    for target in TARGETS:
        judged = judgement(results, target)
        ran = any(
            cell.scenario in results.measured or cell.scenario in results.failures
            for cell in target.cells()
        )
        if not ran and (target in EARLIER or not all_of_them):
            continue
        measured = str(judged["text"] or judged["why"])
        verdict = {True: "reached", False: "**short**", None: "-"}[
            judged["reached"]  # type: ignore[index]
        ]
        title_ = f"{target.title}: {target.subject.peer}"
        rows.append([target.part, title_, wanted(target), measured, verdict])
    return rows


def scenario_rows(results: Results, name: str) -> list[list[str]]:
    """The head, and each peer: its rate and what an answer takes. Columns without a figure are left
    out."""
    scenario, rows = SCENARIOS[name], []
    others = [peer for peer in results.measured.get(name, {}) if peer not in PEERS]
    for peer in [*PEERS, *others]:
        found = results.range(Cell(name, peer))
        if found is None:
            continue
        median, low, high = (label(value, scenario.unit) for value in found)
        mark = "*" if results.client_bound(name, peer) else ""
        row = [peer, f"{median}{mark} [{low}-{high}]"]
        for attribute, form in (
            ("p50_us", "{:,.0f}"),
            ("p99_us", "{:,.0f}"),
            ("cpu_us", "{:.1f}"),
            ("switches", "{:.3f}"),
            ("server_cpu", "{:.0%}"),
            ("load_cpu", "{:.0%}"),
        ):
            value = results.median(name, peer, attribute)
            row.append(form.format(value) if value else "-")
        calls = results.calls.get(name, {}).get(peer)
        row.insert(5, f"{calls[0]:.2f}" if calls else "-")
        rows.append(row)
    used = [n for n in range(len(HEAD)) if any(row[n] != "-" for row in rows)]
    return [[row[n] for n in used] for row in [HEAD, *rows]] if rows else []


HEAD = ["", "median [range]", "p50 µs", "p99 µs", "processor µs", "system calls", "switches"]
HEAD += ["server", "client"]


def markdown(results: Results, all_targets: bool = False) -> str:
    """The report; with `all_targets` also the targets of scenarios that did not run."""
    facts = results.facts
    lines = [
        f"{facts['cpu']}, {facts['cores']} cores, Linux {facts['kernel']}, "
        f"Python {facts['python']}, httpuv {facts['httpuv'] or '(not measured)'} "
        f"at {facts['commit'] or 'no commit'}. {facts['method']}",
        "",
    ]
    if rows := target_rows(results, all_targets):
        lines += ["**Targets.** Ratios are of slices with the same number.", ""]
        head = ["", "figure", "target", "measured: median [range]", ""]
        lines += ["| " + " | ".join(head) + " |", "|---|---|---|---|---|"]
        lines += ["| " + " | ".join(row) + " |" for row in rows] + [""]
    family = ""
    for name, scenario in SCENARIOS.items():
        rows = scenario_rows(results, name)
        if not rows:
            continue
        if scenario.family != family:
            family = scenario.family
            lines += [f"**{family}**", ""]
        lines += [f"{title(scenario)}:", "", *table(rows[0], rows[1:])]
    tools = {tool for found in results.calls.values() for _, tool in found.values()}
    lines += [
        "Processor time, system calls "
        + (f"({', '.join(sorted(tools))}) " if tools else "")
        + "and context switches are the server's, for each answer; server and client: shares of "
        "one core. \\*: the client was the limit, not the server.",
        "",
    ]
    if results.failures:
        lines += ["Not measured:", ""]
        lines += [
            f"- {name}, {peer}: {why}"
            for name, whys in results.failures.items()
            for peer, why in whys.items()
        ]
        lines.append("")
    return "\n".join(lines)


def write(results: Results, folder: Path, name: str, all_targets: bool = False) -> Path:
    """Writes results/<name>.json and .md, and "latest" links to both; the Markdown's path."""
    folder.mkdir(parents=True, exist_ok=True)
    results.write_json(folder / f"{name}.json")
    text = folder / f"{name}.md"
    text.write_text(markdown(results, all_targets))
    for path in (text, text.with_suffix(".json")):
        link = folder / f"latest{path.suffix}"
        link.unlink(missing_ok=True)
        link.symlink_to(path.name)
    return text
