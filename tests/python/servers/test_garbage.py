"""Applications that refer to their own servers are freed."""

import gc
import weakref

import httpuv
import pytest
from conftest import Serve
from support import get
from ws_support import wait_until


class Site:
    """An application that knows its server."""

    def __init__(self, start: Serve | None = None) -> None:
        self.server: httpuv.Server | None = None

    def call(self, req: dict) -> dict:
        return {"status": 200, "body": str(self.server)}

    def onHeaders(self, req: dict) -> None:
        pass

    def onWSOpen(self, ws: httpuv.WebSocket) -> None:
        ws.onClose(lambda: self.server)


def test_after_the_server_has_stopped(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "httpuv")  # its handler keeps the records
    site = Site()
    site.server = httpuv.startServer("127.0.0.1", 0, site, dispatch="thread", accessLog=True)
    assert get(site.server, "/").status == 200
    gc.collect()
    assert get(site.server, "/").body == str(site.server).encode()  # it is in use
    site.server.stop()
    watch, server = weakref.ref(site), weakref.ref(site.server)
    del site
    # stop() does not wait for the end of its thread for ever, and a busy machine may be slower.
    wait_until(lambda: gc.collect() >= 0 and watch() is None and server() is None)


def test_a_server_that_never_ran() -> None:
    site = Site()
    with pytest.raises(OSError):
        site.server = httpuv.startServer("192.0.2.1", 0, site, quiet=True)
    watch = weakref.ref(site)
    del site
    gc.collect()
    assert watch() is None


def test_a_running_server_stays() -> None:
    site = Site()
    site.server = httpuv.startServer("127.0.0.1", 0, site, dispatch="thread")
    port = site.server.getPort()
    watch = weakref.ref(site)
    del site
    gc.collect()
    assert watch() is not None
    server = httpuv.listServers()[0]
    assert server.getPort() == port
    assert get(server, "/").status == 200
