"""The type of whatever :func:`httpuv.startServer` takes as its application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Union

from ..rook.types import App, HasCall, HasStaticPaths, HasWebSocket
from .interfaces import Mount

#: Whatever :func:`httpuv.startServer` takes: a dict, an object, a function, an ASGI or WSGI
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
