"""bjoern: a WSGI server in C on libev."""

from __future__ import annotations

from typing import Any

import bjoern
import common

HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(common.HELLO)))]


def app(environ: dict[str, Any], start_response: Any) -> Any:
    if environ["PATH_INFO"] == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return common.stream()
    start_response("200 OK", HEADERS)
    return [common.HELLO]


if __name__ == "__main__":
    bjoern.run(app, "127.0.0.1", common.arguments().port)
