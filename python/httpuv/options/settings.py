"""The options of a server, checked and complete, and what the core gets of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import cast

from ..base.names import check_names
from . import observe
from .allowed import check_hosts, check_origins
from .limits import Limits
from .proxies import check_proxies
from .server import DEFAULTS, DESCRIPTIONS, Options, WebOptions
from .tls import certificates
from .websocket_options import COMPRESSION, check_protocols


def complete(given: Mapping[str, object]) -> WebOptions:
    """The given options, checked, and the defaults of all others.

    Raises:
        TypeError, ValueError: A name or a value is wrong; the message names it.
    """
    check_names(given, DESCRIPTIONS)
    for name, value in given.items():
        DESCRIPTIONS[name].check(name, value)
    if given.get("proxyProtocol") and given.get("tls") is not None:
        raise ValueError("proxyProtocol cannot be combined with tls: let the proxy end TLS")
    paths = [given[name] for name in ("health", "ready", "metrics") if given.get(name) is not None]
    if len(set(paths)) < len(paths):
        raise ValueError(f"health, ready and metrics must be different paths, not {paths}")
    return cast(WebOptions, {**DEFAULTS, **given})


def core_settings(options: WebOptions) -> dict[str, object]:
    """The settings of the core, in its types, from complete options."""
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


def _file_log(options: Options) -> tuple[str, bytes] | None:
    """Format and path of the access log that the core writes; None: there is none."""
    file = options["accessLogFile"]
    if not isinstance(options["accessLog"], str):
        if file is not None:
            raise ValueError("accessLogFile needs a format: accessLog='combined' or another")
        return None
    return options["accessLog"], b"" if file is None else os.fsencode(os.path.abspath(file))
