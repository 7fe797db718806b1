"""The tables and the arithmetic of benchmarks/; nothing is measured here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
if not BENCHMARKS.is_dir():
    pytest.skip("benchmarks/ is not part of a source package", allow_module_level=True)
sys.path.insert(0, str(BENCHMARKS))

import report  # noqa: E402
import slices  # noqa: E402
import topic_figures  # noqa: E402
from measure.loads import Measured  # noqa: E402
from measure.servers import Server  # noqa: E402
from plan import groups, scenarios, targets  # noqa: E402


@pytest.fixture
def results() -> report.Results:
    found = report.Results({})
    for ours, theirs in ((100.0, 50.0), (10.0, 10.0), (90.0, 60.0)):
        found.add("hello", "httpuv", Measured(ours, switches=0.05))
        found.add("hello", "freastal", Measured(theirs))
    found.count("hello", "httpuv", 2.5, "perf")
    found.fail("hello", "bjoern", "Died: it said nothing")
    return found


def judged(results: report.Results, factor: float, peer: str = "freastal") -> dict[str, object]:
    return report.judgement(results, targets.beside("Engine", "hello", factor, peer))


def test_ratios_are_of_slices_with_the_same_number(results: report.Results) -> None:
    found = judged(results, 1.5)
    assert (found["low"], found["median"], found["high"]) == (1.0, 1.5, 2.0)
    assert found["reached"] is True
    assert judged(results, 1.51)["reached"] is False


def test_a_bound_is_reached_from_below(results: report.Results) -> None:
    def of(factor: float) -> object:
        target = targets.most("Engine", "hello", factor, attribute="switches")
        return report.judgement(results, target)["reached"]

    assert (of(0.05), of(0.04)) == (True, False)


def test_what_failed_is_said(results: report.Results) -> None:
    found = judged(results, 1.0, "bjoern")
    assert found["reached"] is None
    assert found["why"] == "Died: it said nothing"
    names = ("cpu", "cores", "kernel", "python", "httpuv", "commit", "method")
    results.facts = dict.fromkeys(names, "")
    assert "Died: it said nothing" in report.markdown(results)


def test_results_are_read_as_they_were_written(results: report.Results, tmp_path: Path) -> None:
    results.write_json(tmp_path / "one.json")
    again = report.read_json(tmp_path / "one.json")
    assert again == results
    again.forget("hello")
    assert not again.measured and not again.calls and not again.failures


def test_parts_are_forgotten_with_their_scenario() -> None:
    found = report.Results({})
    found.add("block-static", "httpuv live", Measured(1.0))
    found.forget("block")
    assert not found.measured


@pytest.mark.parametrize("target", targets.TARGETS, ids=lambda target: target.title)
def test_who_a_target_is_about_takes_part(target: targets.Target) -> None:
    for cell in target.cells():
        scenario = scenarios.SCENARIOS[cell.scenario]
        if scenario.part_of != "topics":
            assert scenario.admits(cell.peer), cell
        assert hasattr(Measured(0.0), cell.attribute)


def test_all_that_is_asked_is_part_of_a_group() -> None:
    covered = {name for names in groups.TARGET_GROUPS.values() for name in names} | {"topics"}
    for target in targets.ASKED:
        name = target.subject.scenario
        assert (scenarios.SCENARIOS[name].part_of or name) in covered


@pytest.mark.parametrize("slices_, beside", [(9, 3), (9, 1), (3, 1), (9, 0), (2, 3)])
def test_as_many_slices_as_were_asked_for(slices_: int, beside: int) -> None:
    plan = slices.Plan(slices_, beside, 1.0, None, None, 0.0, {})

    def count(peer: str) -> int:
        return sum(plan.due(peer, {"wanted"}, number) for number in range(slices_))

    assert count("wanted") == slices_
    assert count("other") == min(beside, slices_)


@pytest.mark.parametrize(
    "line, figures",
    [
        (
            "redis p50: httpuv 900 us, python-socketio 2,000 us: 0.45 x",
            [
                ("topics-redis-p50", "httpuv", 900.0),
                ("topics-redis-p50", "python-socketio", 2000.0),
            ],
        ),
        (
            "events: httpuv 9,000/s, starlette 1,000/s: 9.0 x",
            [("topics-events", "httpuv", 9000.0), ("topics-events", "starlette", 1000.0)],
        ),
        ("a subscription: 48 bytes", [("topics-subscription", "httpuv", 48.0)]),
        ("an idle topic: 397 bytes", [("topics-idle-topic", "httpuv", 397.0)]),
        (
            "publish to one topic 20,000/s, to 100,000 18,000/s: 0.90 x",
            [("topics-one", "httpuv", 20000.0), ("topics-many", "httpuv", 18000.0)],
        ),
        ("nothing of that kind", []),
    ],
)
def test_lines_of_topics(line: str, figures: list[tuple[str, str, float]]) -> None:
    assert topic_figures.figures(line) == figures
    assert all(name in scenarios.SCENARIOS for name, _, _ in figures)


def test_a_server_that_is_never_idle_is_stopped_in_the_slices_of_others(tmp_path: Path) -> None:
    codes = {"spins": "while True: pass", "waits": "import time; time.sleep(100)"}
    servers = {}
    try:
        for name, code in codes.items():
            process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
            servers[name] = Server(process, 0, tmp_path / name)
        plan = slices.Plan(1, 0, 1.0, None, None, 0.0, {"root": str(tmp_path)})
        run = slices.Run("hello", plan, report.Results({}), tmp_path)
        assert run.halt_restless(servers) == {"spins"}
        _, status = os.waitpid(servers["spins"].process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
    finally:
        for server in servers.values():
            server.end()
