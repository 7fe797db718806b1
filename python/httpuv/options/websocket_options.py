"""The options of a server that concern WebSockets, as the core takes them (RFC 6455, RFC 7692)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .allowed import check_origins

#: RFC 9110 section 5.6.2; what a subprotocol's name is (RFC 6455 section 4.1).
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_COMPRESSION = {
    True: {"deflate": True, "deflate_loopback": False},
    False: {"deflate": False, "deflate_loopback": False},
    "always": {"deflate": True, "deflate_loopback": True},
}
_OVERFLOW = ("close", "drop", "callback")


def settings(
    protocols: Sequence[str] | None,
    compression: bool | str,
    overflow: str,
    origins: Sequence[str] | None,
) -> dict[str, object]:
    """The options of ``startServer`` that concern WebSockets, as the core takes them.

    Raises:
        TypeError, ValueError: One is wrong; the message names it.
    """
    if not isinstance(compression, (bool, str)):
        raise TypeError(
            f"wsCompression must be True, False or 'always', not {type(compression).__name__}"
        )
    if compression not in _COMPRESSION:
        raise ValueError(f"wsCompression must be True, False or 'always', not {compression!r}")
    if overflow not in _OVERFLOW:
        raise ValueError(f"wsOverflow must be one of {', '.join(_OVERFLOW)}, not {overflow!r}")
    return {
        "protocols": _check_protocols(protocols),
        "allowed_origins": check_origins(origins),
        "overflow": overflow,
        **_COMPRESSION[compression],
    }


def _check_protocols(names: Sequence[str] | None) -> list[str]:
    if names is None:
        return []
    if isinstance(names, (str, bytes)) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"wsProtocols must be a list of str or None, not {names!r}")
    for name in names:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"wsProtocols: each must be a token, not {name!r}")
    return list(names)
