"""The result of a run: ratios first, for they mean something on other machines too."""

from __future__ import annotations

import contextlib
import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from field import OURS, PEERS, SCENARIOS, TARGETS, Scenario, Target
from loads import Measured

#: The load used nearly its whole core and the server did not: the client was the limit.
SATURATED = 0.97


@dataclass
class Results:
    """Measurements by scenario and peer, one for each round, and why some are missing."""

    facts: dict[str, object]
    measured: dict[str, dict[str, list[Measured]]] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, scenario: str, peer: str, measured: Measured) -> None:
        self.measured.setdefault(scenario, {}).setdefault(peer, []).append(measured)

    def fail(self, scenario: str, peer: str, why: str) -> None:
        self.failures.setdefault(scenario, {})[peer] = why

    def median(self, scenario: str, peer: str, attribute: str = "value") -> float | None:
        rounds = self.measured.get(scenario, {}).get(peer)
        return statistics.median(getattr(one, attribute) for one in rounds) if rounds else None

    def ratio(self, scenario: str, subject: str, peer: str) -> float | None:
        ours, theirs = self.median(scenario, subject), self.median(scenario, peer)
        return None if ours is None or not theirs else ours / theirs

    def client_bound(self, scenario: str, peer: str) -> bool:
        load, server = (
            self.median(scenario, peer, name) or 0.0 for name in ("load_cpu", "server_cpu")
        )
        return SCENARIOS[scenario].pinned and load > SATURATED and server < SATURATED

    def write_json(self, path: Path) -> None:
        scenarios = {
            scenario: {
                "unit": SCENARIOS[scenario].unit,
                "peers": {
                    peer: {
                        "median": self.median(scenario, peer),
                        "ratio": self.ratio(scenario, OURS, peer),
                        "rounds": [asdict(one) for one in rounds],
                    }
                    for peer, rounds in peers.items()
                },
            }
            for scenario, peers in self.measured.items()
        }
        whole = {"facts": self.facts, "scenarios": scenarios, "failures": self.failures}
        path.write_text(json.dumps(whole, indent=1) + "\n")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    head = list(head)
    return [line(head), "|---|" + "---:|" * (len(head) - 1), *map(line, rows), ""]


def number(value: float, unit: str) -> str:
    if unit == "bytes/s":
        return f"{value / 1e6:,.0f} MB/s"
    if unit == "bytes":
        return f"{value / 1024:.1f} KiB"
    if unit == "µs":
        return f"{value:,.0f} µs" if value < 10_000 else f"{value / 1000:,.0f} ms"
    return f"{value / 1000:,.1f} k/s" if value >= 1000 else f"{value:,.0f} /s"


def absolute(results: Results, name: str, peer: str) -> str:
    value = results.median(name, peer)
    if value is None:
        return "-"
    mark = "*" if results.client_bound(name, peer) else ""
    return number(value, SCENARIOS[name].unit) + mark


def ratio(results: Results, name: str, peer: str) -> str:
    value = results.ratio(name, OURS, peer)
    return "-" if value is None else f"{value:.2f}"


def title(scenario: Scenario) -> str:
    return f"{scenario.title} (lower is better)" if scenario.lower else scenario.title


def reached(results: Results, target: Target) -> tuple[str, bool] | None:
    """What was reached of a target and whether that is enough; None if it was not measured."""
    scenario = SCENARIOS[target.scenario]
    if target.peer is None:
        value = results.median(target.scenario, target.subject)
        return None if value is None else (number(value, scenario.unit), value <= target.factor)
    value = results.ratio(target.scenario, target.subject, target.peer)
    if value is None:
        return None
    enough = value <= target.factor if scenario.lower else value >= target.factor
    return f"{value:.2f}", enough


def wanted(target: Target) -> str:
    scenario = SCENARIOS[target.scenario]
    if target.peer is None:
        return f"at most {number(target.factor, scenario.unit)}"
    return f"at {'most' if scenario.lower else 'least'} {target.factor:.2f} x {target.peer}"


def markdown(results: Results) -> str:
    facts = results.facts
    lines = [
        f"{facts['cpu']}, {facts['cores']} cores, Linux {facts['kernel']}, "
        f"Python {facts['python']}, httpuv {facts['httpuv'] or '(not measured)'} "
        f"at {facts['commit'] or 'no commit'}. {facts['method']}",
        "",
    ]
    families: dict[str, list[str]] = {}
    for name, scenario in SCENARIOS.items():
        if name in results.measured:
            families.setdefault(scenario.family, []).append(name)
    for family, names in families.items():
        peers = [p for p in PEERS if any(p in results.measured[name] for name in names)]
        others = [peer for peer in peers if peer != OURS]
        if OURS in peers and others:
            lines += [f"**{family}: httpuv ÷ peer**", ""]
            lines += table(
                ["", *others],
                (
                    [title(SCENARIOS[name]), *(ratio(results, name, p) for p in others)]
                    for name in names
                ),
            )
        lines += [f"{family}, as measured here:", ""]
        lines += table(
            ["", *peers],
            (
                [title(SCENARIOS[name]), *(absolute(results, name, p) for p in peers)]
                for name in names
            ),
        )
        busy = [name for name in names if results.median(name, peers[0], "cpu_us")]
        if busy:
            lines += ["Processor time of the server for each answer, µs:", ""]
            lines += table(
                ["", *peers],
                (
                    [
                        SCENARIOS[name].title,
                        *(
                            f"{value:.1f}" if value else "-"
                            for value in (results.median(name, p, "cpu_us") for p in peers)
                        ),
                    ]
                    for name in busy
                ),
            )
    if any(
        results.client_bound(name, peer)
        for name, peers_of in results.measured.items()
        for peer in peers_of
    ):
        lines += ["\\* The client was the limit, not the server.", ""]
    judged = [(target, outcome) for target in TARGETS if (outcome := reached(results, target))]
    if judged:
        lines += ["**Targets**", ""]
        lines += table(
            ["", "target", "reached", ""],
            (
                [
                    f"{SCENARIOS[target.scenario].title}"
                    + ("" if target.subject == OURS else f" ({target.subject})"),
                    wanted(target),
                    value,
                    "yes" if enough else "**no**",
                ]
                for target, (value, enough) in judged
            ),
        )
    if results.failures:
        lines += ["Not measured:", ""]
        lines += [
            f"- {SCENARIOS[name].title}, {peer}: {why}"
            for name, whys in results.failures.items()
            for peer, why in whys.items()
        ]
        lines.append("")
    return "\n".join(lines)


def plot(results: Results, folder: Path) -> list[Path]:
    """One bar chart for each scenario; none, with a message, where matplotlib is not installed."""
    try:
        import matplotlib  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        print("no plots: matplotlib is not installed")
        return []
    matplotlib.use("svg")
    from matplotlib import pyplot

    written = []
    for name, peers in results.measured.items():
        scenario = SCENARIOS[name]
        ranked = sorted(
            ((results.median(name, peer) or 0.0, peer) for peer in peers),
            reverse=scenario.lower,
        )
        figure, axes = pyplot.subplots(figsize=(7, 0.4 * len(ranked) + 1.2))
        bars = axes.barh(
            [peer for _, peer in ranked],
            [value for value, _ in ranked],
            color=["#c03030" if peer.startswith(OURS) else "#8090a0" for _, peer in ranked],
        )
        axes.bar_label(bars, [number(value, scenario.unit) for value, _ in ranked], padding=3)
        axes.set_title(title(scenario))
        axes.set_xlim(0, 1.2 * max(value for value, _ in ranked))
        axes.xaxis.set_visible(False)
        for side in ("top", "right", "bottom"):
            axes.spines[side].set_visible(False)
        path = folder / f"{name}.svg"
        figure.tight_layout()
        figure.savefig(path)
        pyplot.close(figure)
        written.append(path)
    return written


def write(results: Results, folder: Path, stamp: str) -> Path:
    """Writes results/<stamp>.json and .md, and "latest" links to both; the Markdown's path."""
    folder.mkdir(parents=True, exist_ok=True)
    results.write_json(folder / f"{stamp}.json")
    text = folder / f"{stamp}.md"
    text.write_text(markdown(results))
    for path in (text, text.with_suffix(".json")):
        link = folder / f"latest{path.suffix}"
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(path.name)
    return text
