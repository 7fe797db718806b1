"""pytest plugin: uvicorn's tests that talk to a running server, against httpuv.asgi.

What they import as ``Config`` and ``Server`` is replaced. uvicorn has several implementations of
each protocol; of its parameters one combination is kept.
"""

from __future__ import annotations

import sys
from typing import Any

import httpuv.asgi
import pytest
import tests.utils  # of the suite
import uvicorn

#: Of the ids of parametrised tests: what is not the first choice.
OTHERS = ("wsproto", "sansio", "httptools", "uvloop", "WSProtocol", "HttpTools")


class Config(httpuv.asgi.Config):
    def __init__(self, app: Any, **given: Any) -> None:
        for name in ("http", "ws"):
            given.pop(name, None)
        super().__init__(app, **given)


tests.utils.Server = httpuv.asgi.Server  # type: ignore[attr-defined]
for module in (uvicorn, sys.modules["uvicorn.config"]):
    module.Config = Config  # type: ignore[attr-defined]
for module in (uvicorn, sys.modules["uvicorn.server"]):
    module.Server = httpuv.asgi.Server  # type: ignore[attr-defined]


@pytest.hookimpl
def pytest_collection_modifyitems(config: Any, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if any(name in item.nodeid for name in OTHERS)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
