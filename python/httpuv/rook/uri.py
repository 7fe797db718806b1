"""Percent-encoding of URIs exactly as web browsers do it.

The four functions are JavaScript's functions of the same names (ECMA-262, section 19.2.6 "URI
Handling Functions"). They take one string, or an iterable of strings, such as a list, an array of
numpy or a column of pandas. For an iterable the result is a list of the same length. Missing values
(``None``, NaN and ``pandas.NA``) become ``None``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import overload
from urllib.parse import quote

# quote() never encodes A-Z a-z 0-9 _ . - ~, so these sets contain only the other safe characters.
_KEPT_IN_COMPONENT = "!*'()"
_KEPT_IN_URI = _KEPT_IN_COMPONENT + ";/?:@&=+$,#"

# Percent escapes of the characters that decodeURI leaves alone: # $ & + , / : ; = ? @
_RESERVED_ESCAPE = re.compile(r"(%(?:2[346BCFbcf]|3[ABDFabdf]|40))")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+|%")

Text = str | None
Texts = Iterable[str | None]


@overload
def encodeURI(value: str) -> str: ...  # type: ignore[overload-overlap]
@overload
def encodeURI(value: None) -> None: ...
@overload
def encodeURI(value: Texts) -> list[str | None]: ...
def encodeURI(value: Text | Texts) -> Text | list[str | None]:
    """Encode a whole URI.

    Letters, digits and ``; , / ? : @ & = + $ - _ . ! ~ * ' ( ) #`` stay as they are.

    Args:
        value: A string, an iterable of strings and ``None``, or ``None``.

    Returns:
        The encoded string; a list for an iterable; ``None`` for ``None``.

    Raises:
        TypeError: ``value`` is something else.
        ValueError: A string holds half of a surrogate pair, which UTF-8 cannot express.

    Source: manual page *encodeURI*.
    """
    return _each("encodeURI", value, lambda text: _encode(text, _KEPT_IN_URI))


@overload
def encodeURIComponent(value: str) -> str: ...  # type: ignore[overload-overlap]
@overload
def encodeURIComponent(value: None) -> None: ...
@overload
def encodeURIComponent(value: Texts) -> list[str | None]: ...
def encodeURIComponent(value: Text | Texts) -> Text | list[str | None]:
    """Encode a part of a URI.

    Letters, digits and ``- _ . ! ~ * ' ( )`` stay as they are.

    Arguments, result and errors are those of :func:`encodeURI`.

    Source: manual page *encodeURI*.
    """
    return _each("encodeURIComponent", value, lambda text: _encode(text, _KEPT_IN_COMPONENT))


@overload
def decodeURI(value: str) -> str: ...  # type: ignore[overload-overlap]
@overload
def decodeURI(value: None) -> None: ...
@overload
def decodeURI(value: Texts) -> list[str | None]: ...
def decodeURI(value: Text | Texts) -> Text | list[str | None]:
    """Decode a whole URI; escapes of the reserved ``; / ? : @ & = + $ , #`` stay as they are.

    Args:
        value: A string, an iterable of strings and ``None``, or ``None``.

    Returns:
        The decoded string; a list for an iterable; ``None`` for ``None``.

    Raises:
        TypeError: ``value`` is something else.
        ValueError: A ``%`` is not followed by two hexadecimal digits, or the escapes do not form
            UTF-8 (a browser throws URIError).

    Source: manual page *encodeURI*.
    """
    return _each("decodeURI", value, _decode_uri)


@overload
def decodeURIComponent(value: str) -> str: ...  # type: ignore[overload-overlap]
@overload
def decodeURIComponent(value: None) -> None: ...
@overload
def decodeURIComponent(value: Texts) -> list[str | None]: ...
def decodeURIComponent(value: Text | Texts) -> Text | list[str | None]:
    """Decode a part of a URI: every escape.

    Arguments, result and errors are those of :func:`decodeURI`.

    Source: manual page *encodeURI*.
    """
    return _each("decodeURIComponent", value, _decode_component)


def _each(
    function: str, value: Text | Texts, convert: Callable[[str], str]
) -> Text | list[str | None]:
    def one(item: object) -> str | None:
        if isinstance(item, str):
            return convert(item)
        if _is_missing(item):
            return None
        raise TypeError(f"{function}: value must be str, not {type(item).__name__}")

    if isinstance(value, str) or _is_missing(value):
        return one(value)
    if isinstance(value, Iterable) and not isinstance(
        value, (bytes, bytearray, memoryview, Mapping)
    ):
        return [one(item) for item in value]
    raise TypeError(
        f"{function}: value must be str, None, or an iterable of them, not {type(value).__name__}"
    )


def _is_missing(item: object) -> bool:
    if item is None:
        return True
    if isinstance(item, float):
        return item != item
    return type(item).__name__ == "NAType"  # pandas.NA; a comparison with it raises


def _encode(text: str, kept: str) -> str:
    try:
        return quote(text, safe=kept)
    except UnicodeEncodeError:
        pass
    # A browser's strings are UTF-16: two surrogates in a row are one character there.
    try:
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise ValueError(f"cannot encode half of a surrogate pair: {text!r}") from None
    return quote(joined, safe=kept)


def _decode_component(text: str) -> str:
    def decoded(match: re.Match[str]) -> str:
        escapes = match[0]
        if escapes == "%":
            raise ValueError(f"'%' without two hexadecimal digits at {match.start()} in {text!r}")
        try:
            return bytes.fromhex(escapes.replace("%", "")).decode("utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"{escapes} is not UTF-8, at {match.start()} in {text!r}") from None

    return _ESCAPES.sub(decoded, text)


def _decode_uri(text: str) -> str:
    parts = _RESERVED_ESCAPE.split(text)
    # split() with one group: text, reserved escape, text, ...
    parts[::2] = [_decode_component(part) for part in parts[::2]]
    return "".join(parts)
