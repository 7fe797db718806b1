"""What a run needs of the machine: peers in a virtual environment, tools, files, facts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parents[1]
VENV = HERE / ".venv"
PYTHON = VENV / "bin" / "python"
BUILD = HERE.parent / "build" / "benchmarks"
WSLOAD = BUILD / "wsload"
CLIENT = HERE.parent / "tests" / "python" / "client.h"  # included by our clients
PACE = BUILD / "pace"

#: A program or header, and the Debian package that has it.
SYSTEM = {
    "wrk": "wrk",
    "nginx": "nginx-light",
    "taskset": "util-linux",
    "setpriv": "util-linux",
    "cc": "gcc",
    "/usr/include/ev.h": "libev-dev",
}

FILES = {"1k.bin": 1024, "100k.bin": 100 * 1024, "10m.bin": 10 * 1024 * 1024}
MANY = 10_000


def output(command: list[str]) -> str:
    """What a command prints, on either stream, or "" if there is no such command."""
    try:
        result = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30
        )
    except OSError:
        return ""
    return result.stdout.strip()


def absent() -> list[str]:
    """The packages of the tools that are not there."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return [
        package
        for name, package in SYSTEM.items()
        if not (Path(name).exists() if name.startswith("/") else shutil.which(name, path=path))
    ]


def install_system_packages() -> None:
    """Installs the tools that are missing where that is allowed; a message names those left.

    Only wrk and a compiler are indispensable: without a peer's package that peer is left out.
    """
    packages = absent()
    if packages and shutil.which("apt-get"):
        sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
        print("installing:", *packages, flush=True)
        install = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages]
        with contextlib.suppress(OSError):
            subprocess.run([*sudo, "apt-get", "update", "-qq"], check=False)
            subprocess.run(
                [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", *install],
                stdout=subprocess.DEVNULL,
                check=False,
            )
        packages = absent()
    if packages:
        print("not on this machine: apt-get install", *packages, file=sys.stderr)
    needed = {"wrk", "gcc", "util-linux"} & set(packages)
    if needed:
        raise SystemExit(f"nothing can be measured without {', '.join(sorted(needed))}")


def install_peers() -> None:
    """Fills benchmarks/.venv with what requirements.txt pins, once for each of its versions."""
    requirements = (HERE / "requirements.txt").read_text()
    digest = hashlib.sha256((requirements + sys.version).encode()).hexdigest()
    stamp = VENV / "installed"
    if stamp.exists() and stamp.read_text() == digest:
        return
    print("installing the peers into", VENV.relative_to(HERE.parent), flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.run([*pip, "setuptools", "wheel"], check=True)
    for line in requirements.splitlines():
        if not line or line.startswith("#"):
            continue
        if subprocess.run([*pip, line], check=False).returncode != 0:
            print(f"{line} cannot be installed and is left out", file=sys.stderr)
    stamp.write_text(digest)


def build_clients() -> None:
    """Compiles those clients that are ours if their source is newer."""
    for program in (WSLOAD, PACE):
        source = HERE / "clients" / f"{program.name}.c"
        newest = max(each.stat().st_mtime for each in (source, CLIENT))
        if program.exists() and program.stat().st_mtime >= newest:
            continue
        BUILD.mkdir(parents=True, exist_ok=True)
        command = ["cc", "-std=c11", "-O2", "-Wall", "-Wextra", "-o", str(program), str(source)]
        subprocess.run(command, check=True)


@contextlib.contextmanager
def folder(parent: Path, many: bool) -> Iterator[Path]:
    """A folder of files with fixed pseudo-random content, while the run lasts; with MANY small ones
    if they are wanted."""
    root = parent / "root"
    root.mkdir(parents=True)
    source = random.Random(1)
    for name, size in FILES.items():
        (root / name).write_bytes(source.randbytes(size))
    (root / "many").mkdir()
    for number in range(MANY if many else 0):
        (root / "many" / f"{number:05}.bin").write_bytes(source.randbytes(1024))
    try:
        yield root
    finally:
        shutil.rmtree(root)


def certificate(into: Path) -> None:
    """cert.pem and key.pem for the address that is measured: P-256, signed by itself."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(into / "key.pem"), "-out", str(into / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )


def peer_versions() -> dict[str, str]:
    """The versions of the peers that are there, by name."""
    listed = output([str(PYTHON), "-m", "pip", "list", "--format=freeze"])
    found = dict(re.findall(r"^([\w.-]+)==(\S+)$", listed, re.MULTILINE))
    nginx = re.search(r"nginx/(\S+)", output(["nginx", "-v"]) or output(["/usr/sbin/nginx", "-v"]))
    if nginx:
        found["nginx"] = nginx[1]
    if shutil.which("Rscript"):
        query = 'cat(as.character(tryCatch(packageVersion("httpuv"), error = function(e) "")))'
        version = output(["Rscript", "-e", query])
        if version:
            found["R httpuv"] = version
    return found


def httpuv_version() -> str:
    """Of the httpuv that this interpreter imports; "" if there is none."""
    found = output([sys.executable, "-c", "import httpuv; print('httpuv', httpuv.__version__)"])
    return found.removeprefix("httpuv ") if found.startswith("httpuv ") else ""


def installed_by_pip() -> bool:
    """Whether it is one that pip has built and installed: optimised, at link time too. One that is
    imported from a source folder may be anything."""
    file = output([sys.executable, "-c", "import httpuv; print(httpuv.__file__)"])
    return any(Path(file).parent.parent.glob("httpuv-*.dist-info"))


def facts(versions: dict[str, str]) -> dict[str, object]:
    """The machine and the versions of the peers, without which the numbers say little."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text())
    commit = output(["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"])
    return {
        "cpu": cpu[1] if cpu else platform.processor(),
        "cores": os.cpu_count(),
        "memory_mib": int(memory[1]) // 1024 if memory else None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "wrk": output(["wrk", "-v"]).splitlines()[0],
        "compiler": output(["cc", "--version"]).splitlines()[0],
        "httpuv": httpuv_version(),
        "installed_by_pip": installed_by_pip(),
        "commit": commit,
        "load_average": os.getloadavg(),
        "peers": versions,
    }
