"""Who takes part, at what, and what httpuv is expected to reach: three tables."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import checks
from environment import PYTHON
from loads import Handshakes, Idle, Load, Wrk, WsLoad

HERE = Path(__file__).parent
PEERS_FOLDER = HERE / "peers"
OURS = "httpuv"


@dataclass(frozen=True)
class Peer:
    """A server.

    Attributes:
        command: {port}, {root} and {temp} are filled in. Its own folder is the one it runs in.
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


def our_peer(offers: str, mode: str = "", name: str = "httpuv") -> Peer:
    """Ours runs in the interpreter of the harness, where httpuv is installed."""
    script = str(PEERS_FOLDER / f"{name}_server.py")
    command = (sys.executable, script, "--port", "{port}", "--root", "{root}", "--mode", mode)
    # uvloop is not among the packages of that interpreter, but of the peers'.
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    extra = str(PYTHON.parent.parent / "lib" / version / "site-packages")
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), extra)))
    needs_peers = mode.startswith("uvloop") or name == "httpuv_apps"
    environment = (("PYTHONPATH", path),) if needs_peers else ()
    return Peer(command, frozenset(offers.split()), OURS, True, environment)


R_SCRIPT = str(PEERS_FOLDER / "r_httpuv_server.R")

PEERS: dict[str, Peer] = {
    OURS: our_peer("hello pipelined stream files https dispatch idle ws broadcast ws-idle"),
    "httpuv thread": our_peer("dispatch", "thread"),
    "httpuv asyncio": our_peer("dispatch", "asyncio"),
    "httpuv uvloop": our_peer("dispatch", "uvloop"),
    "httpuv async def": our_peer("dispatch", "async-def"),
    "httpuv uvloop async def": our_peer("dispatch", "uvloop-async-def"),
    "httpuv send loop": our_peer("broadcast", "send-loop"),
    "httpuv wsgi": our_peer("wsgi", "wsgi", "httpuv_apps"),
    "httpuv asgi": our_peer("asgi asgi-stream asgi-ws", "asgi", "httpuv_apps"),
    "httpuv fastapi": our_peer("fastapi", "fastapi", "httpuv_apps"),
    "nginx": Peer(
        ("nginx", "-e", "{temp}/nginx-error.log", "-c", "{temp}/nginx.conf"),
        frozenset(("hello", "pipelined", "files", "https", "idle")),
        "nginx",
    ),
    "protocol": python_peer("protocol", "hello pipelined idle", "httptools"),
    # bjoern answers the first of several pipelined requests and forgets the others.
    "bjoern": python_peer("bjoern", "hello wsgi stream idle", "bjoern"),
    "fastpysgi": python_peer("fastpysgi", "hello wsgi pipelined idle", "fastpysgi"),
    "fastpysgi asgi": python_peer("fastpysgi", "asgi", "fastpysgi", "asgi"),
    "freastal": python_peer("freastal", "hello wsgi pipelined idle", "freastal", "wsgi"),
    "freastal asgi": python_peer("freastal", "hello asgi", "freastal", "asgi"),
    "socketify": python_peer("socketify", "hello pipelined idle ws broadcast ws-idle", "socketify"),
    "granian": python_peer(
        "granian", "hello wsgi stream files https idle", "granian", "wsgi", busy=True
    ),
    "granian rsgi": python_peer("granian", "hello https ws ws-idle", "granian", "rsgi"),
    "granian asgi": python_peer(
        "granian", "hello asgi asgi-stream asgi-ws stream", "granian", "asgi"
    ),
    "uvicorn": python_peer(
        "uvicorn",
        "hello asgi asgi-stream asgi-ws pipelined stream files https idle ws broadcast ws-idle",
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


@dataclass(frozen=True)
class Scenario:
    """What is measured.

    Attributes:
        family: The table of the report it stands in.
        title, unit: Of its row.
        feature: A peer must offer it.
        load: Produces the measurement.
        check: Raises checks.Wrong if the server on this port, for this root, answers wrongly.
        busy: "spin" or "hold": the interpreter is kept busy (peers/busy.py).
        pinned: The server may use one core only.
        lower: Lower is better.
        without: Peers that the feature would admit and that have no place here.
        tls: HTTPS, with the certificate of the run.
    """

    family: str
    title: str
    unit: str
    feature: str
    load: Load
    check: Callable[[int, Path], None]
    busy: str = ""
    pinned: bool = True
    lower: bool = False
    without: frozenset[str] = frozenset()
    tls: bool = False

    def admits(self, name: str) -> bool:
        return self.feature in PEERS[name].offers and name not in self.without


def file_check(target: str) -> Callable[[int, Path], None]:
    return lambda port, root: checks.check_content(
        port, target, checks.path_of(target, root).read_bytes()
    )


def files(
    title: str, target: str, unit: str = "requests", check: str = "", **options: object
) -> Scenario:
    load = Wrk(target, unit=unit, conditional=check == "304")
    return Scenario(
        family="Static files",
        title=title,
        unit={"requests": "requests/s", "bytes": "bytes/s", "p99": "µs"}[unit],
        feature="files",
        load=load,
        check=(lambda port, root: checks.check_not_modified(port, target))
        if check
        else file_check(target),
        **options,  # type: ignore[arg-type]
    )


def hello(title: str, **options: object) -> Scenario:
    return Scenario(
        title=title,
        unit="requests/s",
        load=Wrk(),
        check=lambda port, root: checks.check_hello(port),
        **options,  # type: ignore[arg-type]
    )


def sockets(title: str, load: WsLoad, **options: object) -> Scenario:
    return Scenario(
        family="WebSocket",
        title=title,
        unit="µs" if load.unit == "p50" else "messages/s",
        feature="broadcast" if load.kind == "broadcast" else "ws",
        load=load,
        check=lambda port, root: (
            checks.check_broadcast(port) if load.kind == "broadcast" else checks.check_echo(port)
        ),
        **options,  # type: ignore[arg-type]
    )


STATIC: dict[str, Scenario] = {
    "static-1k": files("1 KiB", "/static/1k.bin"),
    "static-100k": files("100 KiB", "/static/100k.bin"),
    "static-10m": files("10 MiB", "/static/10m.bin", "bytes"),
    # granian sends no validator with a file; R's httpuv breaks connections off under this load.
    "static-304": files(
        "1 KiB, not modified",
        "/static/1k.bin",
        check="304",
        without=frozenset({"granian", "R httpuv"}),
    ),
    "static-10000files": Scenario(
        "Static files",
        "10,000 files of 1 KiB in turn",
        "requests/s",
        "files",
        Wrk("/static/many/", paths=10_000),
        file_check("/static/many/09999.bin"),
    ),
}


def while_spinning(scenario: Scenario) -> Scenario:
    """The same while Python spins, which is no question for those that need it for each file."""
    return replace(
        scenario,
        title=f"{scenario.title} while Python spins",
        busy="spin",
        without=scenario.without | {"granian", "uvicorn", "aiohttp", "R httpuv"},
    )


PIPELINE = 16

SCENARIOS: dict[str, Scenario] = {
    "hello": hello("hello", family="Dynamic answers", feature="hello"),
    "pipelined": Scenario(
        "Dynamic answers",
        f"hello, {PIPELINE} pipelined",
        "requests/s",
        "pipelined",
        Wrk(depth=PIPELINE),
        lambda port, root: checks.check_pipelined(port, PIPELINE),
    ),
    "stream": Scenario(
        "Dynamic answers",
        "100 pieces of 1 KiB, streamed",
        "requests/s",
        "stream",
        Wrk("/stream"),
        lambda port, root: checks.check_stream(port),
    ),
    "dispatch": hello("hello", family="Dispatchers", feature="dispatch"),
    "wsgi": hello("hello by WSGI", family="Applications", feature="wsgi"),
    "asgi": hello("hello by ASGI", family="Applications", feature="asgi"),
    "fastapi": hello("hello by FastAPI", family="Applications", feature="fastapi"),
    "asgi-stream": Scenario(
        "Applications",
        "100 pieces of 1 KiB by ASGI",
        "requests/s",
        "asgi-stream",
        Wrk("/stream"),
        lambda port, root: checks.check_stream(port),
    ),
    "asgi-ws-echo-1": Scenario(
        "Applications",
        "echo of 32 bytes by ASGI, 1 connection, p50",
        "µs",
        "asgi-ws",
        WsLoad("echo", "/ws", 1, 32, "text", "p50"),
        lambda port, root: checks.check_echo(port),
        lower=True,
    ),
    "asgi-ws-echo-50": Scenario(
        "Applications",
        "echo of 32 bytes by ASGI, 50 connections",
        "messages/s",
        "asgi-ws",
        WsLoad("echo", "/ws", 50, 32, "text"),
        lambda port, root: checks.check_echo(port),
    ),
    **STATIC,
    **{f"busy-{name}": while_spinning(scenario) for name, scenario in STATIC.items()},
    "busy": files(
        "1 KiB while Python spins, p99", "/static/1k.bin", "p99", busy="spin", lower=True
    ),
    "busy-open": files(
        "1 KiB while Python spins, server on all cores, p99",
        "/static/1k.bin",
        "p99",
        busy="spin",
        lower=True,
        pinned=False,
    ),
    # While the GIL is held, servers that need it for every request answer no request at all.
    "gil": files(
        "1 KiB while C code holds the GIL, p99",
        "/static/1k.bin",
        "p99",
        busy="hold",
        lower=True,
        without=frozenset({"uvicorn", "aiohttp", "R httpuv"}),
    ),
    "https": Scenario(
        "HTTPS",
        "hello",
        "requests/s",
        "https",
        Wrk(tls=True),
        lambda port, root: checks.check_hello(port, tls=True),
        tls=True,
    ),
    "https-10m": Scenario(
        "HTTPS",
        "10 MiB from a file",
        "bytes/s",
        "https",
        Wrk("/static/10m.bin", unit="bytes", tls=True),
        lambda port, root: checks.check_content(
            port, "/static/10m.bin", (root / "10m.bin").read_bytes(), tls=True
        ),
        tls=True,
        without=frozenset({"uvicorn", "granian rsgi", "granian asgi"}),
    ),
    "https-new": Scenario(
        "HTTPS",
        "new connections, not resumed",
        "connections/s",
        "https",
        Handshakes(),
        lambda port, root: checks.check_hello(port, tls=True),
        tls=True,
        without=frozenset({"granian rsgi", "granian asgi"}),
    ),
    "idle": Scenario(
        "Memory",
        "an idle keep-alive connection",
        "bytes",
        "idle",
        Idle(websocket=False),
        lambda port, root: checks.check_hello(port),
        lower=True,
    ),
    "ws-idle": Scenario(
        "Memory",
        "an idle WebSocket",
        "bytes",
        "ws-idle",
        Idle(websocket=True),
        lambda port, root: checks.check_echo(port),
        lower=True,
    ),
    "ws-echo-1": sockets(
        "echo of 32 bytes, 1 connection, p50",
        WsLoad("echo", "/ws", 1, 32, "text", "p50"),
        lower=True,
    ),
    "ws-echo-50": sockets(
        "echo of 32 bytes, 50 connections", WsLoad("echo", "/ws", 50, 32, "text")
    ),
    "ws-echo-50-open": sockets(
        "echo of 32 bytes, 50 connections, server on all cores",
        WsLoad("echo", "/ws", 50, 32, "text"),
        pinned=False,
    ),
    "ws-echo-64k": sockets(
        "echo of 64 KiB, 8 connections", WsLoad("echo", "/ws", 8, 64 * 1024, "binary")
    ),
    "ws-broadcast": sockets(
        "1 KiB to 1,000 subscribers, 4 under way",
        WsLoad("broadcast", "/broadcast", 1000, 1024, "binary", under_way=4),
    ),
    "ws-broadcast-64": sockets(
        "1 KiB to 1,000 subscribers, 64 under way",
        WsLoad("broadcast", "/broadcast", 1000, 1024, "binary", under_way=64),
    ),
}

#: Names that stand for several scenarios.
GROUPS = {
    "http": ["hello", "pipelined", "stream"],
    "static": [name for name, scenario in SCENARIOS.items() if scenario.feature == "files"],
    "ws-echo": [name for name in SCENARIOS if name.startswith("ws-echo")],
    "ws": [name for name in SCENARIOS if name.startswith("ws-")],
    "tls": ["https", "https-10m", "https-new"],
    "memory": ["idle", "ws-idle"],
    "apps": ["wsgi", "asgi", "fastapi", "asgi-stream", "asgi-ws-echo-1", "asgi-ws-echo-50"],
}


@dataclass(frozen=True)
class Target:
    """`subject` reaches `factor` times what `peer` does, or at most `factor` itself if there is no
    peer; where lower is better, at most `factor` times."""

    scenario: str
    factor: float
    peer: str | None = None
    subject: str = OURS


TARGETS = [
    Target("hello", 1.1, "bjoern"),
    Target("hello", 1.5, "granian"),
    Target("hello", 2.5, "uvicorn"),
    Target("hello", 0.75, "protocol"),
    Target("pipelined", 2.0, "socketify"),
    Target("stream", 2.0, "uvicorn"),
    Target("dispatch", 0.95, OURS, "httpuv thread"),
    Target("dispatch", 0.8, OURS, "httpuv uvloop"),
    Target("dispatch", 0.85, OURS, "httpuv async def"),
    Target("wsgi", 1.0, "freastal", "httpuv wsgi"),
    Target("wsgi", 1.2, "bjoern", "httpuv wsgi"),
    Target("wsgi", 1.2, "fastpysgi", "httpuv wsgi"),
    Target("wsgi", 1.8, "granian", "httpuv wsgi"),
    Target("asgi", 1.0, "freastal asgi", "httpuv asgi"),
    Target("asgi", 1.5, "fastpysgi asgi", "httpuv asgi"),
    Target("asgi", 2.5, "uvicorn", "httpuv asgi"),
    Target("asgi", 2.5, "granian asgi", "httpuv asgi"),
    Target("fastapi", 1.3, "uvicorn fastapi", "httpuv fastapi"),
    Target("asgi-stream", 2.0, "uvicorn", "httpuv asgi"),
    Target("asgi-ws-echo-1", 1.0, "uvicorn", "httpuv asgi"),
    Target("asgi-ws-echo-50", 1.5, "uvicorn", "httpuv asgi"),
    Target("dispatch", 0.7, "httpuv uvloop", "httpuv uvloop async def"),
    Target("static-1k", 1.25, "nginx"),
    Target("static-100k", 1.0, "nginx"),
    Target("static-10m", 1.0, "nginx"),
    Target("static-304", 1.25, "nginx"),
    Target("static-10000files", 0.9, "nginx"),
    Target("busy-static-1k", 0.8 * 1.25, "nginx"),
    Target("busy-static-100k", 0.8, "nginx"),
    Target("busy-static-10m", 0.8, "nginx"),
    Target("busy-static-304", 0.8 * 1.25, "nginx"),
    Target("busy-static-10000files", 0.8 * 0.9, "nginx"),
    Target("busy", 5000),
    Target("busy-open", 5000),
    Target("gil", 5000),
    Target("https", 1.0, "granian"),
    Target("https", 2.0, "uvicorn"),
    Target("https-10m", 0.8, "nginx"),
    Target("https-new", 0.9, "nginx"),
    Target("idle", 6 * 1024),
    Target("ws-idle", 4 * 1024),
    Target("ws-echo-1", 1.25, "picows"),
    Target("ws-echo-50", 1.0, "picows"),
    Target("ws-echo-50", 2.5, "websockets"),
    Target("ws-echo-50", 10.0, "R httpuv"),
    Target("ws-echo-50-open", 1.2, "picows"),
    Target("ws-echo-64k", 1.3, "aiohttp"),
    Target("ws-broadcast", 1.5, "socketify"),
    Target("ws-broadcast", 5.0, "aiohttp"),
    Target("ws-broadcast", 5.0, "uvicorn"),
    Target("ws-broadcast", 5.0, "picows"),
    Target("ws-broadcast-64", 1.5, "socketify"),
    Target("ws-broadcast-64", 5.0, "aiohttp"),
    Target("ws-broadcast-64", 5.0, "uvicorn"),
    Target("ws-broadcast-64", 5.0, "picows"),
]
