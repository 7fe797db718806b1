"""HTTP and WebSocket server: C++ owns the network, Python answers.

>>> import httpuv
>>> httpuv.runServer("127.0.0.1", 8080, lambda req: {"status": 200, "body": "Hello world!"})
"""

import importlib
from typing import TYPE_CHECKING

from ._core import __version__
from .answers.presence import disconnected
from .answers.sse import EventStream
from .answers.types import Response
from .base.log import logLevel
from .brokers.protocol import Broker
from .dispatch.base import Dispatcher
from .dispatch.service import interrupt, later, runNow, service
from .gateways.interfaces import Mount
from .options.limits import Limits
from .options.static import StaticPath, excludeStaticPath, staticPath, staticPathOptions
from .options.static_options import StaticPathOptions
from .options.tls import TLS
from .options.topic_options import Topic, TopicStats
from .rook.base64 import rawToBase64
from .rook.types import App, Request
from .rook.uri import decodeURI, decodeURIComponent, encodeURI, encodeURIComponent
from .rook.websocket import WebSocket
from .rook.websocket_sending import ConnectionClosed
from .servers.pipe import PipeServer
from .servers.ports import NoFreePortError, ipFamily, randomPort
from .servers.start import (
    listServers,
    runServer,
    startDaemonizedServer,
    startPipeServer,
    startServer,
    stopAllServers,
    stopDaemonizedServer,
    stopServer,
)
from .servers.web import WebServer
from .static_server.run import runStaticServer

if TYPE_CHECKING:
    from . import asgi, brokers, testing, wsgi  # noqa: F401
else:

    def __getattr__(name):
        """Import the public packages that not every program needs at their first use."""
        if name in _PACKAGES:
            return importlib.import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_PACKAGES = ("asgi", "brokers", "testing", "wsgi")

__all__ = [
    "TLS",
    "App",
    "Broker",
    "ConnectionClosed",
    "Dispatcher",
    "EventStream",
    "Limits",
    "Mount",
    "NoFreePortError",
    "PipeServer",
    "Request",
    "Response",
    "StaticPath",
    "StaticPathOptions",
    "Topic",
    "TopicStats",
    "WebServer",
    "WebSocket",
    "__version__",
    "decodeURI",
    "decodeURIComponent",
    "disconnected",
    "encodeURI",
    "encodeURIComponent",
    "excludeStaticPath",
    "interrupt",
    "ipFamily",
    "later",
    "listServers",
    "logLevel",
    "randomPort",
    "rawToBase64",
    "runNow",
    "runServer",
    "runStaticServer",
    "service",
    "startDaemonizedServer",
    "startPipeServer",
    "startServer",
    "staticPath",
    "staticPathOptions",
    "stopAllServers",
    "stopDaemonizedServer",
    "stopServer",
]


def __dir__() -> list[str]:
    """The public names; the package has other modules, which are private."""
    return sorted([*__all__, *_PACKAGES])
