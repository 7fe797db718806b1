"""HTTP and WebSocket server: C++ owns the network, Python answers.

>>> import httpuv
>>> httpuv.runServer("127.0.0.1", 8080, lambda req: {"status": 200, "body": "Hello world!"})
"""

from ._core import __version__
from .base64 import rawToBase64
from .dispatch.base import Dispatcher
from .dispatch.queue import interrupt, later, runNow, service
from .interfaces import Mount
from .limits import Limits
from .log import logLevel
from .ports import NoFreePortError, ipFamily, randomPort
from .presence import disconnected
from .server import PipeServer, WebServer
from .sse import EventStream
from .start import (
    listServers,
    runServer,
    startDaemonizedServer,
    startPipeServer,
    startServer,
    stopAllServers,
    stopDaemonizedServer,
    stopServer,
)
from .static import (
    StaticPath,
    excludeStaticPath,
    staticPath,
    staticPathOptions,
)
from .static_options import StaticPathOptions
from .static_server import runStaticServer
from .uri import decodeURI, decodeURIComponent, encodeURI, encodeURIComponent
from .websocket import WebSocket
from .websocket_sending import ConnectionClosed

__all__ = [
    "ConnectionClosed",
    "Dispatcher",
    "EventStream",
    "Limits",
    "Mount",
    "NoFreePortError",
    "PipeServer",
    "StaticPath",
    "StaticPathOptions",
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
