"""Where the project is, and how to run a command in it."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
DIST = ROOT / "tests/tools/dist.py"  # builds what is published
ADDRESS = "https://forge.example/group/httpuv"


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    """Output of the command; its failure shows the output."""
    result = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert result.returncode == 0, f"{' '.join(map(str, command))}:\n{result.stdout}"
    return result.stdout
