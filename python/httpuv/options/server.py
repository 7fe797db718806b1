"""The options of a server; each option is described here and nowhere else.

Each key of :class:`Options` has its type, and an :class:`Option` with its default, its check and
its text. The keywords of :func:`httpuv.startServer` and similar functions, their ``help()``, the
messages for wrong names and the documentation are generated from it. Limits are described in
:mod:`httpuv.options.limits`, static paths in :mod:`httpuv.options.static_options`.
"""

# Annotations are objects here: they are read when this module is imported.

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Annotated, Any, Literal, TypedDict

from ..base.checks import check_int, check_seconds
from ..brokers.protocol import Broker
from ..dispatch.base import Dispatcher
from . import values
from .allowed import check_hosts, check_origins
from .limits import Limits
from .mime import mime_table
from .observe import check_admin, check_path
from .option import Option, descriptions
from .proxies import check_proxies
from .tls import TLS, check_tls
from .topic_options import Topic, check_topics
from .websocket_options import (
    Compression,
    Overflow,
    check_compression,
    check_overflow,
    check_protocols,
)


class RunOptions(TypedDict, total=False):
    """The keywords that all functions that start a server take."""

    limits: Annotated[
        Limits | None,
        Option(
            None, "Bounds on sizes, times and numbers. None: the defaults.", values.check_limits
        ),
    ]
    tls: Annotated[
        TLS | Mapping[str, TLS] | None,
        Option(
            None,
            """HTTPS and WSS instead of HTTP: a :class:`TLS`, or a dict from host names to TLS
            objects. ``"*.example.com"`` matches one label, ``"*"`` matches all other names; without
            ``"*"`` the first entry is used for them. None: plain HTTP. A client that sends plain
            HTTP to a port with TLS gets 400.""",
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
            """Names that the Host field may have; others get 403. None or ``["*"]``: any name. The
            option protects a server on the loopback address from web pages with a name that
            resolves to this address. ``"*.example.com"`` allows every name below example.com, but
            not example.com itself. ``"localhost:8080"`` allows the name with this port only. IP
            addresses are always allowed: a page cannot make them resolve to another address.""",
            lambda name, value: check_hosts(value),
        ),
    ]
    allowedOrigins: Annotated[
        Sequence[str] | None,
        Option(
            None,
            """Origins of web pages that may open WebSockets, such as ``"https://example.com"`` or
            ``"https://*.example.com"``. ``"same"`` allows pages from the host that they connect to.
            Others get 403. None or ``["*"]``: any origin. The default port of the scheme may be
            left out. Browsers let every page connect to any host, so set this option if cookies or
            the network decide what a client may do. Clients that are not browsers send no origin
            and are allowed.""",
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
            """Whether WebSocket messages are compressed (RFC 7692) if the client supports it. True:
            except for clients on this machine; ``"always"``: also for them.""",
            lambda name, value: check_compression(value),
        ),
    ]
    wsOverflow: Annotated[
        Overflow,
        Option(
            "close",
            """What happens to a message for a WebSocket client that does not read, when
            ``limits.ws_queue_bytes`` already wait: ``"close"`` closes the connection with 1013,
            ``"drop"`` drops the message, ``"callback"`` drops it and calls ``ws.onDropped``.""",
            lambda name, value: check_overflow(value),
        ),
    ]
    callTimeout: Annotated[
        float | None,
        Option(
            None,
            """Seconds from the return of ``call`` until an awaited answer must have started. After
            that it is cancelled and the client gets 503. None: no limit. ``call`` may replace it
            for one request by ``req["httpuv.timeout"]``, before it returns or before its first
            ``await``.""",
            values.check_timeout,
        ),
    ]
    gzip: Annotated[
        bool,
        Option(
            True,
            """Whether the answers of ``call`` are compressed for clients that accept it. Text, JSON
            and similar types are compressed from 1 KiB on, or if the length is unknown, also in
            streams. Files, parts (206), streams of events, and answers with a Content-Encoding,
            ``Cache-Control: no-transform`` or a digest are not compressed. The I/O thread and its
            pool do the work. Compressed answers have ``Vary: Accept-Encoding``, and a strong ETag
            becomes a weak one. An answer with ``Content-Encoding: identity`` is sent uncompressed
            and without that field. Use that for an encrypted answer that has a secret beside text
            that the client chose (the BREACH attack).""",
            values.check_bool,
        ),
    ]
    accessLog: Annotated[
        bool | str,
        Option(
            False,
            """Whether each answer, also of static paths, is logged with its client, request,
            status, bytes of body and time. True: by ``logging.getLogger("httpuv.access")`` at level
            INFO, or to standard error if logging is not set up. The records have the attributes
            ``client``, ``clientPort``, ``request`` (the first line), ``method``, ``target``,
            ``status`` (0: the connection ended before), ``size``, ``seconds``, ``referer``,
            ``userAgent``, ``requestId`` and ``traceId``. Characters that could end a line or its
            quotes are escaped. Bytes and time are those of the answer as it was handed to the
            system; the client may have left before it got all of it. Handlers run on their own
            thread, so slow handlers do not delay callbacks. At most 8 MiB of records wait; beyond
            that answers are only counted (``log_dropped`` of ``stats()``). ``"text"``,
            ``"common"``, ``"combined"``, ``"json"``, or a text with fields such as
            ``"{client} {request} {status}"``: a thread without Python writes lines in this format
            to ``accessLogFile``. The fields are ``time``, ``clf_time``, ``client``, ``port``,
            ``request``, ``method``, ``target``, ``protocol``, ``status``, ``size``, ``seconds``,
            ``milliseconds``, ``host``, ``scheme``, ``referer``, ``user_agent``, ``request_id``,
            ``trace_id`` (of a traceparent) and ``kind`` (what made the answer).""",
            values.check_access_log,
        ),
    ]
    accessLogFile: Annotated[
        str | PathLike[str] | None,
        Option(
            None,
            """The file of an ``accessLog`` with a format. It is opened again when its name leads to
            another file, as after logrotate(8). None: standard error.""",
            values.check_file,
        ),
    ]
    requestIds: Annotated[
        bool,
        Option(
            False,
            """Whether each request has an X-Request-ID for the application and the log. It comes
            from a proxy among ``forwardedAllowIps``; otherwise it is a new one and replaces that of
            the client. A log with ``request_id`` or ``"json"`` switches this on.""",
            values.check_bool,
        ),
    ]
    ioThreads: Annotated[
        int,
        Option(
            1,
            """The number of I/O threads, 1 to 256, each with its own loop and connections. Static
            files, WebSockets, compression and ``publish()`` can use so many processors. A new
            connection goes to the thread with the fewest connections. ``dispatch`` still decides
            where callbacks run.""",
            lambda name, value: check_int(name, value, 1, 256),
        ),
    ]
    backlog: Annotated[
        int,
        Option(
            4096,
            """Connections that may wait in the kernel to be accepted. The kernel limits the number
            (Linux: ``net.core.somaxconn``).""",
            lambda name, value: check_int(name, value, 1, 2**31 - 1),
        ),
    ]
    forwardedAllowIps: Annotated[
        str | Sequence[str] | None,
        Option(
            None,
            """Proxies that are trusted to name their clients: addresses, networks such as
            ``"10.0.0.0/8"``, ``"unix"`` for Unix sockets, ``"*"`` for any; a list, or a str with
            commas. REMOTE_ADDR, the scheme, Host and the address in the log then come from
            X-Forwarded-For, -Proto, -Host and -Port, or else from Forwarded (RFC 7239). In a chain
            of proxies the nearest address that is not in the list is the client's. None: no proxy
            is trusted.""",
            lambda name, value: check_proxies(value),
        ),
    ]
    proxyProtocol: Annotated[
        bool,
        Option(
            False,
            """Whether every connection begins with the PROXY protocol (version 1 or 2), in which a
            proxy such as HAProxy names the client. Connections without it are closed. If
            ``forwardedAllowIps`` is given, connections from other addresses are closed, too.""",
            values.check_bool,
        ),
    ]
    health: Annotated[
        str | None,
        Option(
            None,
            """The path of a health check, such as ``"/livez"``. The I/O thread answers it with 200
            as long as the process lives, whatever Python is doing. Every Host is allowed. None: no
            such path.""",
            check_path,
        ),
    ]
    ready: Annotated[
        str | None,
        Option(
            None,
            """The path of a readiness check, such as ``"/readyz"``. The I/O thread answers it with
            200. It answers with 503 while the server stops, while a request has waited for Python
            for more than ``readyMaxWait`` seconds, and while the broker is away
            (``readyNeedsBroker``). Every Host is allowed.""",
            check_path,
        ),
    ]
    readyNeedsBroker: Annotated[
        bool,
        Option(
            True,
            """Whether ``ready`` says 503 while ``broker`` cannot be reached. False: the server
            takes requests nevertheless; ``metrics`` and ``server.broker_health()`` tell.""",
            values.check_bool,
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
            """The path of the metrics, such as ``"/metrics"``, in the text format of Prometheus.
            The I/O thread answers it. The numbers of all workers of ``httpuv run`` add up.""",
            check_path,
        ),
    ]
    admin: Annotated[
        str | int | None,
        Option(
            None,
            """A separate listener for these three paths only; without paths of their own they are
            ``/livez``, ``/readyz`` and ``/metrics``. The value is ``"HOST:PORT"``, the path of a
            Unix socket (with a slash in it), or the descriptor of a listening socket, which is
            adopted.""",
            check_admin,
        ),
    ]
    mounts: Annotated[
        Mapping[str, object] | None,
        Option(
            None,
            """Applications below paths: a dict from URL paths to applications of any interface or
            :class:`Mount` objects, such as ``{"/api": asgi_app, "/old": wsgi_app}``. The longest
            path wins; static paths come first. A Rook application here may have ``call`` and
            ``onWSOpen`` only.""",
        ),
    ]
    wsgiInput: Annotated[
        Literal["collect", "stream"],
        Option(
            "collect",
            """When a WSGI application is called for a request with a body. ``"collect"``: when all
            of it has come, so that no slow client holds a thread. ``"stream"``: when its head has;
            ``wsgi.input`` then waits for the client, which is read no further ahead than
            ``limits.body_memory_bytes``, and raises OSError where the client has gone. Bodies of a
            known length up to that come as a whole all the same. It needs several callback threads
            (``dispatch=8``). A chunked body has no CONTENT_LENGTH then.""",
            values.check_wsgi_input,
        ),
    ]
    topics: Annotated[
        Mapping[str, Topic] | None,
        Option(
            None,
            """The history of topics: a dict from names or patterns to :class:`Topic`, such as
            ``{"news": httpuv.Topic(history=200), "chat/*": httpuv.Topic()}``. ``*`` matches any
            characters. The exact name wins, then the longest pattern. A topic without an entry has
            no history.""",
            lambda name, value: check_topics(value),
        ),
    ]
    broker: Annotated[
        Broker | None,
        Option(
            None,
            """Shares topics with other servers: a :class:`httpuv.brokers.Redis`, a
            :class:`httpuv.brokers.Memory`, or another :class:`httpuv.Broker`. None: the topics
            belong to this server alone.""",
            values.check_broker,
        ),
    ]
    coroutines: Annotated[
        Literal["callbacks", "thread"],
        Option(
            "callbacks",
            """Where coroutines run if no asyncio loop runs the callbacks. ``"callbacks"``: on the
            thread that runs the callbacks, in its own asyncio loop (uvloop's if that is installed).
            ``"thread"``: on a separate thread, which blocking callbacks do not delay; each answer
            costs two more context switches.""",
            values.check_coroutines,
        ),
    ]
    replace: Annotated[
        bool,
        Option(
            False,
            """Whether to replace a server of this process that has the address. The new server
            takes over its socket, so no client is refused; answers under way have 3 s. If only the
            port is the same but not the host, or the path but not the mask, the old server is
            stopped before the new one starts.""",
            values.check_bool,
        ),
    ]


class Options(RunOptions, total=False):
    """The same with ``dispatch``."""

    dispatch: Annotated[
        Literal["auto", "service", "asyncio", "thread", "prompt", "qt", "tk"] | int | Dispatcher,
        Option(
            "auto",
            """Where the callbacks run. ``"service"``: in calls of :func:`service`, :func:`runNow`
            and :func:`runServer`. ``"asyncio"``: in the asyncio loop that runs on this thread.
            ``"thread"``: on a thread of the server's own. A number: on so many threads, for
            callbacks that block; callbacks of one connection run in order and one at a time.
            ``"prompt"``: in the idle time of Python's or IPython's prompt, and in ``service()``.
            ``"qt"``: in the loop of the QApplication of PySide6 or PyQt6. ``"tk"``: in the loop of
            tkinter's root window. If an asyncio loop such as qasync's runs on the toolkit's thread,
            it runs coroutines. ``"auto"``: ``"asyncio"`` if a loop runs here (as in notebooks),
            ``"prompt"`` at a prompt, otherwise ``"service"``. Or a :class:`Dispatcher`.""",
        ),
    ]


class TcpOptions(TypedDict, total=False):
    """The keywords that only servers on a TCP port take."""

    reusePort: Annotated[
        bool,
        Option(
            False,
            """Whether other processes of the same user may listen on the same port, if they set
            this option, too (SO_REUSEPORT). The kernel distributes the connections.""",
            values.check_bool,
        ),
    ]
    fd: Annotated[
        int | None,
        Option(
            None,
            """The descriptor of a listening socket, inherited from systemd or a parent process. The
            server takes it over and does not bind ``host`` and ``port``. None: it binds them.""",
            values.check_fd,
        ),
    ]


class WebOptions(Options, TcpOptions, total=False):
    """The keywords of :func:`startServer`."""


class RunWebOptions(RunOptions, TcpOptions, total=False):
    """The keywords of :func:`runServer`."""


#: The description of each option, by name.
DESCRIPTIONS = descriptions(WebOptions)
DEFAULTS: dict[str, Any] = {name: each.default for name, each in DESCRIPTIONS.items()}
