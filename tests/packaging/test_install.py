"""`pip install .` in a clean clone, with a C++ compiler and the package index and nothing else."""

import shutil
import sys
from pathlib import Path

import pytest
from building import ROOT, run

NO_CLONE_HAS = (".*", "build", "dist", "source", "__pycache__", "*.so")
BUILD_TOOLS = {"cmake", "ctest", "cpack", "ninja", "ninja-build", "make", "gmake"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The tree as git would bring it, uncommitted changes with it."""
    copy = tmp_path / "clone"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NO_CLONE_HAS))
    assert not list(copy.glob("vendor/*/source"))
    return copy


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    """A PATH with the system's programs, those of a build left out."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in ("/usr/local/bin", "/usr/bin", "/bin"):
        for program in Path(place).iterdir():
            link = folder / program.name
            if program.name not in BUILD_TOOLS and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def test_pip_install_out_of_a_clean_clone(clone: Path, bare_path: str, tmp_path: Path) -> None:
    assert shutil.which("cmake", path=bare_path) is None
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    environment = {"PATH": bare_path, "PYTHONPATH": "", "CCACHE_BASEDIR": str(clone)}
    # What is optimised is the wheel's business; this one may be quick. The same options as those of
    # the other Python, so that a compiler cache knows the objects.
    quick = ["build-dir=build/quick", "cmake.build-type=None", "cmake.define.HTTPUV_LTO=OFF"]
    quick += ["cmake.define.HTTPUV_WERROR=ON"]
    # In its long form, since the pip that comes with Python may be an old one.
    options = [f"--config-settings={each}" for each in quick]
    run(python, "-m", "pip", "install", *options, ".", cwd=clone, **environment)
    program = """
import threading, urllib.request, httpuv
with httpuv.startServer("127.0.0.1", 0, lambda req: {"status": 200, "body": "installed"}) as server:
    url = f"http://127.0.0.1:{server.getPort()}/"
    said = []
    client = threading.Thread(target=lambda: said.append(urllib.request.urlopen(url).read()))
    client.start()
    while client.is_alive():
        httpuv.service(50)
print(said[0].decode(), httpuv.__file__)
"""
    said, where = run(python, "-W", "error", "-c", program, cwd=tmp_path, PYTHONPATH="").split()
    assert said == "installed"
    assert where.startswith(str(tmp_path / "venv"))
