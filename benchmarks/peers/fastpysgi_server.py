"""fastpysgi: a WSGI and ASGI server in C on libuv and llhttp."""

from __future__ import annotations

from typing import Any

import common
import fastpysgi

HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(common.HELLO)))]


def app(environ: dict[str, Any], start_response: Any) -> Any:
    start_response("200 OK", HEADERS)
    return [common.HELLO]


if __name__ == "__main__":
    fastpysgi.run(app, host="127.0.0.1", port=common.arguments().port, workers=1)
