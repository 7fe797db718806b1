"""The figures of the benchmarks, from results as the benchmarks write them."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLOTS = ROOT / "benchmarks" / "plots.py"

pytestmark = pytest.mark.skipif(not PLOTS.exists(), reason="the benchmarks are not here")


def draw(folder: Path, results: dict[str, object], blocked: dict[str, object]) -> Path:
    output = folder / "plots"
    for name, content in (("results", results), ("blocked", blocked)):
        (folder / f"{name}.json").write_text(json.dumps(content))
    command = [sys.executable, str(PLOTS), "--output", str(output)]
    command += ["--results", str(folder / "results.json")]
    command += ["--blocked", str(folder / "blocked.json")]
    subprocess.run(command, check=True, timeout=300)
    return output


def test_every_figure_is_drawn_and_shown(tmp_path: Path) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        pytest.skip("needs matplotlib")
    facts = {"cpu": "some", "cores": 2, "kernel": "6", "python": "3.11", "httpuv": "1"}
    facts["method"] = "Slices alternate."
    peers = {
        "httpuv": {"rounds": [{"value": 30_000.0}, {"value": 32_000.0}, {"value": 31_000.0}]},
        "nginx": {"rounds": [{"value": 20_000.0}]},
    }
    scenario = {"family": "Static files", "title": "1 KiB", "unit": "requests/s", "peers": peers}
    memory = {
        "family": "Memory",
        "title": "idle",
        "unit": "bytes",
        "lower": True,
        "peers": {"httpuv": {"rounds": [{"value": 900.0}]}, "other": {"rounds": [{"value": 9e4}]}},
    }
    alone = {"family": "Alone", "title": "one", "unit": "µs", "peers": {"httpuv": peers["httpuv"]}}
    target = {"part": "Engine", "title": "hello", "subject": "httpuv", "reached": False}
    target |= {"wanted": "at least 1.00 x nginx", "text": "0.90 [0.80-1.00]"}
    results = {"facts": facts, "targets": [target, {**target, "text": ""}]}
    results["scenarios"] = {"static": scenario, "idle": memory, "alone": alone}
    blocked = {
        "facts": {**facts, "blocked": [1, 2]},
        "curves": {"httpuv": [[0, 0.5], [1, 0.6], [3, 0.5]], "other": [[0, 1], [1, 900], [3, 1]]},
    }
    output = draw(tmp_path, results, blocked)
    page = (output / "figures.txt").read_text()
    for family in ("blocked", "static-files", "memory"):
        for theme in ("light", "dark"):
            assert f"plots/{family}-{theme}.svg" in page
    drawn = {path.name for path in output.glob("*.svg")}
    assert drawn == {name.removeprefix("plots/") for name in page.split() if "plots/" in name}
    table = (output / "targets.txt").read_text()
    assert "| hello: httpuv | at least 1.00 x nginx | 0.90 [0.80-1.00] | **short** |" in table
    assert table.count("hello") == 1 and "Slices alternate." in table
    text = (output / "static-files-light.svg").read_text()
    assert "31.0 k/s" in text and "20.0 k/s" in text and "nginx" in text
    assert "idle; lower is better" in (output / "memory-dark.svg").read_text()
