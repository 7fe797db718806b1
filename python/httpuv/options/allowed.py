"""The lists of allowed hosts and origins: checked, and in the form that the core compares.

An entry that no client can ever match is an error, because it would silently refuse all clients.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from ..base.checks import strings_of

#: A name as browsers send it; they write letters beyond ASCII as "xn--..." (RFC 5890).
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*\.?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_hosts(hosts: Sequence[str] | None) -> list[str]:
    """``allowedHosts`` in the form that the core compares; empty: any.

    Raises:
        TypeError: It is no list of str.
        ValueError: An entry can match no Host field, or there is none; the message names it.
    """
    result = []
    for host in _entries("allowedHosts", "names", hosts):
        if host == "*":
            return []
        if "://" in host or "/" in host:
            raise ValueError(f"allowedHosts: each must be a name without a scheme, not {host!r}")
        result.append(_authority("allowedHosts", host, host))
    return result


def can_match(host: str) -> bool:
    """Whether ``allowedHosts`` takes this entry."""
    try:
        check_hosts([host])
    except ValueError:
        return False
    return True


def check_origins(origins: Sequence[str] | None) -> list[str]:
    """``allowedOrigins`` in the form that the core compares; empty: any.

    Raises:
        TypeError: It is no list of str.
        ValueError: An entry can match no Origin field, or there is none; the message names it.
    """
    result = []
    for origin in _entries("allowedOrigins", "str", origins):
        if origin == "*":
            return []
        if origin in ("same", "null"):
            result.append(origin)
            continue
        scheme, colon, authority = origin.partition("://")
        scheme = scheme.lower()
        if not colon or not _SCHEME.fullmatch(scheme) or re.search(r"[/?#@\s]", authority):
            raise ValueError(
                "allowedOrigins: each must be '*', 'same', 'null' or like"
                f" 'https://example.com:8080', not {origin!r}"
            )
        if scheme in ("ws", "wss"):
            raise ValueError(
                f"allowedOrigins: the origin of a page is like 'http{scheme[2:]}://{authority}',"
                f" not {origin!r}"
            )
        authority = _authority("allowedOrigins", authority, origin)
        default = _DEFAULT_PORTS.get(scheme)
        result.append(f"{scheme}://{authority.removesuffix(f':{default}')}")
    return result


def _entries(argument: str, kind: str, entries: Sequence[str] | None) -> list[str]:
    if entries is None:
        return ["*"]
    strings = strings_of(entries)
    if strings is None:
        raise TypeError(f"{argument} must be a list of {kind} or None, not {entries!r}")
    if not strings:
        raise ValueError(f"{argument} must not be empty, which would allow none; None allows any")
    return strings


def _authority(argument: str, authority: str, entry: str) -> str:
    """A name or address, with a port or without, as a browser writes it."""
    name, port = _split(authority.lower())
    if port is not None and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise ValueError(f"{argument}: the port must be from 1 to 65535 in {entry!r}")
    if not name.isascii():
        raise ValueError(
            f"{argument}: {entry!r} must be in ASCII, as clients send it: {_ace(name)}"
        )
    end = "" if port is None else f":{int(port)}"
    if name.startswith("[") or name.replace(".", "").isdigit():
        return _address(argument, name, entry) + end
    if not _NAME.fullmatch(name.removeprefix("*.")) or len(name) > 255:
        raise ValueError(
            f"{argument}: no client is at {entry!r}; an entry is a name, or like '*.example.com'"
        )
    return name + end


def _split(authority: str) -> tuple[str, str | None]:
    if authority.startswith("["):
        name, bracket, rest = authority.partition("]")
        colon, port = rest[:1], rest[1:]
        return name + bracket + (
            "" if colon == ":" else colon + port
        ), port if colon == ":" else None
    if authority.count(":") > 1:
        return f"[{authority}]", None  # an IPv6 address
    name, colon, port = authority.partition(":")
    return name, port if colon else None


def _address(argument: str, name: str, entry: str) -> str:
    try:
        if name.startswith("["):
            if not name.endswith("]"):
                raise ValueError
            return f"[{ipaddress.IPv6Address(name[1:-1])}]"
        return str(ipaddress.IPv4Address(name))
    except ValueError:
        raise ValueError(f"{argument}: {entry!r} is no address of IPv4 or IPv6") from None


def _ace(name: str) -> str:
    try:
        return repr(name.encode("idna").decode())
    except UnicodeError:
        return "'xn--...'"
