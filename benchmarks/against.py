"""Another build of ours: of a commit, which is installed beside the one that is measured."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILDS = ROOT / "build" / "against"


@dataclass(frozen=True)
class Build:
    """A build.

    Attributes:
        name: The short name of its commit, or the folder.
        python: The interpreter that runs it.
        path: The folder that it is imported from; "" if the interpreter has it installed.
    """

    name: str
    python: Path
    path: str = ""


def git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def build(name: str) -> Build:
    """What --against names: a commit, which is built now if needed, or a folder with a build of it
    (`pip install --no-deps --target FOLDER SOURCE`).

    Raises:
        SystemExit: There is no such commit, or it cannot be built.
    """
    if (Path(name) / "httpuv").is_dir():
        return Build(name, Path(sys.executable), str(Path(name).resolve()))
    try:
        commit = git("rev-parse", "--verify", f"{name}^{{commit}}")
    except subprocess.CalledProcessError:
        raise SystemExit(
            f"--against: {name} is neither a commit nor a folder with a build"
        ) from None
    folder = BUILDS / commit[:12]
    python = folder / "venv" / "bin" / "python"
    if not (folder / "installed").exists():
        print(f"building {commit[:12]} in {folder.relative_to(ROOT)}: some minutes", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        source = folder / "source"
        source.mkdir(parents=True)
        archive = folder / "source.tar"
        git("archive", f"--output={archive}", commit)
        shutil.unpack_archive(archive, source)
        for pin in source.glob("vendor/*/pin"):
            ours = ROOT / "vendor" / pin.parent.name
            # The third-party sources need not be fetched again if they are the same.
            if (ours / "source").is_dir() and (ours / "pin").read_bytes() == pin.read_bytes():
                shutil.copytree(ours / "source", pin.parent / "source", dirs_exist_ok=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        try:
            subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
            subprocess.run([*pip, str(source)], check=True)
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"--against: {commit[:12]} cannot be built: {error}") from None
        (folder / "installed").touch()
    return Build(commit[:12], python)
