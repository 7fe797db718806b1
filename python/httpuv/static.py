"""Static paths: directories and files that the I/O thread serves without calling Python.

Sources: manual pages *staticPath*, *staticPathOptions* and *runStaticServer*. Options that the
manual does not have are keyword-only and marked as extensions.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import _core
from .headers import Headers, header_fields

if TYPE_CHECKING:
    from ._core import Route

Validation = str | Sequence[str]


@dataclass(frozen=True)
class StaticPathOptions:
    """How a static path is served; made by :func:`staticPathOptions` and :func:`staticPath`.

    An option that is None is inherited: from the options of the application, and from the defaults
    there.
    """

    indexhtml: bool | None = None
    fallthrough: bool | None = None
    html_charset: str | None = None
    headers: Headers | None = None
    validation: Validation | None = None
    exclude: bool | None = None
    # Extensions.
    listing: bool | None = None
    symlinks: bool | None = None
    dotfiles: bool | None = None
    precompressed: bool | None = None
    gzip: bool | None = None
    index_names: Sequence[str] | None = None
    not_found: str | None = None
    cache_control: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.headers, Iterator):  # it is read more than once
            object.__setattr__(self, "headers", tuple(self.headers))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None:
                _CHECKS.get(field.name, _check_bool)(field.name, value)

    def __repr__(self) -> str:
        given = ", ".join(
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) is not None
        )
        return f"staticPathOptions({given})"

    def inherit(self, parent: StaticPathOptions) -> StaticPathOptions:
        """These options, with the parent's in the place of each that is None."""
        own = {name: value for name, value in _items(self) if value is not None}
        return dataclasses.replace(parent, **own)

    def as_dict(self) -> dict[str, Any]:
        """The options by name."""
        return dict(_items(self))


@dataclass(frozen=True)
class StaticPath:
    """A local path and how it is served; made by :func:`staticPath`.

    ``path`` is absolute; "" for an excluded path.
    """

    path: str
    options: StaticPathOptions = dataclasses.field(default_factory=StaticPathOptions)

    def __repr__(self) -> str:
        if self.options.exclude:
            return "excludeStaticPath()"
        given = "".join(
            f", {name}={value!r}" for name, value in _items(self.options) if value is not None
        )
        return f"staticPath({self.path!r}{given})"


def staticPath(
    path: str | os.PathLike[str],
    indexhtml: bool | None = None,
    fallthrough: bool | None = None,
    html_charset: str | None = None,
    headers: Headers | None = None,
    validation: Validation | None = None,
    *,
    listing: bool | None = None,
    symlinks: bool | None = None,
    dotfiles: bool | None = None,
    precompressed: bool | None = None,
    gzip: bool | None = None,
    index_names: Sequence[str] | None = None,
    not_found: str | None = None,
    cache_control: str | None = None,
) -> StaticPath:
    """Name a directory or a file to be served; for ``staticPaths`` of an application.

    Every option that is None is inherited from the ``staticPathOptions`` of the application.

    Args:
        path: The local path; ``~`` is expanded. It must exist.
        indexhtml: Whether a directory with an ``index.html`` answers with it.
        fallthrough: Whether a request for a file that does not exist goes to ``call``; otherwise
            it is answered with 404 at once.
        html_charset: ``charset`` in the Content-Type of HTML files; "" for none.
        headers: Further header fields of every answer: a dict, or a list of pairs; values are str,
            bytes, whole numbers, or lists of them. Content-Type, ETag, Last-Modified,
            Accept-Ranges, Cache-Control and Date replace the server's own, and conditions of
            requests are checked against them. The framing (Content-Length, Transfer-Encoding,
            Connection) is the server's.
        validation: ``'"abc" = "xyz"'``, or with ``==``, lets in only requests with the field
            ``abc`` (in any case) and exactly that value; others get 403. An empty list lets in all.
        listing: Extension. Whether a directory without an index shows its entries.
        symlinks: Extension. Whether symbolic links may lead out of the directory.
        dotfiles: Extension. Whether names that begin with a dot are served; ``.well-known`` is.
        precompressed: Extension. Whether ``file.br``, ``file.zst`` or ``file.gz`` is sent for
            ``file`` to clients that accept it.
        gzip: Extension. Whether compressible files without such a variant are compressed.
        index_names: Extension. Names that count as the index of a directory, best first.
        not_found: Extension. A page below the path to send with 404; "" for a plain text.
        cache_control: Extension. Value of Cache-Control; "" for none.

    Raises:
        FileNotFoundError: ``path`` does not exist.
        TypeError, ValueError: An argument is wrong; the message names it.

    Source: manual page *staticPath*.
    """
    local = _local_path(path)
    options = _made(
        f"staticPath({local!r})",
        indexhtml=indexhtml,
        fallthrough=fallthrough,
        html_charset=html_charset,
        headers=headers,
        validation=validation,
        listing=listing,
        symlinks=symlinks,
        dotfiles=dotfiles,
        precompressed=precompressed,
        gzip=gzip,
        index_names=index_names,
        not_found=not_found,
        cache_control=cache_control,
    )
    return StaticPath(local, options)


def excludeStaticPath() -> StaticPath:
    """Take a path out of static serving: requests for it and below it go to ``call``.

    Source: manual page *staticPath*.
    """
    return StaticPath("", StaticPathOptions(exclude=True))


def staticPathOptions(
    indexhtml: bool | None = True,
    fallthrough: bool | None = False,
    html_charset: str | None = "utf-8",
    headers: Headers | None = (),
    validation: Validation | None = (),
    exclude: bool | None = False,
    *,
    listing: bool | None = False,
    symlinks: bool | None = False,
    dotfiles: bool | None = False,
    precompressed: bool | None = True,
    gzip: bool | None = False,
    index_names: Sequence[str] | None = ("index.html",),
    not_found: str | None = "",
    cache_control: str | None = "",
) -> StaticPathOptions:
    """Options for all static paths of an application; :func:`staticPath` describes each.

    ``exclude`` is for :func:`excludeStaticPath` alone. None stands for the default.

    Source: manual page *staticPathOptions*.
    """
    return _made(
        "staticPathOptions()",
        indexhtml=indexhtml,
        fallthrough=fallthrough,
        html_charset=html_charset,
        headers=headers,
        validation=validation,
        exclude=exclude,
        listing=listing,
        symlinks=symlinks,
        dotfiles=dotfiles,
        precompressed=precompressed,
        gzip=gzip,
        index_names=index_names,
        not_found=not_found,
        cache_control=cache_control,
    )


def _made(where: str, **options: Any) -> StaticPathOptions:
    """Options, or an error that says which path they were for."""
    try:
        return StaticPathOptions(**options)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None


def check_names(options: Mapping[str, Any]) -> None:
    """Raise TypeError if a name is not that of an option."""
    known = {field.name for field in dataclasses.fields(StaticPathOptions)}
    for name in options:
        if name not in known:
            raise TypeError(f"unknown static path option {name!r}; there are {sorted(known)}")


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
    """A URL path as routes have it: decoded, one slash in front, none behind ("/" for the root).

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
    return "/" + "/".join(segments)


def routes(paths: Mapping[str, StaticPath], defaults: StaticPathOptions) -> list[Route]:
    """The table that the core serves from, every option resolved."""
    return [
        (
            url,
            os.fsencode(each.path),
            bool(each.options.exclude),
            _resolved(each.options.inherit(defaults)),
        )
        for url, each in paths.items()
    ]


def _resolved(options: StaticPathOptions) -> dict[str, object]:
    """The options in the core's types."""
    result = options.as_dict()
    del result["exclude"]
    result["headers"] = [
        (name, value.encode("latin-1")) for name, value in header_fields(result["headers"])
    ]
    result["validation"] = _parse_validation(result["validation"])
    result["index_names"] = list(result["index_names"])
    return result


def _items(options: StaticPathOptions) -> list[tuple[str, Any]]:
    return [(field.name, getattr(options, field.name)) for field in dataclasses.fields(options)]


def _local_path(path: object) -> str:
    if isinstance(path, os.PathLike):
        path = os.fspath(path)
    if not isinstance(path, str):
        raise TypeError(f"path must be str or a path object, not {type(path).__name__}")
    if not path:
        raise ValueError("path must not be empty")
    absolute = os.path.abspath(os.path.expanduser(path))
    os.stat(absolute)  # raises the OSError that says what is wrong with it
    return absolute


# --- checks of single options -------------------------------------------------------------------

# RFC 9110 section 5.6.2 and 5.5.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSAFE_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_VALIDATION = re.compile(
    r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')
        \s*={1,2}\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\s*""",
    re.VERBOSE | re.DOTALL,
)


def _check_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True, False or None, not {value!r}")


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str or None, not {value!r}")
    _check_value(name, value)


def _check_value(name: str, value: str) -> None:
    if _UNSAFE_IN_VALUE.search(value):
        raise ValueError(f"{name} must not have control characters in it: {value!r}")


def _check_charset(name: str, value: object) -> None:
    _check_text(name, value)
    if value and not _TOKEN.fullmatch(str(value)):
        raise ValueError(f"{name} must be the name of a character set or '', not {value!r}")


def _check_headers(name: str, value: object) -> None:
    for field, text in header_fields(value):
        if error := _core.static_header_error(field, text.encode("latin-1")):
            raise ValueError(f"header {field!r} {error}")


def _check_validation(name: str, value: object) -> None:
    _parse_validation(value)


def _check_index_names(name: str, value: object) -> None:
    names = value if isinstance(value, (list, tuple)) else [value]
    if isinstance(value, str):
        raise TypeError(f"{name} must be a list of file names, not {value!r}")
    for each in names:
        if not isinstance(each, str):
            raise TypeError(f"{name} must be a list of file names, not {value!r}")
        if each in ("", ".", "..") or "/" in each or "\0" in each:
            raise ValueError(f"{name} must hold plain file names, not {each!r}")


_CHECKS = {
    "html_charset": _check_charset,
    "headers": _check_headers,
    "validation": _check_validation,
    "index_names": _check_index_names,
    "not_found": _check_text,
    "cache_control": _check_text,
}


def _parse_validation(validation: object) -> tuple[str, str] | None:
    """``'"Abc" = "xyz"'`` -> ("abc", "xyz"); None where nothing is to be validated."""
    if validation is None or validation == "":
        return None
    if isinstance(validation, (list, tuple)):
        if len(validation) > 1:
            raise ValueError(f"validation must be one pattern at most, not {validation!r}")
        return _parse_validation(validation[0]) if validation else None
    if not isinstance(validation, str):
        raise TypeError(f"validation must be str or an empty list, not {validation!r}")
    match = _VALIDATION.fullmatch(validation)
    if match is None:
        raise ValueError(f"""validation must look like '"name" = "value"', not {validation!r}""")
    name, value = (
        re.sub(r"\\(.)", r"\1", match[first] if match[first] is not None else match[first + 1])
        for first in (1, 3)
    )
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"validation: not a header name: {name!r}")
    _check_value("validation: the value", value)
    return name.lower(), value
