"""What is in a source distribution and in a wheel, and that the wheel stands on its own."""

import email.parser
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from building import ADDRESS, DIST, ROOT, run

SYSTEM_LIBRARIES = {
    "libc",
    "libm",
    "libdl",
    "librt",
    "libpthread",
    "libgcc_s",
    "libstdc++",
    "ld-linux",
}


def core(unpacked: Path) -> Path:
    (module,) = (unpacked / "httpuv").glob("_core.*.so")
    return module


def test_sdist_carries_the_pinned_sources_and_nothing_built(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert {f"vendor/{name}/source/.pin" for name in ("libuv", "llhttp", "zlib-ng")} <= names
    assert {"LICENSE", "README.md", "CMakeLists.txt", "cpp/CMakeLists.txt", "PKG-INFO"} <= names
    assert not [
        name
        for name in names
        if re.match(r"build/|dist/|\.|.*\.(so|o|a|pyc|whl)$", name) and name != ".gitignore"
    ]


def test_wheel_is_typed(unpacked: Path) -> None:
    assert (unpacked / "httpuv/py.typed").is_file()
    assert "class Server" in (unpacked / "httpuv/_core.pyi").read_text("utf-8")


def test_wheel_is_the_python_folder_and_the_module(unpacked: Path) -> None:
    source = ROOT / "python/httpuv"
    expected = {
        path.relative_to(source)
        for path in source.rglob("*.*")
        if path.suffix not in (".pyc", ".so", ".new")
    }
    expected |= {Path(core(unpacked).name)}
    got = {path.relative_to(unpacked / "httpuv") for path in (unpacked / "httpuv").rglob("*.*")}
    assert got == expected


def test_wheel_carries_every_licence(unpacked: Path) -> None:
    (metadata,) = unpacked.glob("httpuv-*.dist-info/METADATA")
    headers = email.parser.HeaderParser().parsestr(metadata.read_text("utf-8"))
    listed = set(headers.get_all("License-File", []))
    assert {
        "LICENSE",
        "vendor/libuv/source/LICENSE",
        "vendor/libuv/source/LICENSE-extra",
        "vendor/llhttp/source/LICENSE",
        "vendor/zlib-ng/source/LICENSE.md",
    } <= listed
    for name in listed:
        assert (metadata.parent / "licenses" / name).stat().st_size > 100
    assert headers["License-Expression"] == "MIT"
    assert headers["Requires-Python"] == ">=3.10"


def test_package_page_has_addresses_and_absolute_links(unpacked: Path) -> None:
    (file,) = unpacked.glob("httpuv-*.dist-info/METADATA")
    metadata = email.parser.Parser().parsestr(file.read_text("utf-8"))
    urls = dict(line.split(", ") for line in metadata.get_all("Project-URL", []))
    assert urls["Source"] == ADDRESS
    assert urls.keys() == {"Source", "Documentation", "Changelog", "Issues"}
    text = metadata.get_payload()
    assert "```mermaid" not in text  # a package page shows it as code
    links = re.findall(r"\]\(([^)]+)\)", text)
    pages = f"{ADDRESS}/blob/v{metadata['Version']}/"
    assert len(links) > 20
    assert [link for link in links if not link.startswith(pages)] == []
    assert [link for link in links if not (ROOT / link.removeprefix(pages)).is_file()] == []
    for url in (urls["Documentation"], urls["Changelog"]):
        assert (ROOT / url.removeprefix(pages)).is_file()


@pytest.mark.parametrize("address", ["", "git@forge.example:group/httpuv.git", "/srv/httpuv.git"])
def test_nothing_is_published_without_an_address(address: str, tmp_path: Path) -> None:
    command = [sys.executable, DIST, address, "--outdir", tmp_path]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2
    assert f"not the https:// address of a repository: {address!r}" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_module_shows_only_its_init_function(unpacked: Path) -> None:
    symbols = run("nm", "-D", "--defined-only", core(unpacked)).split("\n")
    assert [line.split()[-1] for line in symbols if line] == ["PyInit__core"]


def test_module_needs_only_the_c_and_cpp_runtime(unpacked: Path) -> None:
    dynamic = run("readelf", "-d", core(unpacked))
    needed = re.findall(r"NEEDED.*\[(.+?)\.so", dynamic)
    assert needed
    assert {re.sub(r"-x86-64|-aarch64", "", name) for name in needed} <= SYSTEM_LIBRARIES
    assert not re.search(r"RPATH|RUNPATH", dynamic)


def test_imports_in_a_bare_environment(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare")
    python = tmp_path / "bare/bin/python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "--no-index", "--no-deps", wheel
    )
    program = "import httpuv, httpuv._core as core; print(core.__file__)"
    where = run(python, "-W", "error", "-c", program, cwd=tmp_path, PYTHONPATH="")
    assert where.startswith(str(tmp_path / "bare"))
