"""The user's application, normalised."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..base.names import hint
from ..dispatch.tasks import is_async_function
from ..options.static import StaticPath, normalize_options, normalize_paths
from ..options.static_options import StaticPathOptions

#: A request, as in ``call`` and ``onHeaders``.
Environ = dict[str, Any]

CALLBACKS = ("call", "onHeaders", "onBodyData", "onWSOpen", "onSubscribe")
_SWITCHES = ("streamBody", "wsWaits", "allowConnect")
DOCUMENTED = (*CALLBACKS, *_SWITCHES, "staticPaths", "staticPathOptions")


@dataclass(frozen=True)
class App:
    """An application in its normal form."""

    call: Callable[[Environ], Any] | None = None
    onHeaders: Callable[[Environ], Any] | None = None
    onBodyData: Callable[[Environ, bytes], Any] | None = None
    streamBody: bool = False
    wsWaits: bool = False
    allowConnect: bool = False
    onWSOpen: Callable[[Any], Any] | None = None
    onSubscribe: Callable[[Any, str], Any] | None = None
    staticPaths: dict[str, StaticPath] = field(default_factory=dict)
    staticPathOptions: StaticPathOptions = field(default_factory=StaticPathOptions)


def normalize_app(app: object) -> App:
    """Normalise an application.

    Args:
        app: One of

            * a mapping with any of ``call``, ``onHeaders``, ``onBodyData``, ``streamBody``,
              ``wsWaits``, ``allowConnect``, ``onWSOpen``, ``onSubscribe``, ``staticPaths`` and
              ``staticPathOptions``; None is the same as missing. Other keys get a warning, because
              they are most likely misspelt. Keys that begin with ``_`` or ``.`` belong to the
              application and get none;
            * an object with attributes of these names (other attributes are ignored);
            * a function or another callable: it is ``call``;
            * an empty list (R's ``list()``): an application without callbacks.

    Raises:
        TypeError, ValueError: The application or a part of it has a wrong type or value.
        FileNotFoundError: A static path does not exist.

    Source: manual page *startServer*, argument ``app``.
    """
    if isinstance(app, (list, tuple)) and not app:
        app = {}  # list() in R
    if isinstance(app, Mapping):
        _warn_of_unknown_keys(app)
        parts = {name: app.get(name) for name in DOCUMENTED}
    else:
        parts = {name: getattr(app, name, None) for name in DOCUMENTED}
        if all(part is None for part in parts.values()):
            if not callable(app):
                raise TypeError(
                    "app must be a dict, an object with some of the attributes"
                    f" {', '.join(DOCUMENTED)}, or a function; not {type(app).__name__}"
                )
            parts["call"] = app
    for name in CALLBACKS:
        if parts[name] is not None and not callable(parts[name]):
            raise TypeError(f"app: {name} must be callable, not {type(parts[name]).__name__}")
    for name in ("onHeaders", "onSubscribe"):
        if is_async_function(parts[name]):
            raise TypeError(
                f"app: {name} must be a plain function; call may be a coroutine function"
            )
    for name in _SWITCHES:
        if parts[name] is not None and not isinstance(parts[name], bool):
            raise TypeError(f"app: {name} must be bool, not {type(parts[name]).__name__}")
    return App(
        call=parts["call"],
        onHeaders=parts["onHeaders"],
        onBodyData=parts["onBodyData"],
        streamBody=bool(parts["streamBody"]),
        wsWaits=bool(parts["wsWaits"]),
        allowConnect=bool(parts["allowConnect"]),
        onWSOpen=parts["onWSOpen"],
        onSubscribe=parts["onSubscribe"],
        staticPaths=normalize_paths(parts["staticPaths"]),
        staticPathOptions=normalize_options(parts["staticPathOptions"]),
    )


def _warn_of_unknown_keys(app: Mapping[Any, Any]) -> None:
    for key in app:
        if not isinstance(key, str):
            raise TypeError(f"app: a key must be str, not {key!r}")
        if key in DOCUMENTED or key.startswith(("_", ".")):
            continue
        meant = hint(key, DOCUMENTED)
        warnings.warn(
            f"app: {key!r} is none of {', '.join(DOCUMENTED)} and is ignored{meant}",
            category=UserWarning,
            # The caller of startServer, not normalize_app or the server's constructor.
            stacklevel=_frames_to_caller(),
        )


def _frames_to_caller() -> int:
    """The stack level of the first frame outside this package, for warnings.warn()."""
    package = __name__.partition(".")[0]
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] != package:
            break
        frame = frame.f_back
        level += 1
    return level
