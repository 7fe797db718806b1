"""Third-party sources: the right ones and whole, or a message that says what is wrong."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from building import ROOT


def fetch(vendor: Path, *names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(vendor / "fetch.py"), *names]
    return subprocess.run(command, text=True, capture_output=True)


@pytest.fixture
def vendor(tmp_path: Path) -> Path:
    """A copy of vendor/ with no sources in it."""
    copy = tmp_path / "vendor"
    shutil.copytree(ROOT / "vendor", copy, ignore=shutil.ignore_patterns("source"))
    return copy


def test_several_builds_may_fetch_at_once(vendor: Path) -> None:
    command = [sys.executable, str(vendor / "fetch.py"), "llhttp"]
    builds = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = "".join(build.communicate()[0] for build in builds)
    assert [build.returncode for build in builds] == [0] * 4
    assert said.count("fetching") == 1
    names = {path.name for path in (vendor / "llhttp/source").iterdir()}
    assert names == {".pin", "LICENSE", "LICENSE-MIT", "include", "src"}
    assert not list((vendor / "llhttp").glob(".fetch-*"))


def test_an_archive_with_another_hash_is_refused(vendor: Path) -> None:
    pin = vendor / "llhttp/pin"
    good = re.search(r"sha256 *= (\w+)", pin.read_text())[1]  # type: ignore[index]
    bad = "0" * 64
    pin.write_text(pin.read_text().replace(good, bad))
    result = fetch(vendor, "llhttp")
    assert result.returncode == 1
    assert "httptools-0.9.0.tar.gz" in result.stderr
    assert f"expected sha256 {bad}" in result.stderr
    assert f"got      sha256 {good}" in result.stderr
    assert not (vendor / "llhttp/source").exists()


def test_a_failed_download_names_the_archive(vendor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {"NO_INDEX": "1", "FIND_LINKS": "", "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{key}", value)
    result = fetch(vendor, "libuv")
    assert result.returncode == 1
    assert "pip could not download uvloop-0.23.0.tar.gz (for libuv 1.52.1" in result.stderr
    assert not (vendor / "libuv/source").exists()


def test_another_pin_replaces_the_sources_and_a_hand_filled_folder_stays(vendor: Path) -> None:
    source = vendor / "llhttp/source"
    source.mkdir()
    (source / "mine").touch()
    assert fetch(vendor, "llhttp").returncode == 0
    assert [path.name for path in source.iterdir()] == ["mine"]
    (source / ".pin").write_text("of an older pin\n")
    assert fetch(vendor, "llhttp").returncode == 0
    assert (source / "include/llhttp.h").is_file()
    assert not (source / "mine").exists()


def configure(build: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", "-DHTTPUV_BUILD_PYTHON=OFF"]
    return subprocess.run([*map(str, command), *options], text=True, capture_output=True)


@pytest.mark.parametrize(
    ("option", "package"),
    [("LIBUV", "libuv1-dev"), ("LLHTTP", "libllhttp-dev"), ("ZLIB", "zlib1g-dev")],
)
def test_a_missing_system_library_is_named(option: str, package: str, tmp_path: Path) -> None:
    only_there = [f"-DCMAKE_FIND_ROOT_PATH_MODE_{kind}=ONLY" for kind in ("LIBRARY", "INCLUDE")]
    elsewhere = [f"-DCMAKE_FIND_ROOT_PATH={tmp_path}", *only_there]
    result = configure(tmp_path, f"-DHTTPUV_SYSTEM_{option}=ON", *elsewhere)
    assert result.returncode != 0
    message = " ".join(result.stderr.split())
    assert f"HTTPUV_SYSTEM_{option}=ON, but {option.lower()} was not found" in message
    assert package in message


@pytest.mark.parametrize(
    ("option", "header", "folder"),
    [("LIBUV", "uv.h", "libuv"), ("LLHTTP", "llhttp.h", "llhttp"), ("ZLIB", "zlib.h", "zlib-ng")],
)
def test_a_system_library_is_used(option: str, header: str, folder: str, tmp_path: Path) -> None:
    if not Path("/usr/include", header).exists():
        pytest.skip(f"the system has no {header}")
    for value in ("OFF", "ON"):
        result = configure(tmp_path, f"-DHTTPUV_SYSTEM_{option}={value}")
        assert result.returncode == 0, result.stderr
        pinned = f"vendor/{folder}/source" in (tmp_path / "build.ninja").read_text()
        assert pinned == (value == "OFF")
