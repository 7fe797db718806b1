"""Where other machines of the network find this one."""

from __future__ import annotations

import contextlib
import socket


def lan_url(host: str, port: int, scheme: str = "http") -> str | None:
    """The URL of a server for other machines; None where it listens on this machine only."""
    address: str | None = host
    if host in ("0.0.0.0", "::"):
        address = lan_address()
    elif host in ("localhost", "::1") or host.startswith("127."):
        address = None
    if address is None:
        return None
    return f"{scheme}://{f'[{address}]' if ':' in address else address}:{port}/"


def lan_address() -> str | None:
    """The IPv4 address that other machines of the network reach this one by; None if there is none.

    Nothing is sent: a connected UDP socket only chooses its own address.
    """
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
    ):
        probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737
        address: str = probe.getsockname()[0]
        return None if address.startswith("127.") or address == "0.0.0.0" else address
    return None
