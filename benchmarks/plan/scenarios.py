"""What is measured: the table of the scenarios."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from measure import checks
from measure.environment import FILES
from measure.loads import Handshakes, Idle, Load, Pace, WakeUps, Wrk, WsLoad
from plan.field import PEERS


@dataclass(frozen=True)
class Scenario:
    """What is measured.

    Attributes:
        family: The part of the report it stands in.
        title, unit: Of its table.
        feature: A peer must offer it.
        load: Produces the measurement.
        check: Raises checks.Wrong if the server on this port, for this root, answers wrongly.
        busy: "spin" or "hold": the interpreter is kept busy (peers/busy.py).
        pinned: The server may use one core only.
        lower: Lower is better.
        without: Peers that the feature would admit and that have no place here.
        tls: HTTPS, with the certificate of the run.
        part_of: The scenario whose load measures this one too; "" if it has its own.
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
    part_of: str = ""

    def admits(self, name: str) -> bool:
        return self.feature in PEERS[name].offers and name not in self.without

    @property
    def alone(self) -> bool:
        """Whether no other server may live meanwhile: it is kept busy, or its memory counts."""
        return bool(self.busy) or isinstance(self.load, Idle)


def requests(family: str, title: str, feature: str, **options: object) -> Scenario:
    """GET / by 64 connections, unless the options say otherwise."""
    whole: dict[str, object] = {
        "load": Wrk(),
        "check": lambda port, root: checks.check_hello(port),
        **options,
    }
    return Scenario(family, title, "requests/s", feature, **whole)  # type: ignore[arg-type]


def file_check(target: str) -> Callable[[int, Path], None]:
    return lambda port, root: checks.check_content(
        port, target, checks.path_of(target, root).read_bytes()
    )


def files(
    title: str, target: str, unit: str = "requests", check: str = "", **options: object
) -> Scenario:
    size = FILES["10m.bin"] if unit == "bytes" else 0
    whole: dict[str, object] = {
        "family": "Static files",
        "feature": "files",
        "load": Wrk(target, unit=unit, conditional=check == "304", size=size),
        **options,
    }
    return Scenario(
        title=title,
        unit={"requests": "requests/s", "bytes": "bytes/s", "p99": "µs"}[unit],
        check=(lambda port, root: checks.check_not_modified(port, target))
        if check
        else file_check(target),
        **whole,  # type: ignore[arg-type]
    )


def sockets(title: str, load: WsLoad, **options: object) -> Scenario:
    whole: dict[str, object] = {
        "family": "WebSocket",
        "feature": "broadcast" if load.kind == "broadcast" else "ws",
        "lower": load.unit == "p50",
        **options,
    }
    return Scenario(
        title=title,
        unit="µs" if load.unit == "p50" else "messages/s",
        load=load,
        check=lambda port, root: (
            checks.check_broadcast(port) if load.kind == "broadcast" else checks.check_echo(port)
        ),
        **whole,  # type: ignore[arg-type]
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


def blocked(how: str, title: str, without: frozenset[str]) -> Scenario:
    """Three kinds of requests while a handler blocks for 3 s, and right before. Server and client
    use all cores."""
    load = Pace(f"/block?{how}")
    return Scenario(
        "A handler blocks Python",
        title,
        "µs",
        "block",
        load,
        lambda port, root: checks.check_hello(port),
        pinned=False,
        lower=True,
        without=without,
    )


def parts(name: str, scenario: Scenario) -> dict[str, Scenario]:
    """A scenario of Pace, and what it measures besides."""
    found = {name: scenario}
    during = scenario.title
    assert isinstance(scenario.load, Pace)
    for kind in scenario.load.kinds:
        title = Pace.KINDS[kind]
        for phase in scenario.load.phases:
            when = during.replace("while", "before") if phase else during
            found[f"{name}-{kind}{phase}"] = replace(
                scenario, title=f"{title}, p99 {when}", part_of=name
            )
    return found


PIPELINE = 16
# bjoern, freastal and fastpysgi have no files.
SPIN = "while a handler spins in Python"
HOLD = "while C code in a handler holds the GIL"

SCENARIOS: dict[str, Scenario] = {
    "hello": requests("Dynamic answers", "hello, 64 connections", "hello"),
    "hello-8": requests("Dynamic answers", "hello, 8", "hello-few", load=Wrk(connections=8)),
    "hello-1": requests("Dynamic answers", "hello, 1", "hello-few", load=Wrk(connections=1)),
    "pipelined": requests(
        "Dynamic answers",
        f"hello, {PIPELINE} pipelined",
        "pipelined",
        load=Wrk(depth=PIPELINE),
        check=lambda port, root: checks.check_pipelined(port, PIPELINE),
    ),
    "stream": requests(
        "Dynamic answers",
        "100 pieces of 1 KiB, streamed",
        "stream",
        load=Wrk("/stream"),
        check=lambda port, root: checks.check_stream(port),
    ),
    "log": requests("Dynamic answers", "hello with a log or metrics", "watched"),
    "dispatch": requests("Dispatchers", "hello", "dispatch"),
    "wake-ups": Scenario(
        "Dispatchers",
        "context switches while idle",
        "/s",
        "wake-ups",
        WakeUps(),
        lambda port, root: checks.check_hello(port),
        lower=True,
    ),
    "wsgi": requests("Applications", "hello by WSGI", "wsgi"),
    "asgi": requests("Applications", "hello by ASGI", "asgi"),
    "fastapi": requests("Applications", "hello by FastAPI", "fastapi"),
    "fastapi-json": requests(
        "Applications",
        "1 KiB of JSON, validated by FastAPI",
        "fastapi",
        load=Wrk("/order", body="order"),
        check=lambda port, root: checks.check_order(port),
    ),
    "asgi-stream": requests(
        "Applications",
        "100 pieces of 1 KiB by ASGI",
        "asgi-stream",
        load=Wrk("/stream"),
        check=lambda port, root: checks.check_stream(port),
    ),
    "asgi-ws-echo-1": sockets(
        "echo of 32 bytes by ASGI, 1 connection, p50",
        WsLoad("echo", "/ws", 1, 32, "text", "p50"),
        family="Applications",
        feature="asgi-ws",
    ),
    "asgi-ws-echo-50": sockets(
        "echo of 32 bytes by ASGI, 50 connections",
        WsLoad("echo", "/ws", 50, 32, "text"),
        family="Applications",
        feature="asgi-ws",
    ),
    **parts("block", blocked("spin", SPIN, frozenset())),
    # Those that need the GIL for each answer have shown what happens.
    **parts(
        "block-hold",
        blocked("hold", HOLD, frozenset({"uvicorn", "freastal asgi"})),
    ),
    "cores": requests("Two cores", "hello by ASGI", "cores", pinned=False),
    "cores-files": files(
        "1 KiB by httpuv run",
        "/static/1k.bin",
        family="Two cores",
        feature="cores-files",
        pinned=False,
    ),
    "io-threads": files(
        "1 KiB", "/static/1k.bin", family="Two cores", feature="io-threads", pinned=False
    ),
    # With a client that takes as much of the two cores as one thread of the server does, a second
    # one has no room; pipelined requests cost both less.
    "io-threads-pipelined": files(
        f"1 KiB, {PIPELINE} pipelined",
        "/static/1k.bin",
        family="Two cores",
        feature="io-threads",
        pinned=False,
        load=Wrk("/static/1k.bin", depth=PIPELINE),
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
    "https": requests(
        "HTTPS",
        "hello",
        "https",
        load=Wrk(tls=True),
        check=lambda port, root: checks.check_hello(port, tls=True),
        tls=True,
    ),
    "https-10m": Scenario(
        "HTTPS",
        "10 MiB from a file, 8 connections",
        "bytes/s",
        "https",
        Wrk("/static/10m.bin", connections=8, unit="bytes", tls=True, size=FILES["10m.bin"]),
        lambda port, root: checks.check_content(
            port, "/static/10m.bin", (root / "10m.bin").read_bytes(), tls=True
        ),
        tls=True,
        without=frozenset({"uvicorn", "granian asgi", "httpuv asgi"}),
    ),
    "https-new": Scenario(
        "HTTPS",
        "new connections, not resumed",
        "connections/s",
        "https",
        Handshakes(),
        lambda port, root: checks.check_hello(port, tls=True),
        tls=True,
        without=frozenset({"granian asgi", "httpuv asgi"}),
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
    "asgi-ws-idle": Scenario(
        "Memory",
        "an idle WebSocket by ASGI, one of 10,000",
        "bytes",
        "asgi-ws-idle",
        Idle(websocket=True, connections=10_000),
        lambda port, root: checks.check_echo(port),
        lower=True,
    ),
    "ws-echo-1": sockets(
        "echo of 32 bytes, 1 connection, p50",
        WsLoad("echo", "/ws", 1, 32, "text", "p50"),
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

# What a build is compared with another one at.
_OURS_ONLY = {
    "body-1m": requests(
        "",
        "a body of 1 MiB",
        "against",
        load=Wrk("/body"),
        check=lambda port, root: checks.check_body(port),
    ),
    "stream-64k": requests(
        "",
        "16 pieces of 64 KiB, streamed",
        "against",
        load=Wrk("/stream64k"),
        check=lambda port, root: checks.check_large_stream(port),
    ),
}
COMPARED = {
    "http": ["hello", "hello-8", "hello-1", "pipelined", "stream", *_OURS_ONLY],
    "files": list(STATIC),
    "ws": ["ws-echo-50", "ws-echo-1", "ws-echo-64k", "ws-broadcast", "ws-broadcast-64"],
}


def _against(name: str) -> Scenario:
    scenario = _OURS_ONLY.get(name) or SCENARIOS[name]
    return replace(scenario, family="Two builds of ours", feature="against", without=frozenset())


SCENARIOS |= {f"against-{name}": _against(name) for names in COMPARED.values() for name in names}

#: What a build is compared at while Python is busy: how (peers/httpuv_server.py), and a title.
BUSY = {
    "sleep": "while a callback sleeps",
    "hold": "while C code in a callback holds the GIL",
    "thread": "while another thread spins in Python",
}
for _how, _title in BUSY.items():
    SCENARIOS |= parts(
        f"against-live-{_how}",
        replace(
            blocked(_how, _title, frozenset()),
            family="Two builds of ours",
            feature="against",
            # The older build may have no health.
            load=Pace(f"/block?{_how}", kinds=("static", "ping"), phases=("",)),
        ),
    )


def _topics(title: str, unit: str) -> Scenario:
    """A figure of topics.py, which measures by itself (topic_figures.py)."""
    return Scenario(
        "Topics",
        title,
        unit,
        "topics",
        Load(),
        lambda port, root: None,
        lower=unit in ("bytes", "µs"),
        part_of="topics",
    )


SCENARIOS |= {
    "topics-events": _topics("1 KiB to 1,000 EventSource clients", "messages/s"),
    "topics-replay": _topics("200 messages to 1,000 clients that come back", "messages/s"),
    "topics-one": _topics("publish to one topic", "messages/s"),
    "topics-many": _topics("publish to 100,000 topics", "messages/s"),
    "topics-idle-topic": _topics("an idle topic", "bytes"),
    "topics-subscription": _topics("a subscription", "bytes"),
    "topics-redis": _topics("through Redis, 4 processes", "messages/s"),
    "topics-redis-p50": _topics("through Redis, 4 processes, p50", "µs"),
}
