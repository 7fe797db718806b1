"""pytest plugin: daphne's tests of HTTP and WebSocket against httpuv.

Its tests run a server in a separate process, with an application that records what it is given;
here that process runs httpuv. Their requests get the Host field that HTTP/1.1 asks for (RFC 9112,
3.2), and the scope goes without what daphne does not have and they do not expect.
"""

from __future__ import annotations

import sys
import traceback
from http.client import HTTPConnection
from typing import Any

import daphne.testing
import httpuv
import hypothesis
import pytest

# A case that fails is not made smaller: each try starts a process.
hypothesis.settings.register_profile(
    "httpuv", phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate], deadline=None
)
hypothesis.settings.load_profile("httpuv")


class Client(HTTPConnection):
    has_host = False

    def putheader(self, header: Any, *values: Any) -> None:
        name = header.encode() if isinstance(header, str) else header
        self.has_host = self.has_host or name.lower() == b"host"
        super().putheader(header, *values)

    def endheaders(self, *given: Any, **options: Any) -> None:
        if not self.has_host:
            self.putheader("Host", "example.com")
        super().endheaders(*given, **options)


def as_daphne(app: Any) -> Any:
    async def wrapped(scope: dict[str, Any], receive: Any, send: Any) -> None:
        scope.pop("extensions", None)
        if scope["type"] == "websocket":
            scope.pop("http_version")
        await app(scope, receive, send)

    return wrapped


def run(self: Any) -> None:
    try:
        given = self.kwargs
        limits: dict[str, Any] = {}
        if "websocket_max_message_size" in given:
            limits["ws_max_message_bytes"] = given["websocket_max_message_size"]
        options: dict[str, Any] = {"limits": httpuv.Limits(**limits)}
        if "proxy_forwarded_address_header" in given:
            options["forwardedAllowIps"] = "*"
        app = httpuv.Mount(as_daphne(self.get_application()), "asgi", lifespan="off")
        server = httpuv.startServer(self.host, 0, app, gzip=False, **options)
        self.port.value = server.getPort()
        self.ready.set()
        while True:
            httpuv.service(0)
    except BaseException as error:
        self.errors.put((error, traceback.format_exc()))


daphne.testing.DaphneProcess.run = run


@pytest.hookimpl
def pytest_collection_modifyitems() -> None:
    sys.modules["http_base"].HTTPConnection = Client  # type: ignore[attr-defined]
