"""Fixtures: servers with callbacks on a background thread."""

from __future__ import annotations

import faulthandler
import logging
import os
import shutil
import signal
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpuv
import pytest
from browser import launched, window
from starting import start
from support import PATIENCE
from tls_support import Authority, Pair

assert start  # a fixture

Serve = Callable[..., httpuv.WebServer]

#: Seconds for a part of a test (setup, call, teardown) before the run ends, with all stacks shown.
HUNG = 300.0
_stderr = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    # A process in the background of a shell ignores Ctrl-C, and so would its children here.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        config.stash[_stderr] = os.dup(2)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """With -n auto: most tests wait for something, so there are more of them than processors."""
    return min(16, 2 * (os.cpu_count() or 1))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.pluginmanager.hasplugin("rerunfailures"):
        return
    # No other test gets a second chance: if one needs it, there is a race.
    for item in items:
        if item.get_closest_marker("clock") is not None:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    """xdist sends reports as UTF-8: what was logged of names that are none would end its worker."""
    report = yield
    report.sections = [(name, _utf8(text)) for name, text in report.sections]
    if isinstance(report.longrepr, str):
        report.longrepr = _utf8(report.longrepr)
    return report


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    yield from _watched(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield from _watched(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    yield from _watched(item)


def _watched(item: pytest.Item) -> Iterator[None]:
    """For what the timeout does not end: fixtures, and a main thread that runs no Python."""
    faulthandler.dump_traceback_later(HUNG, exit=True, file=item.config.stash[_stderr])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Every test ends without servers, whatever it did."""
    yield
    httpuv.stopAllServers()
    assert httpuv.listServers() == []
    while httpuv.runNow():  # what the servers said last
        pass


@pytest.fixture
def running() -> Iterator[threading.Thread]:
    """A thread that runs callbacks for the length of the test."""
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            httpuv.service(1000)

    thread = threading.Thread(target=run, name="callbacks", daemon=True)
    thread.start()
    yield thread
    done.set()
    while thread.is_alive():
        httpuv.interrupt()  # again if it came between two calls of service()
        thread.join(0.05)


@pytest.fixture
def serve(running: threading.Thread) -> Iterator[Serve]:
    """Start servers on a free port of 127.0.0.1; they are stopped after the test."""
    servers = []

    def start(app: Any, **options: Any) -> httpuv.WebServer:
        server = httpuv.startServer("127.0.0.1", 0, app, **options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


class Log(logging.Handler):
    """What the package logs, tracebacks included. Records come from other threads."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
        self._text = ""
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self._changed:
            self._text += self.format(record) + "\n"
            self._changed.notify_all()

    def text(self) -> str:
        with self._changed:
            return self._text

    def expect(self, *parts: str) -> None:
        """Wait until all these parts have been logged."""
        with self._changed:
            found = self._changed.wait_for(
                lambda: all(part in self._text for part in parts), PATIENCE
            )
            assert found, f"{parts} not in:\n{self._text}"


@pytest.fixture
def log() -> Iterator[Log]:
    logger = logging.getLogger("httpuv")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    handler = Log()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, once for a module; see browser.py."""
    with launched() as started:
        yield started


@pytest.fixture
def browser_context(browser: Any) -> Iterator[Any]:
    """A Playwright context of the test's own, in which no page may fail."""
    with window(browser) as context:
        yield context


# --- TLS ---


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed")
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def pair(authority: Authority) -> Pair:
    """A certificate for localhost."""
    return authority.issue("localhost", "localhost", "127.0.0.1")


@pytest.fixture
def tls(pair: Pair) -> httpuv.TLS:
    return pair.tls()


@pytest.fixture
def trusting(authority: Authority) -> Callable[..., ssl.SSLContext]:
    """Make contexts of clients that trust the authority."""

    def make(certificate: Pair | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(authority.pair.cert))
        if certificate is not None:
            context.load_cert_chain(certificate.cert, certificate.key)
        return context

    return make


@pytest.fixture
def client(trusting: Callable[..., ssl.SSLContext]) -> ssl.SSLContext:
    return trusting()
