"""What tests of answers share: servers started in each of the ways, clients that leave in each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpuv
import pytest
from support import PATIENCE, Wire

Start = Callable[..., httpuv.WebServer]


@pytest.fixture(params=["service", "thread", "threads", "asyncio", "uvloop"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start servers; their callbacks run in each of the possible ways."""
    if request.param == "service":
        request.getfixturevalue("running")
        yield lambda app, **more: httpuv.startServer("127.0.0.1", 0, app, **more)
    elif request.param in ("thread", "threads"):
        dispatch = "thread" if request.param == "thread" else 3
        yield lambda app, **more: httpuv.startServer("127.0.0.1", 0, app, dispatch=dispatch, **more)
    else:
        if request.param == "uvloop":
            loop = pytest.importorskip("uvloop").new_event_loop()
        else:
            loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()

        async def on_loop(app: Any, more: Any) -> httpuv.WebServer:
            return httpuv.startServer("127.0.0.1", 0, app, dispatch="asyncio", **more)

        yield lambda app, **more: asyncio.run_coroutine_threadsafe(on_loop(app, more), loop).result(
            PATIENCE
        )
        httpuv.stopAllServers()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        # What was cancelled last.
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def leave_by_reset(wire: Wire) -> None:
    wire.reset()


def leave_half_closed(wire: Wire) -> None:
    wire.half_close()
    wire.reset()


leaves = pytest.mark.parametrize("leave", [leave_by_reset, leave_half_closed])
