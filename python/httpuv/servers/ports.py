"""Ports and addresses: find a free port, distinguish IPv4 from IPv6."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import random
import socket

from ..base.checks import check_int

#: Ports that web browsers refuse to connect to (WHATWG Fetch standard, section "Port blocking").
# fmt: off
UNSAFE_PORTS = frozenset([
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
])
# fmt: on


class NoFreePortError(OSError):
    """:func:`randomPort` found no free port. ``errno`` is ``EADDRINUSE``."""


def randomPort(min: int = 1024, max: int = 49151, host: str = "127.0.0.1", n: int = 20) -> int:
    """Find a TCP port that is free at this moment, among ``n`` random ones of a range.

    Ports that web browsers block are never chosen (:data:`UNSAFE_PORTS`). Another program may take
    the port before you do. ``startServer(host, 0, app)`` avoids that: it picks a free port itself.

    Args:
        min: Lowest port to try, at least 1.
        max: Highest port to try, at most 65535.
        host: The address that will be listened on; ``"0.0.0.0"`` is every IPv4 address, ``"::/0"``
            every IPv6 address.
        n: How many ports to try.

    Returns:
        A port that could be listened on.

    Raises:
        NoFreePortError: None of the ports tried was free.
        OSError: ``host`` is no address of this machine (``EADDRNOTAVAIL``) or no address at all.
        TypeError, ValueError: An argument is out of range.

    Source: manual page *randomPort*.
    """
    min = check_int("min", min, 1, 65535)
    max = check_int("max", max, 1, 65535)
    n = check_int("n", n, 1, None)
    if not isinstance(host, str):
        raise TypeError(f"host must be str, not {type(host).__name__}")
    if min > max:
        raise ValueError(f"min must not be greater than max: {min} > {max}")

    safe = [port for port in range(min, max + 1) if port not in UNSAFE_PORTS]
    tried = random.sample(safe, len(safe) if n > len(safe) else n)
    for port in tried:
        try:
            _try_to_listen(host, port)
        except OSError as error:
            # EACCES: a privileged port, or a port that the system reserves.
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
        else:
            return port
    raise NoFreePortError(
        errno.EADDRINUSE, f"no free port on {host} from {min} to {max} ({len(tried)} tried)"
    )


def _try_to_listen(host: str, port: int) -> None:
    name = "::" if host == "::/0" else host
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with contextlib.ExitStack() as stack:
        for family, kind, protocol, _, address in found:
            probe = stack.enter_context(socket.socket(family, kind, protocol))
            # As for a server: connections of an earlier server in TIME_WAIT do not matter.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)


def ipFamily(ip: str) -> int:
    """Find out whether a string is an IPv4 or an IPv6 address.

    Args:
        ip: A possible address.

    Returns:
        4, 6, or -1 if it is neither.

    Raises:
        TypeError: ``ip`` is not a string.

    Source: manual page *ipFamily*.
    """
    if not isinstance(ip, str):
        raise TypeError(f"ip must be str, not {type(ip).__name__}")
    try:
        return ipaddress.ip_address(ip).version
    except ValueError:
        return -1
