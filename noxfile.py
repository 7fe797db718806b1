"""The Python tests on every supported interpreter this machine has.

nox            every Python from 3.10 to 3.13 that is found (in PATH or in pyenv's root)
nox -s other   one that is not the default python3, with the tests for which its version matters:
               what `make test` runs besides it
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nox

SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
#: Where versions of CPython differ: its C API, asyncio, threads and how they end, fork, signals.
SMOKE = """
    app async async_begin convert core_stub cycles dispatch dispatch_modes dispatch_threads
    environment exit fork manual on_headers responses signals stop_modes streaming streams
    threads_begin upload websocket_api websocket_asyncio
"""
TESTS = Path("tests/python")
REPORT = (
    "import os, sys, sysconfig;"
    "has_headers = os.path.exists(os.path.join(sysconfig.get_path('include'), 'Python.h'));"
    "print('%d.%d' % sys.version_info[:2] if has_headers else 'no headers')"
)


def version_of(python: str) -> str | None:
    """Such as "3.11" if `python` runs and has headers, else something else (pyenv has shims)."""
    try:
        result = subprocess.run([python, "-c", REPORT], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def interpreters() -> dict[str, Path]:
    """Where each supported version lives: {"3.11": folder of its python3.11}."""
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    folders = [*sorted(root.glob("versions/*/bin"), reverse=True)]
    folders += [Path(folder) for folder in os.get_exec_path() if ".venv" not in folder]
    found: dict[str, Path] = {}
    for version in SUPPORTED:
        for folder in folders:
            python = folder / f"python{version}"
            if python.exists() and version_of(str(python)) == version:
                found[version] = folder
                break
    return found


FOUND = interpreters()
DEFAULT = version_of("python3")
OTHERS = [version for version in FOUND if version != DEFAULT]

os.environ["PATH"] = os.pathsep.join([*map(str, FOUND.values()), os.environ["PATH"]])
nox.options.sessions = ["tests"]
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True


def run_tests(session: nox.Session, *settings: str, group: str, tests: list[str]) -> None:
    groups = nox.project.load_toml("pyproject.toml")
    session.install(*nox.project.dependency_groups(groups, "build", group))
    settings += (f"-Cbuild-dir=build/nox-{session.python}", "-Ccmake.define.HTTPUV_WERROR=ON")
    session.install("--no-build-isolation", "--no-deps", "--force-reinstall", *settings, ".")
    session.run("pytest", "-q", "-n", "auto", *(session.posargs or tests))


@nox.session(python=list(FOUND))
def tests(session: nox.Session) -> None:
    """Build, install and test."""
    run_tests(session, group="test", tests=["tests/python"])


@nox.session(python=OTHERS[0] if OTHERS else False)
def other(session: nox.Session) -> None:
    """A part of it on one interpreter that is not the default one, without optimisation."""
    if not OTHERS:
        session.skip(f"no Python of {', '.join(SUPPORTED)} was found besides the default one")
    quick = ("-Ccmake.define.HTTPUV_LTO=OFF", "-Ccmake.build-type=None")
    tests = [str(next(TESTS.rglob(f"test_{name}.py"))) for name in SMOKE.split()]
    run_tests(session, *quick, group="smoke", tests=tests)
