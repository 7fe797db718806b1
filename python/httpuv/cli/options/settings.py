"""The options of ``httpuv run``, each described once: :class:`Settings`.

The command line, the environment (``HTTPUV_`` and the name) and the files use this description.
Limits have the names, bounds and texts of :class:`httpuv.Limits`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ...options.limits import Limits
from . import kinds
from .kinds import Kind

APPLICATION = "Application"
LISTENING = "Where it listens"
PROCESSES = "Processes and life"
HTTPS = "HTTPS"
RELOADING = "Reloading"
OBSERVING = "Health and metrics"
LOGGING = "Log"
HTTP_LIMITS = "Limits of HTTP"
HTTP_TIMES = "Timeouts of HTTP"
WS_LIMITS = "Limits of WebSockets"
GROUPS = (
    *(APPLICATION, LISTENING, HTTPS, PROCESSES, RELOADING, OBSERVING),
    *(LOGGING, HTTP_LIMITS, HTTP_TIMES, WS_LIMITS),
)


@dataclass(frozen=True)
class Option:
    """One option.

    Args:
        name: The name in files. In the environment it is ``HTTPUV_`` and the name in capitals, on
            the command line the name with hyphens.
        default: The default value.
        help: The description for ``--help``.
        group: The section of ``--help``.
        kind: The function that converts the written value.
        metavar: The name of the value in ``--help``; empty for yes or no.
        many: Whether it may be repeated.
    """

    name: str
    default: object
    help: str
    group: str
    kind: Kind
    metavar: str
    many: bool = False

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return "HTTPUV_" + self.name.upper()


def _option(default: object, group: str, kind: Kind, metavar: str, help: str) -> Any:
    about = {"group": group, "kind": kind, "metavar": metavar, "help": help}
    if isinstance(default, tuple):
        about.update(kind=kinds.many(kind), many=True)
    return field(default=default, metadata=about)


_INTERFACES = ("auto", "asgi", "asgi-factory", "wsgi", "rook")


@dataclass(frozen=True)
class Settings:
    """The settings of ``httpuv run``."""

    #: ``module:attribute``; the command's argument.
    app: str

    interface: str = _option(
        *("auto", APPLICATION, kinds.one_of(*_INTERFACES), "NAME"),
        "What the application speaks: auto (by its signature), asgi, asgi-factory, wsgi or rook.",
    )
    app_dir: str = _option(
        *(".", APPLICATION, kinds.text, "DIR"), "Where modules are looked for first."
    )
    env_file: str | None = _option(
        *(None, APPLICATION, kinds.text, "FILE"),
        "Lines NAME=VALUE for the environment; variables that are set already stay as they are.",
    )
    root_path: str = _option(
        *("", APPLICATION, kinds.any_text, "PATH"),
        "The prefix of paths that a proxy in front removes.",
    )
    lifespan: str = _option(
        *("auto", APPLICATION, kinds.one_of("auto", "on", "off"), "MODE"),
        "ASGI: whether the application is told of start and stop: auto, on or off.",
    )
    threads: int = _option(
        *(1, APPLICATION, kinds.whole(1, 10_000), "N"),
        "WSGI and Rook: how many requests a process answers at once.",
    )
    wsgi_input: str = _option(
        *("collect", APPLICATION, kinds.one_of("collect", "stream"), "HOW"),
        "WSGI: collect bodies before the application is called, or stream them to its threads.",
    )
    static: Sequence[str] = _option(
        *((), APPLICATION, kinds.url_and_path, "/URL=DIR"),
        "Serve a directory below a path, without Python; may be repeated.",
    )

    host: str = _option(
        *("127.0.0.1", LISTENING, kinds.address, "ADDRESS"),
        "Address to listen on; 0.0.0.0 for all of IPv4, :: for all.",
    )
    port: int = _option(
        *(8000, LISTENING, kinds.whole(0, 65535), "N"), "Port to listen on; 0 for a free one."
    )
    uds: str | None = _option(
        *(None, LISTENING, kinds.text, "PATH"), "Listen on a Unix socket instead."
    )
    uds_mode: int | None = _option(
        *(None, LISTENING, kinds.permissions, "MODE"),
        "Its permissions, like 0660. [umask]",
    )
    fd: int | None = _option(
        *(None, LISTENING, kinds.whole(0), "N"),
        "Accept from a listening socket that is open already; systemd's is found without.",
    )
    backlog: int = _option(
        *(4096, LISTENING, kinds.whole(1, 2**31 - 1), "N"),
        "Connections that may wait in the kernel to be accepted.",
    )
    allowed_host: Sequence[str] = _option(
        *((), LISTENING, kinds.host, "NAME"),
        "Answer only requests for this host, *.example.com for names below; may be repeated.",
    )
    proxy_headers: bool = _option(
        *(False, LISTENING, kinds.flag, ""),
        "Trust X-Forwarded-* and Forwarded from proxies on this machine.",
    )
    forwarded_allow_ips: Sequence[str] = _option(
        *((), LISTENING, kinds.proxy, "ADDRESS"),
        "Trust these proxies instead: addresses, networks, unix or *; may be repeated.",
    )
    proxy_protocol: bool = _option(
        *(False, LISTENING, kinds.flag, ""),
        "Connections begin with the PROXY protocol, version 1 or 2.",
    )

    tls_cert: str | None = _option(
        *(None, HTTPS, kinds.text, "FILE"),
        "Certificate (PEM), its issuers behind it; read again when it changes, and on SIGHUP.",
    )
    tls_key: str | None = _option(
        *(None, HTTPS, kinds.text, "FILE"), "Its private key (PEM). [--tls-cert]"
    )
    tls_key_password: str | None = _option(
        *(None, HTTPS, kinds.text, "TEXT"),
        "The password of the key; other users do not see it in HTTPUV_TLS_KEY_PASSWORD.",
    )
    tls_ca: str | None = _option(
        *(None, HTTPS, kinds.text, "FILE"), "Issuers of the certificates that clients show (PEM)."
    )
    tls_verify: str | None = _option(
        *(None, HTTPS, kinds.one_of("none", "optional", "required"), "MODE"),
        "Whether clients show one: none, optional or required. [required with --tls-ca]",
    )
    tls_min_version: str = _option(
        *("1.2", HTTPS, kinds.one_of("1.2", "1.3"), "VERSION"), "Oldest TLS: 1.2 or 1.3."
    )
    tls_ciphers: str | None = _option(
        *(None, HTTPS, kinds.text, "LIST"), "Ciphers, as OpenSSL's ciphers(1) names them."
    )
    redirect_http: str | None = _option(
        *(None, HTTPS, kinds.place, "[HOST:]PORT"),
        "Listen there for plain HTTP too, and send clients to HTTPS.",
    )
    redirect_port: int | None = _option(
        *(None, HTTPS, kinds.whole(1, 65535), "N"),
        "The port that they are sent to, where clients see another one. [--port]",
    )

    workers: int = _option(
        *(1, PROCESSES, kinds.whole(1, 1000), "N"),
        "Processes that serve. SIGHUP replaces them, SIGTTIN and SIGTTOU add and remove one.",
    )
    io_threads: int = _option(
        *(1, PROCESSES, kinds.whole(1, 256), "N"),
        "Threads of each process that do the network: files, WebSockets, compression.",
    )
    graceful_timeout: float = _option(
        *(10.0, PROCESSES, kinds.number, "SECONDS"),
        "How long answers under way have after SIGTERM or Ctrl-C.",
    )

    max_requests: int = _option(
        *(0, PROCESSES, kinds.whole(0), "N"),
        "Replace a worker after this many requests; 0: never.",
    )
    max_requests_jitter: int = _option(
        *(0, PROCESSES, kinds.whole(0), "N"),
        "Up to this many more, at random, so that workers are not replaced together.",
    )
    stuck_timeout: float = _option(
        *(60.0, PROCESSES, kinds.number, "SECONDS"),
        "Report a worker with Python stuck for this long; 0: do not.",
    )
    stuck_replace: bool = _option(
        *(False, PROCESSES, kinds.flag, ""), "Kill such a worker, and start another."
    )

    health: str | None = _option(
        *(None, OBSERVING, kinds.url_path, "/PATH"),
        "Answer this path with 200 as long as the process lives; no Python needed.",
    )
    ready: str | None = _option(
        *(None, OBSERVING, kinds.url_path, "/PATH"),
        "Answer this path with 200, or 503 when stopping or behind with requests.",
    )
    ready_max_wait: float = _option(
        *(10.0, OBSERVING, kinds.number, "SECONDS"),
        "How long a request may wait for Python before that is 503.",
    )
    metrics: str | None = _option(
        *(None, OBSERVING, kinds.url_path, "/PATH"),
        "Answer this path with metrics for Prometheus, of all workers together.",
    )
    admin: str | int | None = _option(
        *(None, OBSERVING, kinds.admin, "HOST:PORT"),
        "Listen there, or on the path of a Unix socket, for /livez, /readyz and /metrics.",
    )

    reload: bool = _option(
        *(False, RELOADING, kinds.flag, ""), "Replace the workers when sources change."
    )
    reload_dir: Sequence[str] = _option(
        *((), RELOADING, kinds.text, "DIR"), "Where sources are; may be repeated. [--app-dir]"
    )
    reload_include: Sequence[str] = _option(
        *((), RELOADING, kinds.text, "PATTERN"),
        "Names of files that count; may be repeated. [*.py]",
    )

    log_level: str = _option(
        *("warn", LOGGING, kinds.one_of("off", "error", "warn", "info", "debug"), "LEVEL"),
        "What is logged: off, error, warn, info or debug.",
    )
    access_log: bool = _option(
        *(False, LOGGING, kinds.flag, ""), "Log each answer, on standard error or in a file."
    )
    log_format: str = _option(
        *("text", LOGGING, kinds.log_format, "FORMAT"),
        'Of these lines: text, common, combined, json, or like "{client} {request} {status}".',
    )
    access_log_file: str | None = _option(
        *(None, LOGGING, kinds.text, "PATH"),
        "Where they go; opened again when the file was moved away.",
    )

    #: The given limits, by the names of :class:`Limits`.
    limits: dict[str, float] = field(default_factory=dict)
    #: What workers share, of :mod:`httpuv.cli.shared.tickets`; empty: a process has its own.
    ticket_keys: str = ""

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.metadata.get("many"):  # JSON and the sources have lists, not tuples
                object.__setattr__(self, each.name, tuple(getattr(self, each.name)))

    def as_dict(self) -> dict[str, object]:
        """All settings as JSON values; ``Settings(**values)`` creates an equal object."""
        return asdict(self)


def _first_sentence(text: str) -> str:
    """The first sentence of a description in reStructuredText, as plain text."""
    return re.sub(r"[`]|:\w+:", "", re.split(r"(?<=\.) [A-Z]", text)[0])


def _limit_options() -> list[Option]:
    options = []
    for each in fields(Limits):
        seconds = isinstance(each.default, float)
        group = HTTP_TIMES if seconds else HTTP_LIMITS
        options.append(
            Option(
                each.name,
                each.default,
                _first_sentence(each.metadata["text"]),
                WS_LIMITS if each.name.startswith("ws_") else group,
                kinds.number if seconds else kinds.whole(0, 2**62),
                "SECONDS" if seconds else "BYTES" if each.name.endswith("_bytes") else "N",
            )
        )
    return options


def _own_options() -> list[Option]:
    options = []
    for each in fields(Settings):
        if each.metadata:
            options.append(Option(each.name, each.default, **each.metadata))
    return options


#: Every option, in the order of ``--help``.
OPTIONS: tuple[Option, ...] = (*_own_options(), *_limit_options())
LIMITS = frozenset(each.name for each in fields(Limits))
