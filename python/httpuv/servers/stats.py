"""What :meth:`Server.stats` returns."""

from __future__ import annotations

from typing import TypedDict


class Held(TypedDict):
    """Bytes that a server holds now, by kind."""

    #: Header sections of requests: being read, pipelined, and with Python.
    heads: int
    #: Bodies of requests in memory.
    bodies: int
    #: Bodies of requests in memory, on their way to temporary files.
    spooling: int
    #: Bodies of requests in temporary files, until Python closes or drops them.
    spooled: int
    #: HTTP answers that wait for their turn, are being compressed, or wait for the client to read.
    answers: int
    #: What Python has sent and the I/O thread has not looked at yet.
    commands: int
    #: WebSocket messages that Python has not used.
    messages_in: int
    #: WebSocket messages that clients have not read.
    messages_out: int
    #: TLS sessions: their state, and what has come and is not decrypted.
    tls: int
    #: Records of the access log that have not been logged.
    log: int


class Stats(TypedDict):
    """Counters of one server. Each is right by itself; two need not be of the same instant."""

    #: Connections, ever.
    accepted: int
    #: Connections that are open now.
    connections: int
    #: Requests with a complete header section, ever.
    requests: int
    #: Requests answered from the static paths, ever.
    static_files: int
    #: Requests that Python has and has not answered.
    in_flight: int
    #: Requests refused, and answers dropped, because a limit of the whole server was reached, ever.
    overloaded: int
    #: Requests that were broken or over a limit of their own, ever.
    refused: int
    #: Connections that the system had no room for, ever.
    accept_failures: int
    #: Connections that a deadline has ended, ever.
    timed_out: int
    #: Connections closed while they waited for a request, because others wanted in, ever.
    evicted: int
    #: Messages to topics that had subscribers or were kept, ever.
    published: int
    #: Messages of topics not sent to a subscriber that was behind, ever.
    topic_dropped: int
    #: Subscribers of topics closed because they were behind, ever.
    topic_closed: int
    #: TLS handshakes that were completed, ever.
    tls_handshakes: int
    #: Those of them that have resumed a session.
    tls_resumed: int
    #: TLS handshakes that have failed, ever.
    tls_failures: int
    #: Bytes held in memory, of all kinds; see ``Limits.memory_bytes``.
    memory_bytes: int
    #: Bytes held in temporary files; see ``Limits.disk_bytes``.
    disk_bytes: int
    #: The same by kind.
    held: Held
    #: What the option ``metrics`` tells Prometheus, of all workers: for each name its samples, the
    #: labels and the number of each. A histogram is three names, with _bucket, _sum and _count.
    metrics: dict[str, list[tuple[dict[str, str], int | float]]]
