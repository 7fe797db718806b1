"""Kinds of options: the conversion of their written values.

A value is a str from the command line and the environment, and a TOML value from a file. Each kind
is a function that converts it. The function raises :class:`ValueError`; the message says what the
value must be.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from ...options.allowed import can_match
from ...options.observe import check_admin, check_path, host_and_port
from ...options.proxies import check_proxies

Kind = Callable[[object], object]


def text(given: object) -> str:
    """Any text that is not empty."""
    if not isinstance(given, str) or not given:
        raise ValueError("must be a text that is not empty")
    return given


def address(given: object) -> str:
    """A name or an address to listen on; an IPv6 address may be in the brackets of URLs."""
    host = text(given)
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def any_text(given: object) -> str:
    """Any text."""
    if not isinstance(given, str):
        raise ValueError("must be a text")
    return given


def flag(given: object) -> bool:
    """Yes or no."""
    if isinstance(given, bool):
        return given
    word = given.lower() if isinstance(given, str) else ""
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError("must be true or false")


def whole(lowest: int, highest: int = 2**31 - 1) -> Kind:
    """A whole number in a range."""

    def read(given: object) -> int:
        try:
            if isinstance(given, bool) or not isinstance(given, (str, int)):
                raise ValueError
            number = int(given)
        except ValueError:
            number = lowest - 1
        if not lowest <= number <= highest:
            raise ValueError(
                f"must be a whole number of at least {lowest}"
                if highest >= 2**31 - 1
                else f"must be a whole number from {lowest} to {highest}"
            )
        return number

    return read


def number(given: object) -> float:
    """A number that is not negative."""
    try:
        if isinstance(given, bool) or not isinstance(given, (str, int, float)):
            raise ValueError
        value = float(given)
    except ValueError:
        value = -1.0
    if not (0 <= value < math.inf):
        raise ValueError("must be a number that is not negative")
    return value


def permissions(given: object) -> int:
    """Permissions of a file as a text of octal digits; a number would not show its base."""
    if not isinstance(given, str) or not re.fullmatch("0?[0-7]{3}", given):
        raise ValueError('must be a text of three octal digits, such as "0660"')
    return int(given, 8)


def url_path(given: object) -> str:
    """A path of a URL."""
    try:
        check_path("it", given)
    except (TypeError, ValueError):
        given = None
    if not isinstance(given, str):
        raise ValueError("must be a path that begins with a slash")
    return given


def admin(given: object) -> str:
    """``HOST:PORT``, or the path of a Unix socket."""
    try:
        if not isinstance(given, str):
            raise ValueError
        check_admin("it", given)
    except ValueError:
        raise ValueError(
            "must be HOST:PORT or the path of a Unix socket, such as ./admin"
        ) from None
    return given


def place(given: object) -> str:
    """``PORT``, or ``HOST:PORT``."""
    text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(text, str):
        raise ValueError("must be PORT or HOST:PORT")
    try:
        host_and_port("it", text if ":" in text else f":{text}")
    except ValueError:
        raise ValueError("must be PORT or HOST:PORT") from None
    return text


def host(given: object) -> str:
    """A name of the server: ``example.com``, ``*.example.com``."""
    if not isinstance(given, str) or not can_match(given.strip()):
        raise ValueError("must be a name without scheme and path, such as example.com")
    return given.strip()


def proxy(given: object) -> str:
    """An address or a network, ``unix`` or ``*``."""
    try:
        (checked,) = check_proxies(given)
    except (TypeError, ValueError):
        raise ValueError("must be an address, a network, unix or *") from None
    return checked


def log_format(given: object) -> str:
    """The name of a format, or a text with fields."""
    if given in ("text", "common", "combined", "json"):
        return str(given)
    if not isinstance(given, str) or "{" not in given:
        raise ValueError("must be text, common, combined, json, or have fields such as {client}")
    return given


def one_of(*names: str) -> Kind:
    """One of a few words, in any case."""

    def read(given: object) -> str:
        word = given.lower() if isinstance(given, str) else ""
        if word not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return word

    return read


def url_and_path(given: object) -> str:
    """``/url=path``."""
    url, equals, path = given.partition("=") if isinstance(given, str) else ("", "", "")
    if not url.startswith("/") or not equals or not path:
        raise ValueError("must be like /url=directory")
    return f"{url}={path}"


def many(kind: Kind) -> Kind:
    """Several values: a list, a text with commas, or for ``a=b`` a table."""

    def read(given: object) -> list[object]:
        if isinstance(given, str):
            given = [each.strip() for each in given.split(",") if each.strip()]
        if isinstance(given, Mapping):
            given = [f"{name}={value}" for name, value in given.items()]
        if not isinstance(given, (list, tuple)):
            raise ValueError("must be a list")
        return [kind(each) for each in given]

    return read
