"""``--redirect-http``: a listener for plain HTTP that redirects clients to HTTPS.

It runs in the process that starts the workers, so it answers also if all workers are stuck.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ..options import observe
from ..servers.adopted import AdoptedServer
from .console import Mistake
from .listen import Listening, listen_for_redirects
from .options.settings import Settings
from .shared.board import Board

#: A Host field that the core has accepted: a name or an address, and an optional port.
_HOST = re.compile(r"(\[[^\]]+\]|[^:]+)(:\d*)?")


def location(req: dict[str, Any], port: int) -> str | None:
    """The URL of a request with ``https`` and a port; None if the request has no host.

    Args:
        req: A Rook request.
        port: The port of HTTPS; 443 is left out of the URL.
    """
    target = str(req["REQUEST_URI"])
    host = str(req.get("HTTP_HOST", ""))
    if not target.startswith("/"):  # an absolute URL, or *
        parts = urlsplit(target)
        host = parts.netloc or host
        target = f"{parts.path or '/'}?{parts.query}".removesuffix("?") if parts.netloc else "/"
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    return f"https://{found[1]}{'' if port == 443 else f':{port}'}{target}"


@contextlib.contextmanager
def redirecting(settings: Settings, listening: Listening, board: Board) -> Iterator[str | None]:
    """Redirect within the block if ``--redirect-http`` is given; yields the address.

    Args:
        settings: The settings of the command.
        listening: The listener for HTTPS; clients are redirected to its port.
        board: The shared metrics.

    Raises:
        Mistake: The address cannot be used, or there is no HTTPS.
    """
    if settings.redirect_http is None:
        yield None
        return
    if settings.tls_cert is None:
        raise Mistake("--redirect-http needs --tls-cert: without there is no HTTPS")
    port = settings.redirect_port or listening.port
    if port is None:
        raise Mistake("--redirect-http with --uds needs --redirect-port, the port of HTTPS")
    to: int = port

    def redirect(req: dict[str, Any]) -> dict[str, Any]:
        where = location(req, to)
        if where is None:
            return {"status": 400, "headers": {"Content-Type": "text/plain"}, "body": "no Host\n"}
        return {"status": 308, "headers": {"Location": where}, "body": ""}

    with contextlib.closing(listen_for_redirects(settings)) as own:
        observe.set_board(board.fd, board.take())
        server = AdoptedServer(
            os.dup(own.socket.fileno()),
            {"call": redirect},
            True,
            dispatch="thread",
            allowedHosts=settings.allowed_host or None,
            health=settings.health,
            ioThreads=settings.io_threads,
            accessLog=settings.log_format if settings.access_log else False,
            accessLogFile=settings.access_log_file if settings.access_log else None,
        )
        with server:
            yield own.address
