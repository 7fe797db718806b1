"""tests/tools: a part of `make test` ends as its command does; the summary says what failed."""

import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"


def run(tool: str, folder: Path, *arguments: str) -> tuple[int, str]:
    result = subprocess.run(
        [TOOLS / tool, *arguments], cwd=folder, text=True, capture_output=True, timeout=60
    )
    return result.returncode, result.stdout + result.stderr


def stage(folder: Path, name: str, script: str) -> tuple[int, str]:
    return run("stage.sh", folder, name, "bash", "-c", script)


def test_all_passed(tmp_path: Path) -> None:
    assert stage(tmp_path, "one", "echo '3 passed in 0.1s'")[0] == 0
    assert stage(tmp_path, "two", "echo '100% tests passed, 0 tests failed out of 6'")[0] == 0
    status, output = run("stage.sh", tmp_path, "--summary", "one", "two")
    assert status == 0
    assert "3 passed in 0.1s" in output
    assert "100% tests passed" in output
    assert output.endswith("Everything passed.\n")


@pytest.mark.parametrize(
    "line",
    [
        "FAILED tests/python/test_x.py::test_y[1] - AssertionError: no",
        "ERROR tests/python/test_x.py - ImportError",
        "TEST CASE:  the head travels with the file",
        "tests/cpp/net/test_x.cpp:146: ERROR: CHECK( x )",
        "\t  5 - net (Failed)",
        "cpp/net/x.cpp:3:5: error: expected ';'",
        "SUMMARY: ThreadSanitizer: data race x.cpp:3 in f()",
        "fuzz: text failed; its input is in build/fuzz/",
    ],
)
def test_failures_are_named(tmp_path: Path, line: str) -> None:
    assert stage(tmp_path, "good", "true")[0] == 0
    assert stage(tmp_path, "bad", f'echo "much else"; echo "{line}"; exit 3')[0] == 3
    status, output = run("stage.sh", tmp_path, "--summary", "bad", "good", "never")
    assert status == 1
    lines = [shown.strip() for shown in output.splitlines()]
    assert line.strip() in lines
    assert "much else" not in lines
    assert any(shown.startswith("ok       good") for shown in lines)
    assert "NOT RUN  never" in lines
    assert lines[-1] == "Not everything passed."


def test_a_failure_without_a_known_line_shows_the_end_of_the_log(tmp_path: Path) -> None:
    stage(tmp_path, "bad", "echo something odd; exit 1")
    status, output = run("stage.sh", tmp_path, "--summary", "bad")
    assert status == 1
    assert "something odd" in output


def test_an_earlier_run_is_forgotten(tmp_path: Path) -> None:
    stage(tmp_path, "one", "true")
    run("stage.sh", tmp_path, "--forget", "one")
    assert run("stage.sh", tmp_path, "--summary", "one")[0] == 1


def test_a_step_of_setting_up_shows_its_output_if_it_fails(tmp_path: Path) -> None:
    status, output = run("step.sh", tmp_path, "Doing a thing", "bash", "-c", "echo noise")
    assert status == 0
    assert output.startswith("Doing a thing ...\n  done after ")
    assert "noise" not in output
    status, output = run("step.sh", tmp_path, "Doing it", "bash", "-c", "echo reason; exit 4")
    assert status == 4
    assert "reason" in output
    assert "Doing it: failed" in output
