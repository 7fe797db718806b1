"""The options of a server for WebSockets (RFC 6455, RFC 7692)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from ..base.checks import strings_of

Compression = bool | Literal["always"]
Overflow = Literal["close", "drop", "callback"]

#: RFC 9110 section 5.6.2; what a subprotocol's name is (RFC 6455 section 4.1).
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
#: The core's settings for each value of wsCompression.
COMPRESSION: dict[bool | str, dict[str, bool]] = {
    True: {"ws_deflate": True, "ws_deflate_loopback": False},
    False: {"ws_deflate": False, "ws_deflate_loopback": False},
    "always": {"ws_deflate": True, "ws_deflate_loopback": True},
}
_OVERFLOW = ("close", "drop", "callback")


def check_compression(compression: object) -> None:
    """Raise TypeError or ValueError unless it is a value of ``wsCompression``."""
    if not isinstance(compression, (bool, str)):
        raise TypeError(
            f"wsCompression must be True, False or 'always', not {type(compression).__name__}"
        )
    if compression not in COMPRESSION:
        raise ValueError(f"wsCompression must be True, False or 'always', not {compression!r}")


def check_overflow(overflow: object) -> None:
    """Raise ValueError unless it is a value of ``wsOverflow``."""
    if overflow not in _OVERFLOW:
        raise ValueError(f"wsOverflow must be one of {', '.join(_OVERFLOW)}, not {overflow!r}")


def check_protocols(names: Sequence[str] | None) -> list[str]:
    """``wsProtocols`` as a list.

    Raises:
        TypeError: It is no list of str.
        ValueError: One is no token.
    """
    if names is None:
        return []
    strings = strings_of(names)
    if strings is None:
        raise TypeError(f"wsProtocols must be a list of str or None, not {names!r}")
    for name in strings:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"wsProtocols: each must be a token, not {name!r}")
    return strings
