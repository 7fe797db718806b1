"""A folder holds what a reader takes in at a glance."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Files directly in a folder.
MOST = 16
#: Folders of pages and of pictures that are one list.
LISTS = {"docs/how-to", "docs/explanation/plots"}


def tracked() -> list[Path]:
    result = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        pytest.skip("not a clone")
    return [Path(line) for line in result.stdout.splitlines() if (ROOT / line).exists()]


def too_full(files: list[Path], most: int) -> dict[str, int]:
    counts = Counter(path.parent.as_posix() for path in files)
    return {name: n for name, n in counts.items() if n > most and name not in LISTS}


def test_no_folder_has_too_many_files() -> None:
    files = tracked()
    assert len(files) > 500, "is the test looking at the right place?"
    assert too_full(files, MOST) == {}


def test_it_would_be_noticed() -> None:
    files = [Path(f"cpp/full/{number}.cpp") for number in range(MOST + 1)]
    assert too_full(files, MOST) == {"cpp/full": MOST + 1}
