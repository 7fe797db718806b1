"""granian: Python applications on a Rust server, one worker. --mode wsgi, asgi or rsgi."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import busy
import common
from granian import Granian
from granian.constants import Interfaces, Loops
from granian.rsgi import HTTPProtocol, Scope, WebsocketProtocol

RSGI_HEADERS = [("content-type", "text/plain")]


wsgi, asgi = common.wsgi_app, common.asgi_app


async def rsgi(scope: Scope, protocol: HTTPProtocol | WebsocketProtocol) -> None:
    if scope.proto == "ws":
        assert isinstance(protocol, WebsocketProtocol)
        transport = await protocol.accept()
        while (message := await transport.receive()).kind:
            if message.kind == 1:
                await transport.send_bytes(message.data)
            else:
                await transport.send_str(message.data)
        return
    protocol.response_bytes(200, RSGI_HEADERS, common.HELLO)


def main() -> None:
    arguments = common.arguments()
    mode = arguments.mode
    files: dict[str, Any] = {}
    if arguments.root:
        files = {"static_path_mount": [Path(arguments.root)], "static_path_route": ["/static"]}
    # The worker is a separate process that imports this module: that process must be busy.
    Granian(
        f"granian_server:{mode}{'_' + arguments.busy if arguments.busy else ''}",
        address="127.0.0.1",
        port=arguments.port,
        interface=Interfaces(mode),
        workers=1,
        loop=Loops.auto if mode == "wsgi" else Loops.uvloop,
        websockets=mode != "wsgi",
        log_enabled=False,
        ssl_cert=Path(arguments.tls) / "cert.pem" if arguments.tls else None,
        ssl_key=Path(arguments.tls) / "key.pem" if arguments.tls else None,
        **files,
    ).serve()


def __getattr__(name: str) -> Any:
    """wsgi_spin: wsgi in a process that is kept busy."""
    mode, _, how = name.partition("_")
    if how not in ("spin", "hold"):
        raise AttributeError(name)
    busy.occupy(how)
    return getattr(sys.modules[__name__], mode)


if __name__ == "__main__":
    main()
