"""The source distribution and the wheel, built once."""

import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from building import ADDRESS, DIST, run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(1200))  # whole builds, on whatever machine


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, DIST, ADDRESS, "--sdist", "--no-isolation", "--outdir", folder)
    (archive,) = folder.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built out of the source distribution, with no package index in reach."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder)
    (source,) = folder.iterdir()
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index"]
    # The content of a wheel does not depend on the optimiser, so this build may be quick. The
    # options are those of test_install.py, so that a compiler cache knows the objects.
    quick = ["-Ccmake.build-type=None", "-Ccmake.define.HTTPUV_LTO=OFF"]
    quick += ["-Ccmake.define.HTTPUV_WERROR=ON", "-Cbuild-dir=build/quick"]
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
    run(*pip, *quick, "-w", folder, source, CCACHE_BASEDIR=str(source), **offline)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="session")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    yield folder
