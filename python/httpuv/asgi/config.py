"""How one ASGI application is served: ``Config``, with the attributes of uvicorn's."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import inspect
import logging
import socket as sockets_module
from collections.abc import Callable, Sequence
from typing import Any, Literal

from ..base.log import write
from ..base.names import check_names, hint
from ..dispatch.own_loop import new_event_loop
from ..gateways.asgi.fields import with_fields
from ..gateways.asgi.lifespan import Lifespan, check_lifespan
from ..gateways.interfaces import detect, import_app
from ..options.limits import Limits
from ..options.server import DEFAULTS, DESCRIPTIONS
from ..options.tls import TLS

# Keywords of uvicorn's Config without a meaning here. They are accepted without effect, and they
# are attributes with uvicorn's values, because programs read them.
_WITHOUT_EFFECT: dict[str, Any] = {
    "loop": "auto",
    "http": "auto",
    "http2": False,
    "ws": "auto",
    "ws_max_queue": 32,
    "interface": "asgi3",
    "use_colors": None,
    "server_header": False,
    "date_header": True,
    "reload": False,
    "reload_dirs": [],
    "reload_includes": [],
    "reload_excludes": [],
    "reload_delay": 0.25,
    "limit_max_requests": None,
    "limit_max_requests_jitter": 0,
    "timeout_notify": 30,
    "callback_notify": None,
    "timeout_worker_healthcheck": 5,
    "app_dir": None,
    "env_file": None,
    "log_config": None,
    "reset_contextvars": False,
}
#: What to do instead, for those that a program expects an effect of.
_INSTEAD = {
    "http2": "the server speaks HTTP/1.1",
    "reload": "'httpuv run --reload' replaces the application when sources change",
    "limit_max_requests": "'httpuv run --max-requests' replaces the process",
    "app_dir": "'httpuv run --app-dir' looks for modules there",
    "env_file": "'httpuv run --env-file' reads it",
}
# uvicorn uses ssl.CERT_NONE, CERT_OPTIONAL and CERT_REQUIRED.
_VERIFY = ("none", "optional", "required")


class Config:
    """The options of one ASGI application.

    Args:
        app: The application, or ``"module:attribute"``, which is imported.
        host: An address of this machine, or a name.
        port: The port; 0 picks a free one.
        uds: The path of a Unix domain socket, instead of host and port.
        fd: The descriptor of a bound socket, instead of host and port.
        factory: Whether ``app`` is a function that returns the application.
        lifespan: ``"auto"``, ``"on"`` or ``"off"``.
        root_path: The prefix that a proxy in front removes from paths.
        scheme: ``"http"`` or ``"https"``, as clients see it.
        workers: Only 1 (or None).
        log_level: The level of the logger ``httpuv``; None does not change it.
        access_log: Whether and how each answer is logged, as ``accessLog`` of
            :func:`httpuv.startServer`.
        timeout_graceful_shutdown: Seconds for answers under way when the server stops; None: 10.
        timeout_keep_alive: Seconds without a request until a connection is closed.
        h11_max_incomplete_event_size: The largest head in bytes.
        limit_concurrency: Requests that the application has at once; further ones get 503.
        ws_max_size: The largest WebSocket message in bytes.
        ws_ping_interval: Seconds of silence until a client gets a ping.
        ws_ping_timeout: Seconds of further silence until the connection is closed.
        ws_per_message_deflate: Whether WebSocket messages are compressed.
        proxy_headers: Whether the proxies of ``forwarded_allow_ips`` are trusted to name their
            clients; see ``forwardedAllowIps`` of :func:`httpuv.startServer`.
        ssl_certfile, ssl_keyfile, ssl_keyfile_password, ssl_ca_certs, ssl_cert_reqs, ssl_ciphers:
            As in uvicorn; ``tls=httpuv.TLS(...)`` is an alternative.
        headers: Fields of every answer of the application and of every accepted WebSocket.
        handle_signals: Whether SIGINT and SIGTERM end the server; only on the main thread.
        options: The keywords of :func:`httpuv.startServer`, and ``staticPaths`` and
            ``staticPathOptions``. Other keywords of uvicorn are accepted if they have no meaning
            here; a warning says so for those that a program expects an effect of.

    Raises:
        TypeError: A keyword is unknown.
        ValueError: An option has a value that is not supported.
    """

    def __init__(
        self,
        app: Any,
        host: str = "127.0.0.1",
        port: int = 8000,
        uds: str | None = None,
        fd: int | None = None,
        *,
        factory: bool = False,
        lifespan: str = "auto",
        root_path: str = "",
        scheme: Literal["http", "https"] = "http",
        workers: int | None = None,
        log_level: str | int | None = None,
        access_log: bool | str = False,
        timeout_graceful_shutdown: float | None = None,
        timeout_keep_alive: float | None = None,
        h11_max_incomplete_event_size: int | None = None,
        limit_concurrency: int | None = None,
        ws_max_size: int | None = None,
        ws_ping_interval: float | None = None,
        ws_ping_timeout: float | None = None,
        ws_per_message_deflate: bool | str = True,
        handle_signals: bool = False,
        headers: Sequence[tuple[str, str]] | None = None,
        proxy_headers: bool = True,
        forwarded_allow_ips: str | Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        if workers not in (None, 1):
            raise ValueError(f"workers must be 1 or None here, not {workers!r}")
        tls = _tls_of(options)
        if tls is not None:
            options.setdefault("tls", tls)
        self.app = app
        self.host = host
        self.port = port
        self.uds = uds
        self.fd = fd
        self.factory = factory
        check_lifespan(lifespan)
        self.lifespan = lifespan
        self.root_path = root_path
        self.scheme = scheme
        self.workers = workers or 1
        self.log_level = log_level
        self.access_log = access_log
        self.timeout_graceful_shutdown = timeout_graceful_shutdown
        self.timeout_keep_alive = timeout_keep_alive
        self.limit_concurrency = limit_concurrency
        self.handle_signals = handle_signals
        self.headers = list(headers or ())
        self.proxy_headers = proxy_headers
        self.forwarded_allow_ips = forwarded_allow_ips
        if proxy_headers and forwarded_allow_ips is not None:
            options.setdefault("forwardedAllowIps", forwarded_allow_ips)
        self.loaded = False
        self.loaded_app: Any = None
        for name, default in _WITHOUT_EFFECT.items():
            value = options.pop(name, None)
            if name in _INSTEAD and value not in (None, default):
                write(logging.WARNING, "the option %s has no effect here: %s", name, _INSTEAD[name])
            setattr(self, name, copy.copy(default) if value is None else value)
        limits = options.pop("limits", None) or Limits()
        given = {
            "idle_timeout": timeout_keep_alive,
            "max_head_bytes": h11_max_incomplete_event_size,
            "queue_requests": limit_concurrency,
            "ws_max_message_bytes": ws_max_size,
            "ws_ping_interval": ws_ping_interval,
            "ws_pong_timeout": ws_ping_timeout,
        }
        self.limits: Limits = dataclasses.replace(
            limits, **{name: value for name, value in given.items() if value is not None}
        )
        self.backlog = options.get("backlog", DEFAULTS["backlog"])
        self.options = {"gzip": False, "wsCompression": ws_per_message_deflate, **options}
        check_names(self.options, _names())

    @property
    def is_ssl(self) -> bool:
        """Whether the server itself speaks TLS."""
        return self.options.get("tls") is not None

    @property
    def should_reload(self) -> bool:
        """Whether a change of the sources restarts the server: always False."""
        return False

    def load(self) -> None:
        """Import the application if necessary.

        Raises:
            ImportError, AttributeError: There is no such application.
            TypeError: It is no ASGI application.
        """
        app = import_app(self.app) if isinstance(self.app, str) else self.app
        if not callable(app):
            raise TypeError(f"app must be an ASGI application, not {type(app).__name__}")
        try:
            interface = detect(app)
        except TypeError:  # the signature does not decide: assume ASGI
            interface = "asgi"
        if interface == "wsgi":
            raise TypeError(f"{self.app!r} is a WSGI application: see httpuv.wsgi.run()")
        factory = self.factory or interface == "asgi-factory"
        self.loaded_app = app() if factory else app
        if self.headers:
            self.loaded_app = with_fields(self.loaded_app, self.headers)
        self.loaded = True

    def lifespan_class(self, config: Config) -> Lifespan:
        """The lifespan of the application of a configuration."""
        return Lifespan(config.loaded_app, config.lifespan)

    def setup_event_loop(self) -> None:
        """Do nothing: the loop is chosen when it is created."""

    def get_loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop]:
        """The factory of event loops: uvloop's if that is installed."""
        return new_event_loop

    def bind_socket(self) -> sockets_module.socket:
        """A socket that is bound to host and port, for ``Server.run(sockets=[...])``."""
        family = sockets_module.AF_INET6 if ":" in self.host else sockets_module.AF_INET
        bound = sockets_module.socket(family, sockets_module.SOCK_STREAM)
        try:
            bound.setsockopt(sockets_module.SOL_SOCKET, sockets_module.SO_REUSEADDR, 1)
            bound.bind((self.host, self.port))
        except BaseException:
            bound.close()
            raise
        return bound


def level_number(level: str | int) -> int:
    """The number of a level of ``logging``, given by number or name; also uvicorn's ``trace``."""
    if isinstance(level, int):
        return level
    name = "DEBUG" if level.upper() == "TRACE" else level.upper()
    number = logging.getLevelName(name)
    if not isinstance(number, int):
        raise ValueError(f"log_level must be the name of a level, not {level!r}")
    return number


_TLS_NAMES = (
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_keyfile_password",
    "ssl_ca_certs",
    "ssl_cert_reqs",
    "ssl_ciphers",
)


def _names() -> list[str]:
    """The arguments that there are."""
    own = inspect.signature(Config).parameters
    return [*own, *DESCRIPTIONS, "staticPaths", "staticPathOptions", *_TLS_NAMES]


def _tls_of(options: dict[str, Any]) -> TLS | None:
    """Remove uvicorn's ``ssl_...`` keywords and return the TLS that they describe."""
    given = {name: options.pop(name) for name in list(options) if name.startswith("ssl_")}
    given = {name: value for name, value in given.items() if value is not None}
    certfile = given.pop("ssl_certfile", None)
    keyfile = given.pop("ssl_keyfile", None)
    password = given.pop("ssl_keyfile_password", None)
    ca_certs = given.pop("ssl_ca_certs", None)
    verify = given.pop("ssl_cert_reqs", 0)
    ciphers = given.pop("ssl_ciphers", None)
    given.pop("ssl_version", None)  # only safe versions are offered
    if given:
        name = next(iter(given))
        if name == "ssl_context_factory":
            raise ValueError(f"{name}: an SSLContext is not used here; give tls=httpuv.TLS(...)")
        raise TypeError(f"unexpected keyword argument {name!r}{hint(name, _names())}")
    if certfile is None:
        if keyfile or password or ca_certs:
            raise ValueError("ssl_certfile is missing: the certificate")
        return None
    if verify not in (0, 1, 2):
        raise ValueError(f"ssl_cert_reqs must be one of ssl.CERT_..., not {verify!r}")
    how = _VERIFY[verify]
    # uvicorn loads ca_certs even without verification, and its "TLSv1" means all ciphers.
    return TLS(
        certfile,
        keyfile,
        password,
        None if how == "none" else ca_certs,
        how,
        ciphers=None if ciphers == "TLSv1" else ciphers,
    )
