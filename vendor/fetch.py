#!/usr/bin/env python3
"""Fill vendor/<name>/source/ with the pinned third-party sources.

    python vendor/fetch.py [libuv] [llhttp] [zlib-ng]        (all of them when none is named)

Each vendor/<name>/pin names a source distribution of the Python package index, its SHA-256 and the
folder in it that holds the library. pip downloads it, so every index, mirror, proxy and certificate
the user set up for pip holds here too. The hash is checked twice (by pip, and here), nothing of the
archive is executed, and the folder appears in one rename: a build that runs at the same time sees
all of it or nothing.

A source/ without a `.pin` file was put there by hand and is used as it is.
"""

from __future__ import annotations

import configparser
import contextlib
import fnmatch
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

VENDOR = Path(__file__).resolve().parent
# An enclosing build leaves its own state behind, and the user's constraints come without hashes.
FOREIGN = re.compile(
    r"_PYPROJECT_HOOKS_|PEP517_|PIP_(BUILD_TRACKER|REQ_TRACKER|CONSTRAINT|REQUIREMENT)$"
)


class FetchError(Exception):
    """The sources cannot be had; the message says which archive and why."""


@dataclass(frozen=True)
class Pin:
    """One vendor/<name>/pin file."""

    name: str
    version: str  # of the library itself
    project: str  # the project on the package index whose source distribution carries it
    release: str
    archive: str
    sha256: str
    subfolder: str
    keep: tuple[str, ...]  # globs for the entries of `subfolder` that are needed
    licence: str

    @staticmethod
    def read(name: str) -> Pin:
        path = VENDOR / name / "pin"
        parser = configparser.ConfigParser(interpolation=None)
        if not parser.read(path, encoding="utf-8"):
            raise FetchError(f"there is no {path}")
        values = dict(parser["pin"])
        keep = tuple(values.pop("keep").split())
        return Pin(name=name, keep=keep, **values)

    @property
    def source(self) -> Path:
        return VENDOR / self.name / "source"

    def filled(self) -> bool:
        """Is source/ there, and of this very pin (or put there by hand)?"""
        if not self.source.is_dir():
            return False
        mark = self.source / ".pin"
        return not mark.exists() or mark.read_text("ascii").strip() == self.sha256


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One download at a time in this tree; without file locks the final rename still decides."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(VENDOR / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def wrong_hash(pin: Pin, got: str) -> FetchError:
    return FetchError(
        f"{pin.archive} (for {pin.name} {pin.version}) is not the pinned file:\n"
        f"  expected sha256 {pin.sha256}\n"
        f"  got      sha256 {got}\n"
        "It was damaged or replaced on its way; nothing of it was used."
    )


def download(pin: Pin, folder: Path) -> Path:
    """Let pip put the archive into `folder`, and return its path once its hash is right."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{pin.project}=={pin.release} --hash=sha256:{pin.sha256}\n", "ascii")
    environment = {key: value for key, value in os.environ.items() if not FOREIGN.match(key)}
    path = [str(VENDOR / "stub_backend"), *filter(None, [environment.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(path)
    environment["PIP_USE_PEP517"] = "1"
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"]
    command += ["--no-deps", "--no-binary=:all:", "--no-build-isolation", "--require-hashes"]
    command += [f"--dest={folder}", f"--requirement={requirements}"]
    result = subprocess.run(command, env=environment, text=True, capture_output=True, cwd=folder)
    if result.returncode != 0:
        output = result.stdout + result.stderr
        if "No module named pip" in output:
            raise FetchError(
                f"{pin.archive} is needed and {sys.executable} has no pip to download it with; "
                f"install pip, or unpack {pin.name} {pin.version} into {pin.source}"
            )
        got = re.search(r"Got\s+([0-9a-f]{64})", output)
        if got:
            raise wrong_hash(pin, got[1])
        raise FetchError(
            f"pip could not download {pin.archive} (for {pin.name} {pin.version}, "
            f"expected sha256 {pin.sha256}):\n{output.rstrip()}"
        )
    archive = folder / pin.archive
    if not archive.is_file():
        raise FetchError(f"pip downloaded {pin.project} {pin.release}, but not as {pin.archive}")
    got_hash = hashlib.sha256(archive.read_bytes()).hexdigest()
    if got_hash != pin.sha256:
        raise wrong_hash(pin, got_hash)
    return archive


def unpack(pin: Pin, archive: Path, into: Path) -> None:
    """Write the kept files of the archive's subfolder below `into`."""
    base = PurePosixPath(pin.archive.removesuffix(".tar.gz"), pin.subfolder)
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if not member.isfile() or base not in path.parents or ".." in path.parts:
                continue
            inner = path.relative_to(base)
            if not any(fnmatch.fnmatchcase(inner.parts[0], glob) for glob in pin.keep):
                continue
            data = tar.extractfile(member)
            assert data is not None  # a regular file always has data
            target = into / inner
            target.parent.mkdir(parents=True, exist_ok=True)
            with data, open(target, "wb") as out:
                shutil.copyfileobj(data, out)
    for glob in pin.keep:
        if not any(into.glob(glob)):
            raise FetchError(f"{pin.archive} has no {pin.subfolder}/{glob}")


def fill(pin: Pin) -> None:
    """Make sure vendor/<name>/source/ is there and of this pin."""
    if pin.filled():
        return
    with locked():
        if pin.filled():  # another process was quicker
            return
        print(f"{pin.name} {pin.version}: fetching {pin.archive}", flush=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=VENDOR / pin.name) as name:
            folder = Path(name)
            fresh = folder / "source"
            unpack(pin, download(pin, folder), fresh)
            (fresh / ".pin").write_text(pin.sha256 + "\n", "ascii")
            if pin.source.exists():  # of an older pin
                pin.source.rename(folder / "old")
            try:
                fresh.rename(pin.source)
            except OSError:
                if not pin.filled():
                    raise


def main(names: list[str]) -> int:
    try:
        for name in names or sorted(path.parent.name for path in VENDOR.glob("*/pin")):
            fill(Pin.read(name))
    except FetchError as error:
        print(f"vendor/fetch.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
