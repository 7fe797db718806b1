"""The table of the servers, and what each takes part in."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from measure.environment import PYTHON

HERE = Path(__file__).parents[1]
PEERS_FOLDER = HERE / "peers"
OURS = "httpuv"
#: Another build of ours: that of a commit, with --against.
BEFORE = "httpuv before"


@dataclass(frozen=True)
class Peer:
    """A server.

    Attributes:
        command: {port}, {root} and {temp} (a folder of its own) are filled in, and for BEFORE
            {before}, its interpreter, and {before_path}, the folder of its httpuv.
        offers: The features that it has, see Scenario.
        package: Its name among the versions found; without it the peer is left out.
        keeps_busy: It takes --busy; another one gets a process beside it that spins.
        environment: Besides that of the harness.
    """

    command: tuple[str, ...]
    offers: frozenset[str]
    package: str
    keeps_busy: bool = False
    environment: tuple[tuple[str, str], ...] = ()


def python_peer(name: str, offers: str, package: str, mode: str = "", busy: bool = False) -> Peer:
    command = [str(PYTHON), str(PEERS_FOLDER / f"{name}_server.py"), "--port", "{port}"]
    command += ["--root", "{root}", "--mode", mode]
    return Peer(tuple(command), frozenset(offers.split()), package, busy)


OUR_ARGUMENTS = ("--port", "{port}", "--root", "{root}", "--temp", "{temp}")


def our_peer(offers: str, mode: str = "", name: str = "httpuv") -> Peer:
    """Ours runs in the interpreter of the harness, where httpuv is installed."""
    command = [sys.executable, str(PEERS_FOLDER / f"{name}_server.py"), *OUR_ARGUMENTS]
    command += ["--mode", mode]
    needs_peers = mode.startswith("uvloop") or name == "httpuv_apps"
    environment = (("PYTHONPATH", path_with_peers()),) if needs_peers else ()
    return Peer(tuple(command), frozenset(offers.split()), OURS, True, environment)


def path_with_peers(*folders: str) -> str:
    """For PYTHONPATH: uvloop, click and FastAPI are not installed beside httpuv, but as peers."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    extra = str(PYTHON.parent.parent / "lib" / version / "site-packages")
    return os.pathsep.join(filter(None, (*folders, os.environ.get("PYTHONPATH"), extra)))


def our_command(*options: str) -> Peer:
    """`httpuv run` with the ASGI application and static files."""
    command = [sys.executable, "-m", "httpuv", "run", "common:asgi_app", "--port", "{port}"]
    command += ["--static", "/static={root}", "--log-level", "warn", *options]
    environment = (("PYTHONPATH", path_with_peers(str(PEERS_FOLDER))),)
    return Peer(tuple(command), frozenset(("cores", "cores-files")), OURS, False, environment)


R_SCRIPT = str(PEERS_FOLDER / "other" / "r_httpuv_server.R")

PEERS: dict[str, Peer] = {
    OURS: our_peer(
        "hello hello-few pipelined stream files https dispatch idle ws broadcast ws-idle against "
        "watched wake-ups io-threads"
    ),
    BEFORE: Peer(
        ("{before}", str(PEERS_FOLDER / "httpuv_server.py"), *OUR_ARGUMENTS),
        frozenset(("against",)),
        BEFORE,
        environment=(("PYTHONPATH", "{before_path}"),),
    ),
    "httpuv service(0)": our_peer("wake-ups", "forever"),
    "httpuv thread": our_peer("dispatch wake-ups", "thread"),
    "httpuv asyncio": our_peer("dispatch wake-ups", "asyncio"),
    "httpuv uvloop": our_peer("hello hello-few dispatch wake-ups", "uvloop"),
    "httpuv async def": our_peer("dispatch", "async-def"),
    "httpuv uvloop async def": our_peer("dispatch", "uvloop-async-def"),
    "httpuv send loop": our_peer("broadcast", "send-loop"),
    "httpuv 2 I/O threads": our_peer("io-threads", "io-threads"),
    "httpuv log": our_peer("watched", "log"),
    "httpuv metrics": our_peer("watched", "metrics"),
    "httpuv wsgi": our_peer("wsgi", "wsgi", "httpuv_apps"),
    "httpuv asgi": our_peer(
        "asgi asgi-stream asgi-ws asgi-ws-idle https wake-ups", "asgi", "httpuv_apps"
    ),
    "httpuv live": our_peer("block", "live", "httpuv_apps"),
    "httpuv fastapi": our_peer("fastapi", "fastapi", "httpuv_apps"),
    "httpuv run": our_command(),
    "httpuv run, 2 workers": our_command("--workers", "2"),
    "httpuv run, 2 I/O threads": our_command("--io-threads", "2"),
    "nginx": Peer(
        ("nginx", "-e", "{temp}/nginx-error.log", "-c", "{temp}/nginx.conf"),
        frozenset(("hello", "pipelined", "files", "https", "idle", "io-threads")),
        "nginx",
    ),
    "protocol": python_peer("protocol", "hello pipelined idle", "httptools"),
    # bjoern answers the first of several pipelined requests and forgets the others.
    "bjoern": python_peer("bjoern", "hello hello-few wsgi stream idle", "bjoern"),
    "fastpysgi": python_peer("fastpysgi", "hello hello-few wsgi pipelined idle", "fastpysgi"),
    "fastpysgi asgi": python_peer("fastpysgi", "asgi", "fastpysgi", "asgi"),
    "freastal": python_peer(
        "freastal", "hello hello-few wsgi pipelined idle wake-ups", "freastal", "wsgi"
    ),
    "freastal asgi": python_peer("freastal", "hello asgi block", "freastal", "asgi"),
    "socketify": python_peer("socketify", "hello pipelined idle ws broadcast ws-idle", "socketify"),
    "granian": python_peer(
        "granian", "hello wsgi stream files https idle", "granian", "wsgi", busy=True
    ),
    "granian rsgi": python_peer("granian", "hello ws ws-idle", "granian", "rsgi"),
    "granian asgi": python_peer(
        "granian", "hello asgi asgi-stream asgi-ws stream https block", "granian", "asgi"
    ),
    "uvicorn": python_peer(
        "uvicorn",
        "hello asgi asgi-stream asgi-ws asgi-ws-idle pipelined stream files https idle ws "
        "broadcast ws-idle wake-ups block",
        "uvicorn",
        busy=True,
    ),
    "uvicorn fastapi": python_peer("uvicorn", "fastapi", "uvicorn", "fastapi"),
    "aiohttp": python_peer(
        "aiohttp",
        "hello pipelined stream files idle ws broadcast ws-idle",
        "aiohttp",
        busy=True,
    ),
    "picows": python_peer("picows", "ws broadcast ws-idle", "picows"),
    "websockets": python_peer("websockets", "ws broadcast ws-idle", "websockets"),
    "R httpuv": Peer(
        ("Rscript", R_SCRIPT, "--port", "{port}", "--root", "{root}"),
        frozenset(("hello", "files", "idle", "ws", "broadcast", "ws-idle")),
        "R httpuv",
    ),
}
