"""Static paths: directories and files that the I/O thread serves without calling Python.

Sources: manual pages *staticPath*, *staticPathOptions* and *runStaticServer*. The options are
described in :mod:`httpuv.options.static_options`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol

from ..base import names
from ..base.checks import check_utf8
from .static_options import (
    DEFAULTS,
    StaticPathOptions,
    check_names,
    core_options,
    documentation,
)

if TYPE_CHECKING:
    from .._core import Route

P = ParamSpec("P")


@dataclass(frozen=True)
class StaticPath:
    """A local path and how it is served; made by :func:`staticPath`.

    ``path`` is absolute; "" for an excluded path.
    """

    path: str
    options: StaticPathOptions = field(default_factory=StaticPathOptions)

    def __repr__(self) -> str:
        if self.options.exclude:
            return "excludeStaticPath()"
        given = "".join(
            f", {name}={value!r}" for name, value in self.options.items() if value is not None
        )
        return f"staticPath({self.path!r}{given})"


class _StaticPath(Protocol[P]):
    """The type of the function ``staticPath``."""

    __name__: str

    def __call__(
        self, path: str | os.PathLike[str], *args: P.args, **kwargs: P.kwargs
    ) -> StaticPath: ...


def _path_maker(options: Callable[P, StaticPathOptions]) -> _StaticPath[P]:
    """Make ``staticPath``, with the parameters of the options."""

    def staticPath(path: str | os.PathLike[str], *args: P.args, **kwargs: P.kwargs) -> StaticPath:
        local = _local_path(path)
        return StaticPath(local, _made(f"staticPath({local!r})", _PATH_OPTIONS, args, kwargs))

    return staticPath


def _options_maker(
    options: Callable[P, StaticPathOptions],
) -> Callable[P, StaticPathOptions]:
    """Make ``staticPathOptions``, with the parameters of the options."""

    def staticPathOptions(*args: P.args, **kwargs: P.kwargs) -> StaticPathOptions:
        return _made("staticPathOptions()", _ALL_OPTIONS, args, kwargs)

    return staticPathOptions


def _made(
    where: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> StaticPathOptions:
    """Make the options; an error names the path."""
    try:
        names.check_names(kwargs, signature.parameters)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return StaticPathOptions(**bound.arguments)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None


def _signature(without: str | None, defaults: Mapping[str, Any]) -> inspect.Signature:
    """The signature of the options' constructor, with other defaults."""
    signature = inspect.signature(StaticPathOptions)
    return signature.replace(
        parameters=[
            each.replace(default=defaults.get(name))
            for name, each in signature.parameters.items()
            if name != without
        ],
        return_annotation=inspect.Signature.empty,
    )


_PATH_OPTIONS = _signature("exclude", {})
_ALL_OPTIONS = _signature(None, DEFAULTS)

staticPath = _path_maker(StaticPathOptions)
staticPathOptions = _options_maker(StaticPathOptions)

_function: Any
_PATH = inspect.Parameter("path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
for _function, _parameters in (
    (staticPath, (_PATH, *_PATH_OPTIONS.parameters.values())),
    (staticPathOptions, tuple(_ALL_OPTIONS.parameters.values())),
):
    _function.__signature__ = inspect.Signature(_parameters)
    _function.__qualname__ = _function.__name__

staticPath.__doc__ = f"""Describe a directory or a file for ``staticPaths`` of an application.

    Every option that is None is inherited from the ``staticPathOptions`` of the application.

    Args:
        path: The local path; ``~`` is expanded. It must exist.
{documentation(without=["exclude"])}

    Raises:
        FileNotFoundError: ``path`` does not exist.
        TypeError, ValueError: An argument is wrong; the message names it and the path.

    Source: manual page *staticPath*.
    """

staticPathOptions.__doc__ = f"""Options for all static paths of an application.

    None stands for the default.

    Args:
{documentation()}

    Raises:
        TypeError, ValueError: An argument is wrong; the message names it.

    Source: manual page *staticPathOptions*.
    """


def excludeStaticPath() -> StaticPath:
    """Take a path out of static serving: requests for it and below it go to ``call``.

    Source: manual page *staticPath*.
    """
    return StaticPath("", StaticPathOptions(exclude=True))


def normalize_paths(paths: object) -> dict[str, StaticPath]:
    """``staticPaths`` of an application, checked: URL path -> StaticPath.

    Raises:
        TypeError, ValueError: A URL path or a value is wrong.
        FileNotFoundError: A local path does not exist.
    """
    if paths is None:
        return {}
    if not isinstance(paths, Mapping):
        raise TypeError(
            f"staticPaths must be a dict from URL paths to local paths, not {type(paths).__name__}"
        )
    result: dict[str, StaticPath] = {}
    for url, value in paths.items():
        if not isinstance(value, StaticPath):
            if not isinstance(value, (str, os.PathLike)):
                raise TypeError(
                    f"staticPaths: {url!r} must be a path or a staticPath(), not {value!r}"
                )
            value = staticPath(value)
        result[normalize_url(url)] = value
    return result


def normalize_options(options: object) -> StaticPathOptions:
    """``staticPathOptions`` of an application, checked, with no option left at None.

    Raises:
        TypeError, ValueError: It is neither None, options, nor a mapping of options.
    """
    defaults = staticPathOptions()
    if options is None:
        return defaults
    if isinstance(options, Mapping):
        check_names(options)
        options = StaticPathOptions(**options)
    if not isinstance(options, StaticPathOptions):
        raise TypeError(
            f"staticPathOptions must be staticPathOptions() or None, not {type(options).__name__}"
        )
    return options.inherit(defaults)


def normalize_url(url: object) -> str:
    """A URL path in the form of routes: decoded, one slash in front, none at the end.

    Raises:
        TypeError: It is no string.
        ValueError: It is empty, or has a segment that no request can match.
    """
    if not isinstance(url, str):
        raise TypeError(f"a static URL path must be str, not {url!r}")
    if url == "":
        raise ValueError("a static URL path must not be empty; '/' is the root")
    segments = [segment for segment in url.split("/") if segment]
    if any(segment in (".", "..") or "\0" in segment for segment in segments):
        raise ValueError(f"a static URL path must not have '.', '..' or NUL in it: {url!r}")
    return check_utf8("a static URL path", "/" + "/".join(segments))


def routes(paths: Mapping[str, StaticPath], defaults: StaticPathOptions) -> list[Route]:
    """The core's table of routes, with every option resolved."""
    return [
        (
            url,
            os.fsencode(each.path),
            bool(each.options.exclude),
            core_options(each.options.inherit(defaults)),
        )
        for url, each in paths.items()
    ]


def _local_path(path: object) -> str:
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if not isinstance(path, str):
        raise TypeError(f"path must be str or a path object, not {type(path).__name__}")
    if not path:
        raise ValueError("path must not be empty")
    absolute = os.path.abspath(os.path.expanduser(path))
    os.stat(absolute)  # raises an OSError that says what is wrong
    return absolute
