"""freastal: a WSGI and ASGI server in C on libuv and picohttpparser (--mode wsgi or asgi)."""

from __future__ import annotations

import common
import freastal

if __name__ == "__main__":
    arguments = common.arguments()
    if arguments.mode == "asgi":
        freastal.serve_asgi(common.asgi_app, host="127.0.0.1", port=arguments.port, workers=1)
    else:
        freastal.serve(common.wsgi_app, host="127.0.0.1", port=arguments.port, workers=1)
