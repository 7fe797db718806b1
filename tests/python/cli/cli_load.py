"""Clients that ask all the time, and count what they do not get: no request is asked twice."""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from support import PATIENCE, Wire, request
from tls_support import TlsWire

#: Whether tests under load run in full (``make test-load``) or for a moment.
LONG = "HTTPUV_LONG_LOAD" in os.environ


def requests(many: int) -> int:
    """How many requests a test makes; the argument is the full number."""
    return many if LONG else min(many, 2_000)


@dataclass
class Load:
    """What clients of one server got.

    Half of them keep their connections, as browsers and proxies do; the others ask once on each.
    """

    where: tuple[str, int]
    tls: ssl.SSLContext | None = None
    target: str = "/"
    answered: int = 0
    #: Which client, on which kind of connection, and what it got.
    failures: list[tuple[int, str]] = field(default_factory=list)
    #: Seconds that each answer took; on new connections with what opening them took.
    took: list[float] = field(default_factory=list)
    #: The bodies of the last answers, one for each client.
    bodies: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ending = threading.Event()
        self._changed = threading.Condition()

    def _open(self) -> Wire:
        return Wire(self.where) if self.tls is None else TlsWire(self.where, self.tls)

    def _client(self, number: int) -> None:
        keeps = number % 2 == 0
        wire: Wire | None = None
        data = request(self.target, *([] if keeps else ["Connection: close"]))
        while not self._ending.is_set():
            begun = time.monotonic()
            kind = "new" if wire is None else "used"
            try:
                if wire is None:
                    wire = self._open()
                wire.send(data)
                answer = wire.response()
                failure = "" if answer.status == 200 else f"status {answer.status}"
                closes = answer.get("Connection") == "close"
            except (OSError, EOFError) as error:
                failure, closes = f"{type(error).__name__}: {error}", True
            took = time.monotonic() - begun
            if closes and wire is not None:
                wire.close()
                wire = None
            with self._changed:
                if failure:
                    self.failures.append((number, f"{kind} connection: {failure}"))
                else:
                    self.answered += 1
                    self.took.append(took)
                    self.bodies[number] = answer.body
                self._changed.notify_all()
        if wire is not None:
            wire.close()

    def more(self, count: int, but_for: int = 0) -> None:
        """Wait until so many more requests were answered, or more than ``but_for`` failed."""
        with self._changed:
            end = self.answered + count
            while self.answered < end and len(self.failures) <= but_for:
                assert self._changed.wait(PATIENCE), f"stands still at {self.answered}"

    @contextmanager
    def running(self, clients: int = 8) -> Iterator[Load]:
        """Ask all the time within the block."""
        threads = [threading.Thread(target=self._client, args=(i,)) for i in range(clients)]
        for each in threads:
            each.start()
        try:
            yield self
        finally:
            self._ending.set()
            for each in threads:
                each.join()


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = httpx.URL(url)
    assert parts.port is not None
    return parts.host, parts.port


def until(true: Callable[[], object]) -> None:
    """Wait for what happens soon."""
    end = time.monotonic() + 3 * PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def percentile(values: list[float], part: float) -> float:
    """The value that this part of all are below."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]
