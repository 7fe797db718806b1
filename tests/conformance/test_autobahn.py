"""The core of Autobahn's WebSocket test suite, as part of `make test`: all but compression, which
takes many minutes and is `make conformance`'s. tests/tools/autobahn.sh installs the suite."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from reading import read_autobahn
from running import probe, serving

SUITE = Path(__file__).parents[2] / "build" / "autobahn"

pytestmark = pytest.mark.skipif(
    not (SUITE / "installed").exists(),
    reason="Autobahn's suite is not installed: it needs CPython 2.7, see tests/tools/autobahn.sh",
)

#: Its packages are where only the suite finds them; some come with a .pth file.
WSTEST = """
import site, sys
sys.path.insert(0, sys.argv[1])
site.addsitedir(sys.argv.pop(1))
from autobahntestsuite.wstest import run
run()
"""


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("name", "cases", "count"),
    [
        ("core", ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"], 247),
        ("limits", ["9.*"], 54),
    ],
    ids=["core", "limits"],
)
def test_autobahn(tmp_path: Path, name: str, cases: list[str], count: int) -> None:
    with serving("WS", None, tmp_path, tmp_path / "server.log") as port:
        probe("WS", port)
        report = tmp_path / f"ab-{port}-{name}"
        spec = tmp_path / "spec.json"
        spec.write_text(
            json.dumps(
                {
                    "outdir": str(report),
                    "servers": [{"agent": "httpuv", "url": f"ws://127.0.0.1:{port}/"}],
                    "cases": cases,
                    "exclude-cases": [],
                    "exclude-agent-cases": {},
                }
            )
        )
        command = [str(SUITE / "python"), "-c", WSTEST, str(SUITE / "site")]
        result = subprocess.run(
            [*command, "-m", "fuzzingclient", "-s", str(spec)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert report.exists(), result.stdout
        outcome = read_autobahn(tmp_path, port, [name])
    assert outcome.misses == []
    assert (outcome.passed, outcome.of) == (count, count)
