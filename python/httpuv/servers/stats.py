"""The result of :meth:`Server.stats`."""

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
    #: Commands of Python that the I/O thread has not processed.
    commands: int
    #: WebSocket messages that wait for Python.
    messages_in: int
    #: WebSocket messages that clients have not read.
    messages_out: int
    #: TLS sessions: their state, and bytes that are not decrypted yet.
    tls: int
    #: Records of the access log that have not been logged.
    log: int


class Stats(TypedDict):
    """Counters of one server. Two counters may be of slightly different times."""

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
    #: Requests that were malformed or over a limit of one request, ever.
    refused: int
    #: Connections that could not be accepted, ever.
    accept_failures: int
    #: Connections that a deadline has ended, ever.
    timed_out: int
    #: Idle connections that were closed to accept new ones, ever.
    evicted: int
    #: Messages to topics that had subscribers or were kept, ever.
    published: int
    #: Messages of topics that were not sent to slow subscribers, ever.
    topic_dropped: int
    #: Slow subscribers of topics that were closed, ever.
    topic_closed: int
    #: TLS handshakes that were completed, ever.
    tls_handshakes: int
    #: Completed TLS handshakes that resumed a session, ever.
    tls_resumed: int
    #: TLS handshakes that have failed, ever.
    tls_failures: int
    #: Answers that are not in the access log, because what writes it was too slow, ever.
    log_dropped: int
    #: Bytes held in memory, of all kinds; see ``Limits.memory_bytes``.
    memory_bytes: int
    #: Bytes held in temporary files; see ``Limits.disk_bytes``.
    disk_bytes: int
    #: The same by kind.
    held: Held
    #: What the option ``metrics`` tells Prometheus, of all workers: for each name its samples, the
    #: labels and the number of each. A histogram is three names, with _bucket, _sum and _count.
    metrics: dict[str, list[tuple[dict[str, str], int | float]]]
