"""The options of static paths; each option is described here and nowhere else.

Each field of :class:`StaticPathOptions` has its type, its default, its check and its description.
:func:`httpuv.staticPath`, :func:`httpuv.staticPathOptions`, the command line and their
documentation are generated from it. The core's side is ``files::Options``.

Source: manual page *staticPathOptions*. Options that the manual does not have are keyword-only and
marked as extensions.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import _core
from ..base import names
from ..base.checks import check_utf8
from . import option
from .headers import Headers, header_fields

Validation = str | Sequence[str]


@dataclass(frozen=True)
class Description:
    """The description of an option, besides its name and type."""

    default: object
    text: str
    check: Callable[[str, object], None]
    #: The option of the command line, and its default there.
    flag: str | None
    flag_default: object


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


def _check_html(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str or None, not {value!r}")
    check_utf8(name, value)


def _check_value(name: str, value: str) -> None:
    if _UNSAFE_IN_VALUE.search(value):
        raise ValueError(f"{name} must not have control characters in it: {value!r}")
    check_utf8(name, value)


def _check_charset(name: str, value: object) -> None:
    _check_text(name, value)
    if value and not _TOKEN.fullmatch(str(value)):
        raise ValueError(f"{name} must be the name of a character set or '', not {value!r}")


def _check_headers(name: str, value: object) -> None:
    for field, text in header_fields(value):
        if error := _core.static_header_error(field, text.encode("latin-1")):
            raise ValueError(f"header {field!r} {error}")


def _check_validation(name: str, value: object) -> None:
    parse_validation(value)


def _check_index_names(name: str, value: object) -> None:
    names = value if isinstance(value, (list, tuple)) else [value]
    if isinstance(value, str):
        raise TypeError(f"{name} must be a list of file names, not {value!r}")
    for each in names:
        if not isinstance(each, str):
            raise TypeError(f"{name} must be a list of file names, not {value!r}")
        if each in ("", ".", "..") or "/" in each or "\0" in each:
            raise ValueError(f"{name} must hold plain file names, not {each!r}")


def parse_validation(validation: object) -> tuple[str, str] | None:
    """``'"Abc" = "xyz"'`` -> ("abc", "xyz"); None where nothing is to be validated."""
    if validation is None or validation == "":
        return None
    if isinstance(validation, (list, tuple)):
        if len(validation) > 1:
            raise ValueError(f"validation must be one pattern at most, not {validation!r}")
        return parse_validation(validation[0]) if validation else None
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


# --- the options ----------------------------------------------------------------------------------


def _option(
    default: object,
    text: str,
    check: Callable[[str, object], None] = _check_bool,
    *,
    kw_only: bool = True,
    flag: str | None = None,
    flag_default: object = None,
) -> Any:
    """A field of :class:`StaticPathOptions`. Its default is None, which means "inherited"."""
    if flag_default is None:
        flag_default = default
    description = Description(default, text, check, flag, flag_default)
    return dataclasses.field(default=None, kw_only=kw_only, metadata={"option": description})


@dataclass(frozen=True)
class StaticPathOptions:
    """How a static path is served; made by :func:`staticPathOptions` and :func:`staticPath`.

    An option that is None is inherited from the options of the application. An option that is None
    there has its default.
    """

    indexhtml: bool | None = _option(
        True,
        "Whether a directory with an ``index.html`` is answered with that file.",
        kw_only=False,
        flag="--index",
    )
    fallthrough: bool | None = _option(
        False,
        "Whether a request for a missing file goes to ``call``. Otherwise it is answered with 404"
        " at once.",
        kw_only=False,
    )
    html_charset: str | None = _option(
        "utf-8",
        '``charset`` in the Content-Type of HTML files; "" for none.',
        _check_charset,
        kw_only=False,
    )
    headers: Headers | None = _option(  # noqa: RUF009
        (),
        "Additional header fields of every answer: a dict, or a list of pairs. Values are str,"
        " bytes, whole numbers, or lists of them. Content-Type, ETag, Last-Modified, Accept-Ranges,"
        " Cache-Control and Date replace the server's own fields, and conditions of requests are"
        " checked against them. Framing fields (Content-Length, Transfer-Encoding, Connection) are"
        " always the server's.",
        _check_headers,
        kw_only=False,
    )
    validation: Validation | None = _option(  # noqa: RUF009
        (),
        """``'"abc" = "xyz"'``, or with ``==``, allows only requests with the field ``abc`` (in"""
        " any case of letters) and exactly that value. Others get 403. An empty list allows all.",
        _check_validation,
        kw_only=False,
    )
    exclude: bool | None = _option(False, "For :func:`excludeStaticPath` only.", kw_only=False)
    listing: bool | None = _option(
        False,
        "Extension. Whether a directory without an index is answered with a list of its entries: a"
        " page, or JSON for clients that prefer it (Accept).",
        flag="--listing",
        flag_default=True,
    )
    symlinks: bool | None = _option(
        False,
        "Extension. Whether symbolic links may lead out of the directory.",
        flag="--symlinks",
    )
    dotfiles: bool | None = _option(
        False,
        "Extension. Whether names that begin with a dot are served; ``.well-known`` always is.",
        flag="--dotfiles",
    )
    precompressed: bool | None = _option(
        True,
        "Extension. Whether ``file.br``, ``file.zst`` or ``file.gz`` is sent for ``file`` to"
        " clients that accept it.",
        flag="--precompressed",
    )
    gzip: bool | None = _option(
        False,
        "Extension. Whether compressible files without such a variant are compressed.",
        flag="--gzip",
    )
    index_names: Sequence[str] | None = _option(
        ("index.html",),
        "Extension. Names that count as the index of a directory, best first.",
        _check_index_names,
    )
    not_found: str | None = _option(
        "",
        'Extension. A page below the path to send with 404; "" for a plain text.',
        _check_text,
        flag="--not-found",
    )
    cache_control: str | None = _option(
        "",
        'Extension. Value of Cache-Control; "" for none.',
        _check_text,
        flag="--cache-control",
    )
    challenge: str | None = _option(
        "",
        "Extension. Value of WWW-Authenticate: requests that fail ``validation`` get 401 with it"
        ' instead of 403. "" for none.',
        _check_text,
    )
    listing_tools: str | None = _option(
        "",
        "Extension. HTML that is shown above the rows of a listing, unescaped. ``{path}`` in it is"
        " replaced by the URL path of the directory.",
        _check_html,
    )

    def __post_init__(self) -> None:
        if isinstance(self.headers, Iterator):  # the headers are read more than once
            object.__setattr__(self, "headers", tuple(self.headers))
        for name, value in self.items():
            if value is not None:
                DESCRIPTIONS[name].check(name, value)

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.items() if value is not None)
        return f"staticPathOptions({given})"

    def inherit(self, parent: StaticPathOptions) -> StaticPathOptions:
        """These options, with the parent's in the place of each that is None."""
        own = {name: value for name, value in self.items() if value is not None}
        return dataclasses.replace(parent, **own)

    def as_dict(self) -> dict[str, Any]:
        """The options by name."""
        return dict(self.items())

    def items(self) -> list[tuple[str, Any]]:
        """Names and values."""
        return [(name, getattr(self, name)) for name in DESCRIPTIONS]


#: What is known of each option, by name, in the order of the manual.
DESCRIPTIONS: dict[str, Description] = {
    field.name: field.metadata["option"] for field in dataclasses.fields(StaticPathOptions)
}
DEFAULTS: dict[str, Any] = {name: each.default for name, each in DESCRIPTIONS.items()}


def check_names(options: Mapping[str, Any]) -> None:
    """Raise TypeError if a name is not that of an option."""
    for name in options:
        if name not in DESCRIPTIONS:
            raise TypeError(f"unknown static path option {name!r}{names.hint(name, DESCRIPTIONS)}")


def documentation(*, without: Sequence[str] = ()) -> str:
    """The options as the "Args" section of a docstring lists them."""
    return option.documentation(
        {name: each for name, each in DESCRIPTIONS.items() if name not in without}
    )


def core_options(options: StaticPathOptions) -> dict[str, object]:
    """Complete options (none is None), in the core's types."""
    result = options.as_dict()
    del result["exclude"]
    result["headers"] = [
        (name, value.encode("latin-1")) for name, value in header_fields(result["headers"])
    ]
    result["validation"] = parse_validation(result["validation"])
    result["index_names"] = [os.fsencode(name) for name in result["index_names"]]
    return result
