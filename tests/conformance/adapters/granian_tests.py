"""pytest plugin: granian's tests of ASGI, WSGI, WebSocket and TLS against ``httpuv run``.

Replaces its conftest.py, which starts granian. Its own interface (RSGI) and its
choices of threads and loops have no meaning here: one of those parameters is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

TLS = Path("tests/fixtures/tls")
PATIENCE = 20.0


def command(interface: str, port: int, tls: bool | str, tls_proto: str | None) -> list[str]:
    words = [sys.executable, "-m", "httpuv", "run", f"tests.apps.{interface}:app"]
    words += ["--interface", interface, "--port", str(port), "--host", "localhost"]
    if tls:
        kind = "pcert pkey" if tls == "private" else "cert key"
        certificate, key = (str(TLS / f"{name}.pem") for name in kind.split())
        words += ["--tls-cert", certificate, "--tls-key", key]
        if tls == "private":
            words += ["--tls-key-password", "foobar"]
        if tls_proto is not None:
            words += ["--tls-min-version", tls_proto.removeprefix("tls")]
    return words


@contextlib.asynccontextmanager
async def running(
    interface: str,
    port: int,
    runtime_mode: str,
    ws: bool = True,
    tls: bool | str = False,
    tls_proto: str | None = None,
    task_impl: str = "asyncio",
) -> AsyncIterator[int]:
    process = subprocess.Popen(command(interface, port, tls, tls_proto))
    try:
        until = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("localhost", port)).close()
                break
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("httpuv run has not started")
            await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
def server_port() -> int:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def asgi_server(server_port: int) -> Any:
    return partial(running, "asgi", server_port)


@pytest.fixture
def wsgi_server(server_port: int) -> Any:
    return partial(running, "wsgi", server_port)


@pytest.fixture
def server(server_port: int, request: Any) -> Any:
    return partial(running, request.param, server_port)


@pytest.fixture
def server_tls(server_port: int, request: Any) -> Any:
    return partial(running, request.param, server_port, tls=True)


@pytest.hookimpl
def pytest_collection_modifyitems(config: Any, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if "rsgi" in item.nodeid or "[st" in item.nodeid]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: Any) -> bool | None:
    """Coroutine functions are run; the suite has a plugin for that."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
