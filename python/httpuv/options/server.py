"""The options of a server: the one place that says what there is.

Each key of :class:`Options` has its type, and an :class:`Option` with its default, its check and
its text. :func:`httpuv.startServer` and its like, what ``help()`` shows of them, the messages for
wrong names and the documentation are made of it. Limits are described in
:mod:`httpuv.options.limits`, static paths in :mod:`httpuv.options.static_options`.
"""

# Annotations are objects here: they are read when this module is imported.

import difflib
import inspect
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Annotated, Any, Literal, TypedDict, TypeVar, cast

from ..base.checks import check_int, check_seconds
from ..brokers.protocol import Broker
from ..dispatch.base import Dispatcher
from . import observe
from .allowed import check_hosts, check_origins
from .limits import Limits
from .mime import mime_table
from .observe import check_admin, check_path
from .proxies import check_proxies
from .tls import TLS, certificates, check_tls
from .topic_options import Topic, check_topics
from .websocket_options import (
    COMPRESSION,
    Compression,
    Overflow,
    check_compression,
    check_overflow,
    check_protocols,
)

_BROKER = ("start", "publish", "subscribe", "unsubscribe", "history", "health", "close")
_Function = TypeVar("_Function", bound=Callable[..., object])


def _unchecked(name: str, value: object) -> None:
    """The part that uses the option checks it."""


@dataclass(frozen=True)
class Option:
    """What is known of an option besides its name and type.

    Args:
        default: Its value where none is given.
        text: What it does, as reStructuredText.
        check: Raises TypeError or ValueError, with the name in the message, for a wrong value.
    """

    default: object
    text: str
    check: Callable[[str, Any], object] = _unchecked


def _check_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be bool, not {type(value).__name__}")


def _check_access_log(name: str, value: object) -> None:
    if not isinstance(value, (bool, str)):
        raise TypeError(f"{name} must be bool or str, not {type(value).__name__}")


def _check_file(name: str, value: object) -> None:
    if value is not None and not isinstance(value, (str, PathLike)):
        raise TypeError(f"{name} must be a path or None, not {type(value).__name__}")


def _check_limits(name: str, value: object) -> None:
    if not isinstance(value, (Limits, type(None))):
        raise TypeError(f"{name} must be Limits or None, not {type(value).__name__}")


def _check_timeout(name: str, value: object) -> None:
    if value is not None:
        check_seconds(name, value)


def _check_fd(name: str, value: object) -> None:
    if value is not None:
        check_int(name, value, 0, 2**31 - 1)


def _check_coroutines(name: str, value: object) -> None:
    if value not in ("callbacks", "thread"):
        raise ValueError(f"{name} must be 'callbacks' or 'thread', not {value!r}")


def _check_broker(name: str, value: object) -> None:
    missing = [each for each in _BROKER if not callable(getattr(value, each, None))]
    if value is not None and missing:
        raise TypeError(f"{name} must be a Broker or None; {value!r} has no {missing[0]}()")


class RunOptions(TypedDict, total=False):
    """What every way to start a server takes by keyword."""

    limits: Annotated[
        Limits | None,
        Option(None, "Bounds on sizes, times and numbers. None: the defaults.", _check_limits),
    ]
    tls: Annotated[
        TLS | Mapping[str, TLS] | None,
        Option(
            None,
            """HTTPS and WSS instead of HTTP: a :class:`TLS`, or a dict from the names of hosts
            (``"*.example.com"`` for all one label below, ``"*"`` for all others; else the first is
            for those). None: plain HTTP. Plain HTTP that comes to such a port is answered with 400.
            """,
            check_tls,
        ),
    ]
    mimeTypes: Annotated[
        Mapping[str, str] | None,
        Option(
            None,
            "Media types by file extension, in addition to a built-in table or instead of it.",
            lambda name, value: mime_table(value),
        ),
    ]
    allowedHosts: Annotated[
        Sequence[str] | None,
        Option(
            None,
            """Names that the Host field may have; others get 403. None or ``["*"]``: any. Protects
            a server on the loopback address from web pages whose own name resolves to it.
            ``"*.example.com"`` allows every name below example.com (not that one itself),
            ``"localhost:8080"`` a name with that port only. IP addresses need not be named: a page
            cannot make those resolve to another address.""",
            lambda name, value: check_hosts(value),
        ),
    ]
    allowedOrigins: Annotated[
        Sequence[str] | None,
        Option(
            None,
            """Web pages that may open WebSockets here, by their origins, such as
            ``"https://example.com"`` or ``"https://*.example.com"``, or ``"same"`` for those from
            the very host that they connect to; others get 403. None or ``["*"]``: any. A port that
            is the scheme's own may be left out. Browsers let every page connect to any host.
            Where cookies or the network decide what a client may do, set this option, too. Clients
            that are no browsers send no origin and are let in.""",
            lambda name, value: check_origins(value),
        ),
    ]
    wsProtocols: Annotated[
        Sequence[str] | None,
        Option(
            None,
            """The WebSocket subprotocols that the application speaks. The first of a client's list
            that is among them becomes ``ws.protocol``.""",
            lambda name, value: check_protocols(value),
        ),
    ]
    wsCompression: Annotated[
        Compression,
        Option(
            True,
            """Whether WebSocket messages are compressed (RFC 7692) where the client can. True:
            unless it is on this machine, where bytes cost nothing; ``"always"``: there, too.""",
            lambda name, value: check_compression(value),
        ),
    ]
    wsOverflow: Annotated[
        Overflow,
        Option(
            "close",
            """What becomes of a message for a WebSocket client that does not read, when
            ``limits.ws_queue_bytes`` wait for it: ``"close"`` closes the connection with 1013,
            ``"drop"`` drops the message, ``"callback"`` drops it and calls ``ws.onDropped``.""",
            lambda name, value: check_overflow(value),
        ),
    ]
    callTimeout: Annotated[
        float | None,
        Option(
            None,
            """Seconds that an awaited answer may take from the return of ``call`` until it begins;
            beyond, it is cancelled and the client gets 503. None: any time.
            ``req["httpuv.timeout"]`` replaces it for one request, where ``call`` sets it before it
            returns, or before its first ``await``.""",
            _check_timeout,
        ),
    ]
    gzip: Annotated[
        bool,
        Option(
            True,
            """Whether the answers of ``call`` are compressed for clients that accept it: text,
            JSON and their like, streams too, of 1 KiB or of unknown length; not files, parts (206),
            streams of events, nor what has a Content-Encoding, ``Cache-Control: no-transform`` or a
            digest. The I/O thread and its pool do it. Such answers say ``Vary: Accept-Encoding``,
            and a strong ETag becomes a weak one. An answer with ``Content-Encoding: identity``
            leaves as it is, without that field; the right choice where TLS is in front and a
            secret stands beside what the client chose (the BREACH attack).""",
            _check_bool,
        ),
    ]
    accessLog: Annotated[
        bool | str,
        Option(
            False,
            """Whether each answer, static ones too, is logged with its client, request, status,
            bytes of body and time. True: by ``logging.getLogger("httpuv.access")`` at level INFO;
            where logging is not set up, to standard error. The records have these as attributes,
            too: ``client``, ``clientPort``, ``request`` (its first line), ``method``, ``target``,
            ``status`` (0: the connection ended before), ``size``, ``seconds``, ``referer``,
            ``userAgent``, ``requestId``, ``traceId``; what could end a line or its quotes is
            escaped in all of them. Bytes and time are those of the answer as it was handed to the
            system; a client may still have left in the middle of it. It is logged where the
            callbacks run, so handlers that are slow hold up callbacks. What waits to be logged is
            bounded by 8 MiB, beyond which answers are only counted. ``"text"``, ``"common"``,
            ``"combined"``, ``"json"``, or a text with fields such as ``"{client} {request}
            {status}"``: written without Python, by a thread that holds nothing up, to
            ``accessLogFile``. The fields are ``time``, ``clf_time``, ``client``, ``port``,
            ``request``, ``method``, ``target``, ``protocol``, ``status``, ``size``, ``seconds``,
            ``milliseconds``, ``host``, ``scheme``, ``referer``, ``user_agent``, ``request_id``,
            ``trace_id`` (of a traceparent) and ``kind`` (what made the answer).""",
            _check_access_log,
        ),
    ]
    accessLogFile: Annotated[
        str | PathLike[str] | None,
        Option(
            None,
            """The file that ``accessLog`` with a format is written to; it is opened again when its
            name leads to another one, as after logrotate(8). None: standard error.""",
            _check_file,
        ),
    ]
    requestIds: Annotated[
        bool,
        Option(
            False,
            """Whether each request has an X-Request-ID for the application and the log: that of a
            proxy among ``forwardedAllowIps``, else a new one, also in place of what the client has
            sent. A log with ``request_id`` or ``"json"`` asks for it by itself.""",
            _check_bool,
        ),
    ]
    ioThreads: Annotated[
        int,
        Option(
            1,
            """Threads that do the network, 1 to 256, each with its own loop and connections: static
            files, WebSockets, compression and ``publish()`` use so many processors. A new
            connection goes to the thread with the fewest. Callbacks still run where ``dispatch``
            says.""",
            lambda name, value: check_int(name, value, 1, 256),
        ),
    ]
    backlog: Annotated[
        int,
        Option(
            4096,
            """Connections that may wait in the kernel to be accepted; it clamps the number (Linux:
            ``net.core.somaxconn``).""",
            lambda name, value: check_int(name, value, 1, 2**31 - 1),
        ),
    ]
    forwardedAllowIps: Annotated[
        str | Sequence[str] | None,
        Option(
            None,
            """Proxies that are believed about their clients: addresses, networks such as
            ``"10.0.0.0/8"``, ``"unix"`` for those on Unix sockets, ``"*"`` for any; several as a
            list, or with commas. From X-Forwarded-For, -Proto, -Host and -Port, or else from
            Forwarded (RFC 7239), come REMOTE_ADDR, the scheme, Host and the address in the log. Of
            a chain of proxies the nearest client that is not among these counts. None: none is
            believed.""",
            lambda name, value: check_proxies(value),
        ),
    ]
    proxyProtocol: Annotated[
        bool,
        Option(
            False,
            """Whether every connection begins with the PROXY protocol (version 1 or 2), in which a
            proxy such as HAProxy names the client. Connections without it are closed, and those
            from others than ``forwardedAllowIps`` where there are some.""",
            _check_bool,
        ),
    ]
    health: Annotated[
        str | None,
        Option(
            None,
            """A path, such as ``"/livez"``, that the server answers by itself with 200, whatever
            Python is doing: whether the process lives. Every Host is allowed. None: no such
            path.""",
            check_path,
        ),
    ]
    ready: Annotated[
        str | None,
        Option(
            None,
            """A path, such as ``"/readyz"``, that the server answers by itself: 200, or 503 when it
            is stopping or a request has waited for Python for more than ``readyMaxWait``. Every
            Host is allowed.""",
            check_path,
        ),
    ]
    readyMaxWait: Annotated[
        float,
        Option(
            10.0,
            "Seconds that a request may wait for Python before ``ready`` says 503.",
            check_seconds,
        ),
    ]
    metrics: Annotated[
        str | None,
        Option(
            None,
            """A path, such as ``"/metrics"``, that the server answers by itself with its metrics,
            in the text format of Prometheus. Those of all workers of ``httpuv run`` add up.""",
            check_path,
        ),
    ]
    admin: Annotated[
        str | int | None,
        Option(
            None,
            """A listener of its own for these three, under their paths or else ``/livez``,
            ``/readyz`` and ``/metrics``; it answers nothing else. ``"HOST:PORT"``, the path of a
            Unix socket (with a slash in it), or the descriptor of a listening socket, which is
            adopted.""",
            check_admin,
        ),
    ]
    mounts: Annotated[
        Mapping[str, object] | None,
        Option(
            None,
            """Applications below paths, a dict from URL paths to applications of any interface or
            :class:`Mount` objects: ``{"/api": asgi_app, "/old": wsgi_app}``. The longest path wins;
            static paths come before. One that is Rook's may have ``call`` and ``onWSOpen``.""",
        ),
    ]
    topics: Annotated[
        Mapping[str, Topic] | None,
        Option(
            None,
            """What is kept of topics, a dict from names or patterns to :class:`Topic`: ``{"news":
            httpuv.Topic(history=200), "chat/*": httpuv.Topic()}``. ``*`` stands for any characters;
            the longest pattern wins, the topic's own name before all. Of a topic that none is for,
            nothing is kept.""",
            lambda name, value: check_topics(value),
        ),
    ]
    broker: Annotated[
        Broker | None,
        Option(
            None,
            """What shares topics with other servers: a :class:`httpuv.brokers.Redis`, a
            :class:`httpuv.brokers.Memory`, or another :class:`httpuv.Broker`. None: the topics are
            this server's.""",
            _check_broker,
        ),
    ]
    coroutines: Annotated[
        Literal["callbacks", "thread"],
        Option(
            "callbacks",
            """Where coroutines run if no asyncio loop runs the callbacks. ``"callbacks"``: on
            the thread that runs the callbacks, in an asyncio loop that it owns (uvloop's where that
            is installed), while it serves. ``"thread"``: on a thread of their own, which callbacks
            that block do not hold up; each answer costs two switches of threads more.""",
            _check_coroutines,
        ),
    ]
    replace: Annotated[
        bool,
        Option(
            False,
            """Whether a server of this process that has the address is stopped. The new one takes
            over its socket, so that no client is refused; answers under way have 3 s. Where only
            the port, or the path of the Unix socket, is the same - not the host, or the mask -, the
            other one is stopped first.""",
            _check_bool,
        ),
    ]


class Options(RunOptions, total=False):
    """The same where the callbacks may run anywhere."""

    dispatch: Annotated[
        Literal["auto", "service", "asyncio", "thread", "prompt", "qt", "tk"] | int | Dispatcher,
        Option(
            "auto",
            """Where the callbacks run. ``"service"``: in :func:`service` and its like, where they
            are called. ``"asyncio"``: in the loop that is running here. ``"thread"``: in a thread
            of the server's own. A number: in so many threads of its own, for callbacks that block;
            those of one connection run in order and one at a time. ``"prompt"``: in the idle time
            of Python's prompt or IPython's, and in ``service()``. ``"qt"``: in the loop of the
            QApplication that there is, PySide6's or PyQt6's; ``"tk"``: in that of tkinter's root
            window; where an asyncio loop runs on that thread, such as qasync's, it runs coroutines.
            ``"auto"``: in an asyncio loop if one is running here (so in notebooks), at a prompt as
            ``"prompt"``, otherwise as ``"service"``. Or a :class:`Dispatcher`.""",
        ),
    ]


class TcpOptions(TypedDict, total=False):
    """What only servers on a TCP port take."""

    reusePort: Annotated[
        bool,
        Option(
            False,
            """Whether other processes of the same user that say so, too, may listen on the same
            port (SO_REUSEPORT): the kernel spreads the connections over them.""",
            _check_bool,
        ),
    ]
    fd: Annotated[
        int | None,
        Option(
            None,
            """A descriptor of a socket that listens already, inherited from systemd or a parent:
            the server takes it over, and ``host`` and ``port`` are not bound. None: they are.""",
            _check_fd,
        ),
    ]


class WebOptions(Options, TcpOptions, total=False):
    """What :func:`startServer` takes by keyword."""


class RunWebOptions(RunOptions, TcpOptions, total=False):
    """What :func:`runServer` takes by keyword."""


#: What is known of each option, by name.
DESCRIPTIONS: dict[str, Option] = {
    name: hint.__metadata__[0] for name, hint in WebOptions.__annotations__.items()
}
DEFAULTS: dict[str, Any] = {name: each.default for name, each in DESCRIPTIONS.items()}


def check_names(given: Mapping[str, object], known: Iterable[str]) -> None:
    """Raise TypeError if a name is not among those that are known."""
    names = list(known)
    for name in given:
        if name not in names:
            close = difflib.get_close_matches(name, names, 1, 0.5)
            meant = f"; did you mean {close[0]!r}?" if close else ""
            raise TypeError(f"unexpected keyword argument {name!r}{meant}")


def complete(given: Mapping[str, object]) -> WebOptions:
    """The options that were given, checked, and the defaults of all others.

    Raises:
        TypeError, ValueError: A name or a value is wrong; the message names it.
    """
    check_names(given, DESCRIPTIONS)
    for name, value in given.items():
        DESCRIPTIONS[name].check(name, value)
    if given.get("proxyProtocol") and given.get("tls") is not None:
        raise ValueError("proxyProtocol cannot be combined with tls: let the proxy end TLS")
    return cast(WebOptions, {**DEFAULTS, **given})


def core_settings(options: WebOptions) -> dict[str, object]:
    """What the core takes of options that are complete, in its types."""
    return {
        "limits": (options["limits"] or Limits()).as_dict(),
        "allowed_hosts": check_hosts(options["allowedHosts"]),
        "gzip": options["gzip"],
        "backlog": int(options["backlog"]),
        "reuse_port": options["reusePort"],
        "io_threads": int(options["ioThreads"]),
        "tls": certificates(options["tls"]),
        "ws_allowed_origins": check_origins(options["allowedOrigins"]),
        "ws_protocols": check_protocols(options["wsProtocols"]),
        "ws_overflow": options["wsOverflow"],
        **COMPRESSION[options["wsCompression"]],
        "proxies": check_proxies(options["forwardedAllowIps"]),
        "proxy_protocol": options["proxyProtocol"],
        "request_ids": options["requestIds"],
        "file_log": _file_log(options),
        "health": options["health"] or "",
        "ready": options["ready"] or "",
        "ready_max_wait": float(options["readyMaxWait"]),
        "metrics": options["metrics"] or "",
        "build": observe.build(),
        "board": observe.take_board(),
    }


def _file_log(options: Options) -> tuple[str, str] | None:
    """Format and path of an access log that is written without Python."""
    file = options["accessLogFile"]
    if not isinstance(options["accessLog"], str):
        if file is not None:
            raise ValueError("accessLogFile needs a format: accessLog='combined' or another")
        return None
    return options["accessLog"], "" if file is None else os.path.abspath(file)


def documentation(names: Sequence[str]) -> str:
    """The options as the "Args" section of a docstring lists them."""
    return "\n".join(
        textwrap.fill(
            f"{name}: {' '.join(DESCRIPTIONS[name].text.split())}",
            width=96,
            initial_indent=" " * 8,
            subsequent_indent=" " * 12,
            break_on_hyphens=False,
            break_long_words=False,
        )
        for name in names
    )


def takes(options: type, *, described: bool = False) -> Callable[[_Function], _Function]:
    """Have help() show the ``**options`` of a function by name, as type checkers do.

    Args:
        options: The TypedDict of them.
        described: Whether the docstring describes them; otherwise it refers to startServer(). It
            stands in the place of the line that begins with ``options: ``.
    """
    names = tuple(options.__annotations__)

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        *own, _ = signature.parameters.values()
        shown = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=DESCRIPTIONS[name].default,
                annotation=options.__annotations__[name].__origin__,
            )
            for name in names
        ]
        function.__signature__ = signature.replace(parameters=[*own, *shown])  # type: ignore[attr-defined]
        if function.__doc__:  # python -OO has none
            text = documentation(names) if described else _reference(names)
            function.__doc__ = re.sub(
                "^        options: .*$", lambda _: text, function.__doc__, flags=re.MULTILINE
            )
        return function

    return decorate


def _reference(names: Sequence[str]) -> str:
    """The options as one-line entries of an "Args" section that refer to startServer()."""
    lines: list[str] = []
    for name in names:
        longer = f"{lines[-1]}, {name}" if lines else ""
        if longer and len(longer) <= 60:
            lines[-1] = longer
        else:
            lines.append(name)
    return "\n".join(f"        {line}: As for :func:`startServer`." for line in lines)
