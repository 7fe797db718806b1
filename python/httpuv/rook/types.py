"""Types of requests and applications, for type checkers and for completion.

All are plain dicts, functions and objects at run time::

    def call(req: httpuv.Request) -> httpuv.Response:
        return {"status": 200, "body": req["PATH_INFO"]}

    app: httpuv.App = {"call": call}

Sources: manual page *startServer*; the Rook specification.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from ..answers.types import Response
from .headers import Headers

if TYPE_CHECKING:
    from typing_extensions import NotRequired

    from ..options.static import StaticPath
    from ..options.static_options import StaticPathOptions
    from .request import Errors, Input
    from .websocket import WebSocket

Request = TypedDict(
    "Request",
    {
        "REQUEST_METHOD": str,
        "SCRIPT_NAME": str,
        "PATH_INFO": str,
        "QUERY_STRING": str,
        "REQUEST_URI": str,
        "SERVER_NAME": str,
        "SERVER_PORT": str,
        "SERVER_PROTOCOL": str,
        "REMOTE_ADDR": str,
        "REMOTE_PORT": str,
        "HEADERS": Headers,
        "rook.version": str,
        "rook.url_scheme": str,
        "rook.input": "Input",
        "rook.errors": "Errors",
        "httpuv.version": str,
        "httpuv.timeout": "NotRequired[float | None]",
        "httpuv.disconnected": "NotRequired[Any]",
    },
)
Request.__doc__ = """The argument of ``call`` and ``onHeaders``: the Rook environment, a dict.

It also has a key ``HTTP_*`` for each header field, as CGI has. With ``streamBody`` the value of
``rook.input`` is read with ``await``; annotate the request with ``dict[str, Any]`` then.
"""


class App(TypedDict, total=False):
    """An application as a dict; :func:`httpuv.startServer` describes the keys."""

    call: Callable[[Any], Any] | None
    onHeaders: Callable[[Any], Response | Mapping[str, Any] | None] | None
    onBodyData: Callable[[Any, bytes], object] | None
    streamBody: bool | None
    allowConnect: bool | None
    onWSOpen: Callable[[WebSocket], object] | None
    wsWaits: bool | None
    staticPaths: Mapping[str, str | os.PathLike[str] | StaticPath] | None
    staticPathOptions: Mapping[str, Any] | StaticPathOptions | None


class HasCall(Protocol):
    """An application object that answers requests."""

    @property
    def call(self) -> Callable[[Any], Any]: ...


class HasWebSocket(Protocol):
    """An application object with WebSockets."""

    @property
    def onWSOpen(self) -> Callable[[Any], object]: ...


class HasStaticPaths(Protocol):
    """An application object with static paths."""

    @property
    def staticPaths(self) -> Mapping[str, Any]: ...
