"""Draw what run.py and blocked.py have measured, for the documentation.

    python benchmarks/plots.py [--results latest.json] [--blocked blocked.json] [--output FOLDER]

Needs matplotlib. Each figure is written twice, for light and for dark pages, and figures.txt
beside them shows them all; docs/explanation/benchmarks.md includes that file.
A bar is the median of the rounds, the line on it goes from the lowest to the highest one.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from units import label

HERE = Path(__file__).parent
RESULTS = HERE / "results"
OUTPUT = HERE.parent / "docs" / "explanation" / "plots"
OURS = "httpuv"
WIDTH = 5.4  # inches: small enough to be read on a phone
MOST_BARS = 9


@dataclass(frozen=True)
class Theme:
    """Colours that suit the light or the dark pages of the documentation."""

    name: str
    text: str
    soft: str
    ours: str
    theirs: str


THEMES = (
    Theme("light", "#1c2420", "#5d6963", "#0a7d6c", "#aab7b0"),
    Theme("dark", "#e6ebe8", "#9aa7a0", "#3fc7b0", "#55635c"),
)
#: Of the curves of other servers.
OTHERS = ("#c2571a", "#7a5cc2", "#b08900", "#3b7dc4")


def load_matplotlib() -> Any:
    """matplotlib's pyplot, set up for small SVG files that are the same each time."""
    try:
        import matplotlib  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise SystemExit("plots need matplotlib: pip install matplotlib") from None
    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",  # text stays text
            "svg.hashsalt": "httpuv",
            "font.family": "sans-serif",
            "font.sans-serif": ["system-ui", "Helvetica", "Arial", "DejaVu Sans", "sans-serif"],
            "font.size": 9,
        }
    )
    from matplotlib import pyplot

    return pyplot


def coloured(axes: Any, theme: Theme) -> None:
    """Only the axis at the left, and the theme's colours."""
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["left"].set_color(theme.soft)
    axes.tick_params(colors=theme.text, length=0)
    axes.set_facecolor("none")


def save(pyplot: Any, figure: Any, path: Path) -> None:
    figure.savefig(path, transparent=True, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close(figure)


# ---- bars ----


def values(scenario: dict[str, Any]) -> list[tuple[str, list[float]]]:
    """The rounds of each peer, the best one first; ours and the best others if there are many."""
    found = [
        (peer, [one["value"] for one in measured["rounds"]])
        for peer, measured in scenario["peers"].items()
        if measured["rounds"]
    ]
    found.sort(key=lambda each: statistics.median(each[1]), reverse=not lower(scenario))
    others = [peer for peer, _ in found if not peer.startswith(OURS)]
    room = max(1, MOST_BARS - (len(found) - len(others)))
    return [each for each in found if each[0].startswith(OURS) or each[0] in others[:room]]


def lower(scenario: dict[str, Any]) -> bool:
    """Whether a lower value is the better one."""
    return bool(scenario.get("lower", scenario["unit"] in ("µs", "bytes")))


def title(name: str, scenario: dict[str, Any]) -> str:
    better = "; lower is better" if lower(scenario) else ""
    return f"{scenario.get('title', name)}{better}"


def bars(pyplot: Any, scenarios: dict[str, dict[str, Any]], theme: Theme, path: Path) -> None:
    """One panel for each scenario."""
    rows = {name: values(scenario) for name, scenario in scenarios.items()}
    heights = [0.21 * len(peers) + 0.4 for peers in rows.values()]
    figure, grid = pyplot.subplots(
        len(rows),
        figsize=(WIDTH, sum(heights)),
        squeeze=False,
        gridspec_kw={"height_ratios": heights, "hspace": 0.35},
    )
    for (name, scenario), axes in zip(scenarios.items(), grid[:, 0], strict=True):
        peers = rows[name]
        medians = [statistics.median(rounds) for _, rounds in peers]
        places = range(len(peers) - 1, -1, -1)
        axes.barh(
            places,
            medians,
            height=0.72,
            color=[theme.ours if peer.startswith(OURS) else theme.theirs for peer, _ in peers],
            xerr=[
                [median - min(rounds) for median, (_, rounds) in zip(medians, peers, strict=True)],
                [max(rounds) - median for median, (_, rounds) in zip(medians, peers, strict=True)],
            ],
            error_kw={"ecolor": theme.text, "elinewidth": 1, "capsize": 2},
        )
        most = max(max(rounds) for _, rounds in peers) or 1.0
        for place, median, (_, rounds) in zip(places, medians, peers, strict=True):
            axes.text(
                max(rounds) + 0.015 * most,
                place,
                label(median, scenario["unit"]),
                va="center",
                color=theme.text,
            )
        axes.set_yticks(list(places), [peer for peer, _ in peers])
        axes.set_xlim(0, 1.22 * most)
        axes.xaxis.set_visible(False)
        axes.set_title(title(name, scenario), loc="left", color=theme.text, fontsize=9.5, pad=3)
        coloured(axes, theme)
    save(pyplot, figure, path)


# ---- curves ----


def curves(pyplot: Any, blocked: dict[str, Any], theme: Theme, path: Path) -> None:
    """Latency over time while the GIL is held."""
    figure, axes = pyplot.subplots(figsize=(WIDTH, 2.9))
    begin, end = blocked["facts"]["blocked"]
    axes.axvspan(begin, end, color=theme.soft, alpha=0.14, linewidth=0)
    axes.text((begin + end) / 2, 9000, "C code holds the GIL", ha="center", color=theme.soft)
    names = sorted(blocked["curves"], key=lambda name: not name.startswith(OURS))
    others = iter(OTHERS)
    # Ours last, so that it is drawn above the others.
    for name in reversed(names):
        points = blocked["curves"][name]
        ours = name.startswith(OURS)
        axes.plot(
            [at for at, _ in points],
            [max(ms, 0.1) for _, ms in points],
            color=theme.ours if ours else next(others),
            linewidth=1.8 if ours else 1.3,
            label=name,
        )
    axes.set_yscale("log")
    axes.set_ylim(0.1, 20_000)
    axes.set_yticks(
        [0.1, 1, 10, 100, 1000, 10_000], ["0.1 ms", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]
    )
    axes.yaxis.set_minor_locator(pyplot.NullLocator())
    axes.set_xticks(range(8), [f"{second} s" for second in range(8)])
    axes.set_xlim(0, max(at for points in blocked["curves"].values() for at, _ in points))
    axes.grid(axis="y", color=theme.soft, alpha=0.25, linewidth=0.6)
    axes.legend(frameon=False, labelcolor=theme.text, loc="upper left", ncols=1)
    coloured(axes, theme)
    save(pyplot, figure, path)


# ---- the page ----


def figure_lines(stem: str, alternative: str) -> list[str]:
    """The light and the dark picture; the page shows one of them."""
    return [
        line
        for theme in THEMES
        for line in (
            f"```{{image}} plots/{stem}-{theme.name}.svg",
            f":alt: {alternative}",
            f":class: only-{theme.name}",
            "```",
            "",
        )
    ]


def machine(facts: dict[str, Any]) -> str:
    return (
        f"{facts['cpu']}, {facts['cores']} cores, Linux {facts['kernel']}, "
        f"Python {facts['python']}, httpuv {facts['httpuv']}"
    )


def families(results: dict[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """The scenarios with something to compare, by family."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, scenario in results["scenarios"].items():
        if len(scenario["peers"]) > 1:
            found.setdefault(scenario.get("family", "Benchmarks"), {})[name] = scenario
    return found


def draw(results: dict[str, Any] | None, blocked: dict[str, Any] | None, output: Path) -> None:
    """Write the figures and the page; what an earlier run has written goes."""
    pyplot = load_matplotlib()
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("*.svg"):
        old.unlink()
    lines = []
    if blocked:
        lines += ["### While Python is blocked", ""]
        for theme in THEMES:
            curves(pyplot, blocked, theme, output / f"blocked-{theme.name}.svg")
        lines += figure_lines("blocked", "Time that a file takes while C code holds the GIL")
        lines += [
            "A client asks for a file a hundred times a second. After two seconds a callback calls "
            "C code that holds the GIL for three seconds.",
            "",
        ]
    for family, scenarios in families(results).items() if results else ():
        stem = re.sub(r"\W+", "-", family.lower())
        for theme in THEMES:
            bars(pyplot, scenarios, theme, output / f"{stem}-{theme.name}.svg")
        lines += [f"### {family}", "", *figure_lines(stem, f"{family}: bars for each server")]
    source = results or blocked
    if source is None:
        raise SystemExit("there is nothing to draw: run benchmarks/run.py or benchmarks/blocked.py")
    facts = source["facts"]
    if results:
        lines += [
            "Bars are medians of the rounds; the lines on them go from the lowest to the highest "
            f"round. {facts.get('method', '')}",
            "",
        ]
    lines += [f"{machine(facts)}.", ""]
    (output / "figures.txt").write_text("\n".join(lines))
    print(output / "figures.txt")
    if results:
        (output / "targets.txt").write_text(targets(results))
        print(output / "targets.txt")


def targets(results: dict[str, Any]) -> str:
    """What was aimed at and what was measured, a table for each part, as Markdown."""
    lines: list[str] = []
    part = None
    for each in results["targets"]:
        if not each.get("text"):
            continue
        if each["part"] != part:
            part = each["part"]
            lines += [
                "",
                f"| {part} | aimed at | measured: median [range] | |",
                "|---|---|---|---|",
            ]
        verdict = {True: "reached", False: "**short**", None: ""}[each["reached"]]
        figure = f"{each['title']}: {each['subject']}"
        lines.append(f"| {figure} | {each['wanted']} | {each['text']} | {verdict} |")
    return "\n".join(
        [*lines[1:], "", f"{machine(results['facts'])}. {results['facts']['method']}", ""]
    )


def read(path: Path | None, default: Path) -> dict[str, Any] | None:
    """What a run has written; None if no file was named and there is none.

    Raises:
        SystemExit: The file that was named is not there.
    """
    chosen = path or default
    if not chosen.exists():
        if path is not None:
            raise SystemExit(f"{path}: there is no such file")
        return None
    whole: dict[str, Any] = json.loads(chosen.read_text())
    return whole


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, help="of run.py; results/latest.json")
    parser.add_argument("--blocked", type=Path, help="of blocked.py; results/blocked.json")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    results = read(arguments.results, RESULTS / "latest.json")
    draw(results, read(arguments.blocked, RESULTS / "blocked.json"), arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
