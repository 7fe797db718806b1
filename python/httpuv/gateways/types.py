"""The type of the applications that :func:`httpuv.startServer` takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Union

from ..rook.types import App, HasCall, HasStaticPaths, HasWebSocket
from .interfaces import Mount

#: An application of :func:`httpuv.startServer`: a dict, an object, a function, an ASGI or WSGI
#: application, a Mount, or an empty list.
AnyApp = Union[
    App,
    Mapping[str, object],
    Callable[..., Any],
    HasCall,
    HasWebSocket,
    HasStaticPaths,
    Mount,
    "list[NoReturn]",
    "tuple[()]",
]
