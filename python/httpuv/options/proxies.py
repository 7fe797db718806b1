"""The proxies that a server trusts to name their clients."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

#: Proxies of this machine.
THIS_MACHINE = ("127.0.0.0/8", "::1", "unix")


def check_proxies(given: object) -> list[str]:
    """The addresses, networks and words of ``forwardedAllowIps``.

    Raises:
        TypeError, ValueError: An entry is not an address, a network or a known word.
    """
    if given is None:
        return []
    entries = given.split(",") if isinstance(given, str) else given
    if not isinstance(entries, Sequence) or not all(isinstance(each, str) for each in entries):
        raise TypeError(f"forwardedAllowIps must be str, a list of str or None, not {given!r}")
    entries = [each.strip() for each in entries if each.strip()]
    for each in entries:
        if each in ("*", "unix"):
            continue
        try:
            ipaddress.ip_network(each)
        except ValueError:
            raise ValueError(
                f"forwardedAllowIps: {each!r} is no address, no network (or has bits behind its "
                "mask), nor 'unix' or '*'"
            ) from None
    return entries
