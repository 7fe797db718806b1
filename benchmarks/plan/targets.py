"""What httpuv is expected to reach: a table of targets, and how far it is from each."""

from __future__ import annotations

from dataclasses import dataclass

from plan.field import BEFORE, OURS
from plan.scenarios import BUSY, COMPARED, SCENARIOS


@dataclass(frozen=True)
class Cell:
    """A figure: an attribute of what was measured of a peer in a scenario; see loads.Measured."""

    scenario: str
    peer: str
    attribute: str = "value"


@dataclass(frozen=True)
class Target:
    """The target of one figure.

    Attributes:
        part: Of the table.
        title: Of its row.
        subject: The figure.
        factor: What is to be reached, of the reference if there is one; None: it is only shown.
        reference: What the subject is divided by, slice by slice.
        least: At least the factor; otherwise at most.
    """

    part: str
    title: str
    subject: Cell
    factor: float | None
    reference: Cell | None = None
    least: bool = True

    def cells(self) -> list[Cell]:
        return [self.subject] + ([self.reference] if self.reference else [])


def beside(
    part: str,
    scenario: str,
    factor: float | None,
    peer: str,
    subject: str = OURS,
    attribute: str = "value",
    title: str = "",
) -> Target:
    """A share of what a peer does in the same scenario."""
    of = SCENARIOS[scenario]
    least = attribute == "value" and not of.lower
    return Target(
        part,
        title or of.title,
        Cell(scenario, subject, attribute),
        factor,
        Cell(scenario, peer, attribute),
        least,
    )


def most(
    part: str,
    scenario: str,
    factor: float,
    subject: str = OURS,
    attribute: str = "value",
    title: str = "",
) -> Target:
    """A bound."""
    title = title or SCENARIOS[scenario].title
    return Target(part, title, Cell(scenario, subject, attribute), factor, None, least=False)


def while_blocked(name: str, kind: str, factor: float | None, subject: str) -> Target:
    """The p99 while a handler blocks, as a multiple of the one right before."""
    during, before = f"{name}-{kind}", f"{name}-{kind}-before"
    title = SCENARIOS[during].title
    return Target(
        "Applications", title, Cell(during, subject), factor, Cell(before, subject), least=False
    )


def live(scenario: str, percentile: str) -> Target:
    """Answers without Python while Python is busy, beside those of the build before."""
    title = SCENARIOS[scenario].title.replace("p99", percentile)
    return beside(HOUSE, scenario, 1.2, BEFORE, attribute=f"{percentile}_us", title=title)


ENGINE, APPS, RUN, TOPICS = "Engine", "Applications", "Production", "Topics"
HOUSE, FILES = "Two builds", "Files"

#: What a whole run has to cover.
ASKED = [
    beside(ENGINE, "hello", 1.0, "freastal"),
    beside(ENGINE, "hello", 1.15, "bjoern"),
    beside(ENGINE, "hello-8", 1.0, "freastal"),
    beside(ENGINE, "hello-8", None, "bjoern"),
    beside(ENGINE, "hello-1", 1.0, "freastal"),
    beside(ENGINE, "hello-1", None, "bjoern"),
    beside(ENGINE, "hello", 0.95, "freastal", "httpuv uvloop"),
    beside(ENGINE, "hello", 0.95 * 1.15, "bjoern", "httpuv uvloop"),
    beside(ENGINE, "hello", None, OURS, "httpuv uvloop"),
    beside(ENGINE, "ws-echo-50", 1.0, "picows"),
    beside(ENGINE, "ws-echo-1", 1.0, "picows"),
    beside(ENGINE, "ws-echo-64k", 1.0, "picows"),
    beside(ENGINE, "against-ws-broadcast", 1.0, BEFORE),
    beside(ENGINE, "against-ws-broadcast-64", 1.0, BEFORE),
    beside(ENGINE, "io-threads", 1.5, OURS, "httpuv 2 I/O threads"),
    beside(ENGINE, "io-threads-pipelined", None, OURS, "httpuv 2 I/O threads"),
    *(
        most(ENGINE, "wake-ups", 0, peer, title="wake-ups while idle")
        for peer in ("httpuv service(0)", "httpuv thread", "httpuv uvloop", "httpuv asgi")
    ),
    # service() returns after a second, says the manual, and the loop's own thread looks after the
    # loop until the program calls it again.
    Target(
        ENGINE,
        "wake-ups while idle, service() once a second",
        Cell("wake-ups", OURS),
        None,
        least=False,
    ),
    most(ENGINE, "hello", 0.1, attribute="switches", title="context switches, 64 connections"),
    most(ENGINE, "hello-8", 0.3, attribute="switches", title="context switches, 8"),
    most(ENGINE, "hello-1", 1.2, attribute="switches", title="context switches, 1"),
    beside(APPS, "wsgi", 1.0, "freastal", "httpuv wsgi"),
    beside(APPS, "wsgi", 1.2, "bjoern", "httpuv wsgi"),
    beside(APPS, "wsgi", 1.2, "fastpysgi", "httpuv wsgi"),
    beside(APPS, "wsgi", 1.8, "granian", "httpuv wsgi"),
    beside(APPS, "asgi", 1.0, "freastal asgi", "httpuv asgi"),
    beside(APPS, "asgi", 1.5, "fastpysgi asgi", "httpuv asgi"),
    beside(APPS, "asgi", 2.5, "uvicorn", "httpuv asgi"),
    beside(APPS, "asgi", 2.5, "granian asgi", "httpuv asgi"),
    beside(APPS, "fastapi", 1.3, "uvicorn fastapi", "httpuv fastapi"),
    beside(APPS, "fastapi-json", 1.3, "uvicorn fastapi", "httpuv fastapi"),
    beside(APPS, "asgi-ws-echo-50", 1.5, "uvicorn", "httpuv asgi"),
    beside(APPS, "asgi-ws-echo-1", 1.0, "uvicorn", "httpuv asgi"),
    beside(APPS, "asgi-stream", 2.0, "uvicorn", "httpuv asgi"),
    beside(APPS, "asgi-ws-idle", None, "uvicorn", "httpuv asgi"),
    *(
        while_blocked(name, kind, 1.5, "httpuv live")
        for name in ("block", "block-hold")
        for kind in ("static", "ping", "health")
    ),
    *(
        while_blocked("block", kind, None, peer)
        for peer in ("uvicorn", "granian asgi", "freastal asgi")
        for kind in ("static", "ping", "health")
    ),
    beside(RUN, "cores", None, "httpuv run", "httpuv run, 2 workers"),
    beside(RUN, "cores", None, "httpuv run", "httpuv run, 2 I/O threads"),
    beside(RUN, "cores-files", None, "httpuv run", "httpuv run, 2 workers"),
    beside(RUN, "cores-files", None, "httpuv run", "httpuv run, 2 I/O threads"),
    beside(RUN, "https", 1.0, "granian", title="hello by HTTPS"),
    beside(RUN, "https", 2.0, "uvicorn", title="hello by HTTPS"),
    beside(RUN, "https", 1.0, "granian asgi", "httpuv asgi", title="hello by HTTPS"),
    beside(RUN, "https", 2.0, "uvicorn", "httpuv asgi", title="hello by HTTPS"),
    beside(RUN, "https-new", 0.9, "nginx", title="new TLS connections"),
    beside(RUN, "https-new", None, "nginx", attribute="cpu_us", title="new TLS connections"),
    beside(RUN, "https-10m", 0.8, "nginx", title="10 MiB by HTTPS"),
    beside(RUN, "https-10m", None, "nginx", attribute="cpu_us", title="10 MiB by HTTPS"),
    beside(RUN, "log", 0.85, OURS, "httpuv log", title="hello with an access log"),
    beside(RUN, "log", 0.98, OURS, "httpuv metrics", title="hello with metrics"),
    *(
        live(f"against-live-{how}-{kind}", percentile)
        for how in BUSY
        for kind in ("static", "ping")
        for percentile in ("p50", "p99")
    ),
    beside(HOUSE, "against-body-1m", 1.2, BEFORE),
    beside(HOUSE, "against-stream-64k", 1.2, BEFORE),
    *(
        beside(HOUSE, f"against-{name}", 1.03, BEFORE, attribute="cpu_us")
        for names in COMPARED.values()
        for name in names
    ),
    beside(TOPICS, "topics-events", 5.0, "starlette"),
    Target(
        TOPICS,
        "100,000 topics beside one",
        Cell("topics-many", OURS),
        0.8,
        Cell("topics-one", OURS),
    ),
    beside(TOPICS, "topics-replay", None, "starlette"),
    beside(TOPICS, "topics-redis", None, "python-socketio"),
    beside(TOPICS, "topics-redis", None, "channels_redis"),
    beside(TOPICS, "topics-redis-p50", None, "python-socketio"),
    beside(TOPICS, "topics-redis-p50", None, "channels_redis"),
    most(TOPICS, "topics-idle-topic", 300),
    most(TOPICS, "topics-subscription", 64),
]

#: Judged where they are measured.
EARLIER = [
    beside(ENGINE, "hello", 1.5, "granian"),
    beside(ENGINE, "hello", 2.5, "uvicorn"),
    beside(ENGINE, "hello", 0.75, "protocol"),
    beside(ENGINE, "pipelined", 2.0, "socketify"),
    beside(ENGINE, "stream", 2.0, "uvicorn"),
    beside(ENGINE, "dispatch", 0.95, OURS, "httpuv thread"),
    beside(ENGINE, "dispatch", 0.8, OURS, "httpuv uvloop"),
    beside(ENGINE, "dispatch", 0.85, OURS, "httpuv async def"),
    beside(ENGINE, "dispatch", 0.7, "httpuv uvloop", "httpuv uvloop async def"),
    *(
        beside(FILES, f"{prefix}{name}", share * factor, "nginx")
        for prefix, share in (("", 1.0), ("busy-", 0.8))
        for name, factor in (
            ("static-1k", 1.25),
            ("static-100k", 1.0),
            ("static-10m", 1.0),
            ("static-304", 1.25),
            ("static-10000files", 0.9),
        )
    ),
    most(FILES, "busy", 5000),
    most(FILES, "busy-open", 5000),
    most(FILES, "gil", 5000),
    most(ENGINE, "idle", 6 * 1024),
    most(ENGINE, "ws-idle", 4 * 1024),
    beside(ENGINE, "ws-echo-50", 2.5, "websockets"),
    beside(ENGINE, "ws-echo-50", 10.0, "R httpuv"),
    beside(ENGINE, "ws-echo-50-open", 1.2, "picows"),
    beside(ENGINE, "ws-echo-64k", 1.3, "aiohttp"),
    *(
        beside(ENGINE, name, factor, peer)
        for name in ("ws-broadcast", "ws-broadcast-64")
        for peer, factor in (
            ("socketify", 1.5),
            ("aiohttp", 5.0),
            ("uvicorn", 5.0),
            ("picows", 5.0),
        )
    ),
]

TARGETS = ASKED + EARLIER


def compared(scenario: str) -> set[str]:
    """The peers of what is asked of this scenario or of a part of it; of earlier targets if nothing
    is."""

    def of(table: list[Target]) -> set[str]:
        return {
            cell.peer
            for target in table
            if target.factor is not None or target.subject.peer.startswith(OURS)
            for cell in target.cells()
            if scenario in (cell.scenario, SCENARIOS[cell.scenario].part_of)
        }

    return of(ASKED) or of(EARLIER)
