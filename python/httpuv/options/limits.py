"""The limits of a server: what a client may use, and the answer beyond each limit.

Each field of :class:`Limits` has its default, its bounds and its text. The checks, the command line
and the documentation are generated from it. ``server::Limits``, in the core, has no default.
"""

from __future__ import annotations

import dataclasses
from dataclasses import asdict, dataclass
from typing import Any

from ..base.checks import check_int, check_seconds
from ..base.names import checked_class


def _limit(default: float | None, text: str, *, zero: bool = False) -> Any:
    """A field of :class:`Limits`: float for seconds, int for bytes and numbers.

    Args:
        default: The default value; None: the server determines it as the text says.
        text: The bounded quantity, its unit, and what happens beyond the limit.
        zero: Whether 0 is allowed.
    """
    return dataclasses.field(default=default, metadata={"text": text, "zero": zero})


@checked_class
@dataclass(frozen=True)
class Limits:
    """Limits of one server; give it as ``startServer(..., limits=Limits(...))``.

    The I/O thread enforces all of them, whatever Python is doing. Every default is finite and
    suits a server on the internet.

    Raises:
        TypeError, ValueError: A limit is no number or out of range; the message names it.
    """

    max_head_bytes: int = _limit(
        96 * 1024,
        "Bytes of request line and header section together. Beyond: 431 (414 if the request target "
        "alone is longer).",
    )
    max_header_count: int = _limit(128, "Number of header fields of a request. Beyond: 431.")
    max_body_bytes: int = _limit(
        1024 * 1024 * 1024,
        "Bytes of a request body, without chunk framing. Beyond: 413.",
        zero=True,
    )
    body_memory_bytes: int = _limit(
        64 * 1024,
        "Bytes of a request body kept in memory; a longer one is spooled to an unlinked file in "
        "``$TMPDIR``, or /tmp.",
        zero=True,
    )

    tls_handshake_timeout: float = _limit(
        10.0, "Seconds from a connection to the end of its TLS handshake. Beyond: closed."
    )
    header_timeout: float = _limit(
        20.0,
        "Seconds from the first byte of a request to the end of its header section. Beyond: 408.",
    )
    body_timeout: float = _limit(
        30.0, "Seconds without a byte of a request body that is due. Beyond: 408."
    )
    idle_timeout: float = _limit(
        75.0, "Seconds without a request on a kept-alive connection. Beyond: closed."
    )
    write_timeout: float = _limit(
        60.0, "Seconds without the client taking a byte of an answer. Beyond: closed."
    )
    linger_timeout: float = _limit(
        5.0,
        "Seconds without a byte from a client that is still sending a request that was refused. "
        "Beyond: closed.",
    )

    max_connections: int = _limit(
        10_000, "Open connections. Further ones wait in the kernel's queue."
    )
    max_pipelined: int = _limit(
        64,
        "Requests of one connection under way at once (HTTP/1.1 pipelining). Beyond: not read yet.",
    )

    queue_requests: int = _limit(
        10_000, "Requests handed to Python and not answered. Beyond: 503 with Retry-After."
    )
    queue_bytes: int = _limit(
        8 * 1024 * 1024 * 1024,
        "Bytes of all request bodies in memory and in files together, on their way or with Python. "
        "Beyond: 413 if a body can never fit, else 503 with Retry-After.",
        zero=True,
    )
    memory_bytes: int = _limit(
        512 * 1024 * 1024,
        "Bytes in memory for all clients and the application together: requests, answers that "
        "clients have not read, WebSocket messages either way. Beyond: 413 if a body can never "
        "fit, 503 with Retry-After, also instead of an answer, or the client is not read; for "
        "messages see ``wsOverflow``. ``Server.stats()`` shows what is held.",
    )
    disk_bytes: int | None = _limit(
        None,
        "Bytes of all request bodies in temporary files. None: half of what is free in ``$TMPDIR`` "
        "when the server starts, at most 8 GiB. Beyond: as ``memory_bytes``.",
        zero=True,
    )

    ws_max_message_bytes: int = _limit(
        16 * 1024 * 1024,
        "Bytes of a WebSocket message, after decompression. Beyond: closed with 1009.",
    )
    ws_queue_bytes: int = _limit(
        16 * 1024 * 1024,
        "Bytes of messages that wait for a WebSocket client to read. Beyond: see ``wsOverflow`` of "
        ":func:`httpuv.startServer`. One message of any size may wait if it waits alone.",
    )
    ws_unread_bytes: int = _limit(
        1024 * 1024,
        "Bytes of a WebSocket client's messages that wait for Python. Beyond: not read yet.",
    )
    ws_accept_timeout: float = _limit(
        30.0, "Seconds that the application may take to accept or refuse a WebSocket. Beyond: 503."
    )
    ws_ping_interval: float = _limit(
        20.0,
        "Seconds of a WebSocket client's silence until it is sent a ping; 0: no pings.",
        zero=True,
    )
    ws_pong_timeout: float = _limit(40.0, "Seconds of its silence after that. Beyond: closed.")
    ws_close_timeout: float = _limit(
        5.0, "Seconds without a WebSocket client's answer to being closed. Beyond: cut off."
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, zero = getattr(self, field.name), field.metadata["zero"]
            if isinstance(field.default, float):
                checked: float = check_seconds(field.name, value, zero=zero)
            elif value is None and field.default is None:
                continue
            else:
                highest = 2**62 if field.name.endswith("_bytes") else 2**31 - 1
                checked = check_int(field.name, value, 0 if zero else 1, highest)
            object.__setattr__(self, field.name, checked)

    def as_dict(self) -> dict[str, float | int | None]:
        """The limits by name, as the core takes them."""
        return asdict(self)
