"""Build what is published: a source distribution and a wheel with the project's address.

    python tests/tools/dist.py https://forge.example/group/httpuv [--outdir dist]

The address is an argument, because a checkout does not know where it is published. It is written
into a copy of the tree: as the table of addresses in pyproject.toml, and as absolute links in
README.md. So the source distribution has both, and every wheel that is built from it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]


def address(text: str) -> str:
    """The argument, if it can be the address of a repository."""
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname or not parts.path.strip("/"):
        raise argparse.ArgumentTypeError(f"not the https:// address of a repository: {text!r}")
    return text.rstrip("/").removesuffix(".git")


def build(source: Path, outdir: Path, *options: str) -> None:
    command = [sys.executable, "-m", "build", *options, "--outdir", str(outdir), str(source)]
    subprocess.run(command, check=True)


def unpack(sdist: Path, folder: Path) -> Path:
    # Pythons before 3.11.4 have no filters; the archive is our own.
    how: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, **how)
    return folder / sdist.name.removesuffix(".tar.gz")


def with_urls(pyproject: str, url: str, pages: str) -> str:
    """The text of pyproject.toml, with a table of addresses."""
    urls = {
        "Source": url,
        "Documentation": f"{pages}/docs/index.md",
        "Changelog": f"{pages}/CHANGELOG.md",
        "Issues": f"{url}/issues",
    }
    table = "".join(f'{name} = "{value}"\n' for name, value in urls.items())
    return pyproject.replace("[project.scripts]", f"[project.urls]\n{table}\n[project.scripts]", 1)


def for_package_page(readme: str, pages: str) -> str:
    """The text of README.md for a package page: absolute links, and no diagram."""
    readme = re.sub(r"```mermaid\n.*?```\n\n", "", readme, flags=re.DOTALL)
    return re.sub(r"\]\((?![a-z]+:|#)([^)]+)\)", rf"]({pages}/\1)", readme)


def main() -> None:
    parser = argparse.ArgumentParser(description="Build what is published.")
    parser.add_argument("url", type=address, help="the repository's address, https://...")
    parser.add_argument("--outdir", type=Path, default=ROOT / "dist")
    parser.add_argument("--sdist", action="store_true", help="only the source distribution")
    parser.add_argument("--no-isolation", action="store_true", help="with this environment's tools")
    given = parser.parse_args()
    options = ["--no-isolation"] if given.no_isolation else []
    with tempfile.TemporaryDirectory() as temporary:
        build(ROOT, Path(temporary), "--sdist", *options)
        (sdist,) = Path(temporary).glob("*.tar.gz")
        tree = unpack(sdist, Path(temporary))
        tag = "v" + tree.name.rpartition("-")[2]
        pages = f"{given.url}/blob/{tag}"  # as GitHub and GitLab have it
        for name, change in (
            ("pyproject.toml", lambda text: with_urls(text, given.url, pages)),
            ("README.md", lambda text: for_package_page(text, pages)),
        ):
            file = tree / name
            before = file.read_text("utf-8")
            after = change(before)
            assert after != before, f"{name} is not as this program expects"
            file.write_text(after, "utf-8")
        (tree / "PKG-INFO").unlink()
        build(tree, given.outdir, *options, *(["--sdist"] if given.sdist else []))
    print(f"The links of the package page lead to the tag {tag}: push it before you publish.")


if __name__ == "__main__":
    main()
