"""fastpysgi: a WSGI and ASGI server in C on libuv and llhttp (--mode asgi)."""

from __future__ import annotations

from typing import Any

import common
import fastpysgi

HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(common.HELLO)))]


def app(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", HEADERS)
    return [common.HELLO]


if __name__ == "__main__":
    arguments = common.arguments()
    served = common.asgi_app if arguments.mode == "asgi" else app
    fastpysgi.run(served, host="127.0.0.1", port=arguments.port, workers=1)
