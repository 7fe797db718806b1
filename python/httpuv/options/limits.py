"""What a server grants a client: every limit, and the answer that crossing it gets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from ..base.checks import check_int, check_seconds


@dataclass(frozen=True)
class Limits:
    """Limits of one server; give it as ``startServer(..., limits=Limits(...))``.

    All are enforced by the I/O thread, whatever Python is doing. Every default is finite and meant
    for a server that faces the internet.

    Raises:
        TypeError, ValueError: A limit is no number or out of range; the message names it.
    """

    #: Bytes of request line and header section together. Beyond: 431 (414 if the request target
    #: alone is longer).
    max_head_bytes: int = 96 * 1024
    #: Number of header fields of a request. Beyond: 431.
    max_header_count: int = 128
    #: Bytes of a request body, without chunk framing. Beyond: 413.
    max_body_bytes: int = 1024 * 1024 * 1024
    #: Bytes of a request body kept in memory; a longer one is spooled to an
    #: unlinked file in ``$TMPDIR``, or /tmp.
    body_memory_bytes: int = 64 * 1024

    #: Seconds from the first byte of a request to the end of its header section. Beyond: 408.
    header_timeout: float = 20.0
    #: Seconds without a byte of a request body that is due. Beyond: 408.
    body_timeout: float = 30.0
    #: Seconds without a request on a kept-alive connection. Beyond: closed.
    idle_timeout: float = 75.0
    #: Seconds without the client taking a byte of an answer. Beyond: closed.
    write_timeout: float = 60.0
    #: Seconds without a byte from a client whose request was refused and who is still sending.
    #: Beyond: closed.
    linger_timeout: float = 5.0

    #: Open connections. Further ones wait in the kernel's queue.
    max_connections: int = 10_000
    #: Requests of one connection under way at once (HTTP/1.1 pipelining). Beyond: not read yet.
    max_pipelined: int = 64

    #: Requests handed to Python and not answered. Beyond: 503 with Retry-After.
    queue_requests: int = 10_000
    #: Bytes of their bodies. Beyond: 503 with Retry-After.
    queue_bytes: int = 256 * 1024 * 1024

    #: Bytes of a WebSocket message, after decompression. Beyond: closed with 1009.
    ws_max_message_bytes: int = 16 * 1024 * 1024
    #: Bytes of messages that wait for a WebSocket client to read. Beyond: see ``wsOverflow`` of
    #: :func:`httpuv.startServer`. One message of any size may wait if it waits alone.
    ws_queue_bytes: int = 16 * 1024 * 1024
    #: Bytes of a WebSocket client's messages that wait for Python. Beyond: not read yet.
    ws_unread_bytes: int = 1024 * 1024
    #: Seconds that the application may take to accept or refuse a WebSocket. Beyond: 503.
    ws_accept_timeout: float = 30.0
    #: Seconds of a WebSocket client's silence until it is sent a ping; 0: no pings.
    ws_ping_interval: float = 20.0
    #: Seconds of its silence after that. Beyond: closed.
    ws_pong_timeout: float = 40.0
    #: Seconds without a WebSocket client's answer to being closed. Beyond: cut off.
    ws_close_timeout: float = 5.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, float):
                zero = field.name == "ws_ping_interval"
                checked: float = check_seconds(field.name, value, zero=zero)
            else:
                highest = 2**62 if field.name.endswith("_bytes") else 2**31 - 1
                checked = check_int(field.name, value, _LOWEST.get(field.name, 1), highest)
            object.__setattr__(self, field.name, checked)

    def as_dict(self) -> dict[str, float | int]:
        """The limits by name, as the core takes them."""
        return asdict(self)


#: 0 makes sense here: no bodies at all, every body in a file.
_LOWEST = {"max_body_bytes": 0, "body_memory_bytes": 0, "queue_bytes": 0}
