"""Runs a server's own pytest suite against httpuv: python pytest_suite.py NAME

The suite's files come from CONF/src and are laid out in a temporary folder; a plugin of ours in
adapters/ puts httpuv in the place of that server. pytest's report is what is read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent

#: The folder below CONF/src, what of it is laid out, what is left out, the tests.
SUITES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "waitress": ("Pylons+waitress", ("src/waitress", "tests"), (), ("tests/test_functional.py",)),
    "daphne": (
        "django+daphne",
        ("daphne", "tests"),
        (),
        (
            "tests/test_http_request.py",
            "tests/test_http_response.py",
            "tests/test_websocket.py",
        ),
    ),
    "uvicorn": (
        "encode+uvicorn",
        ("uvicorn", "tests"),
        (),
        ("tests/protocols/test_websocket.py", "tests/test_ssl.py", "tests/test_default_headers.py"),
    ),
    "django": (
        "django+django",
        ("tests/servers", "tests/staticfiles_tests", "tests/file_storage"),
        (),
        (
            "servers/tests.py",
            "servers/test_liveserverthread.py",
            "staticfiles_tests/test_liveserver.py",
            "file_storage/tests.py::FileLikeObjectTestCase",
        ),
    ),
    "granian": (
        "emmett-framework+granian",
        ("tests",),
        ("tests/conftest.py",),
        ("tests/test_asgi.py", "tests/test_wsgi.py", "tests/test_ws.py", "tests/test_https.py"),
    ),
}


def main() -> int:
    name = sys.argv[1]
    folder, parts, left_out, tests = SUITES[name]
    source = Path(os.environ["CONF"]) / "src" / folder
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for part in parts:
            shutil.copytree(source / part, root / Path(part).name)
        for part in left_out:
            (root / part).unlink()
        (root / "pytest.ini").write_text("[pytest]\naddopts =\n")  # not the suite's
        paths = [str(root), str(HERE / "adapters"), os.environ.get("PYTHONPATH", "")]
        command = [sys.executable, "-m", "pytest", "-p", f"{name}_tests", "-rfE", "--tb=short"]
        command += ["--color=no", "-q", "--timeout=60", *tests]
        return subprocess.run(
            command, cwd=root, env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
