"""freastal: a WSGI and ASGI server in C on libuv and picohttpparser (--mode wsgi or asgi)."""

from __future__ import annotations

from typing import Any

import common
import freastal

HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(common.HELLO)))]
RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS]


def app(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", HEADERS)
    return [common.HELLO]


async def asgi_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": RAW_HEADERS})
    await send({"type": "http.response.body", "body": common.HELLO})


if __name__ == "__main__":
    arguments = common.arguments()
    if arguments.mode == "asgi":
        freastal.serve_asgi(asgi_app, host="127.0.0.1", port=arguments.port, workers=1)
    else:
        freastal.serve(app, host="127.0.0.1", port=arguments.port, workers=1)
