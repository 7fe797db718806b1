"""What type checkers accept and reject."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import httpuv
import pytest

_HERE = Path(__file__).parent
_TYPED = _HERE / "typed"
_EXAMPLES = _HERE.parents[2] / "examples"


def mypy(*files: Path) -> str:
    return check("mypy", "--strict", "--config-file=", "--no-error-summary", *map(str, files))


def pyright(*files: Path) -> str:
    """The command of basedpyright, with pyright's own rules. Its wheel needs nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        config = {
            "typeCheckingMode": "standard",
            "include": [str(each) for each in files],
            "exclude": [],
            "extraPaths": [str(package())],
        }
        project = Path(folder, "pyrightconfig.json")
        project.write_text(json.dumps(config))
        out = check("basedpyright.pyright", "--level", "error", "--project", str(project))
    assert " errors, " in out or "1 error, " in out, out
    return out


def package() -> Path:
    return Path(httpuv.__file__).parent.parent


def check(tool: str, *arguments: str) -> str:
    name = tool.partition(".")[0]
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    environment = dict(os.environ)
    if "site-packages" not in str(package()):
        environment["MYPYPATH"] = str(package())
    run = (
        [sys.executable, "-m", tool]
        if name == "mypy"
        else [sys.executable, "-c", f"import sys; from {tool} import main; sys.exit(main())"]
    )
    done = subprocess.run(
        [*run, *arguments], capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_programs_that_are_right(checker: object) -> None:
    assert callable(checker)
    out = checker(_TYPED / "right.py", *sorted(_EXAMPLES.glob("*.py")))
    assert not re.search(r":\d+.*\berror\b", out), out


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_mistakes_are_found_and_nothing_else(checker: object) -> None:
    assert callable(checker)
    wrong = _TYPED / "wrong.py"
    out = checker(wrong)
    lines = wrong.read_text().splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}
    found = {int(each) for each in re.findall(r"wrong\.py:(\d+):", out)}
    assert len(marked) >= 20
    assert found == marked, out
