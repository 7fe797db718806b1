"""fastpysgi: a WSGI and ASGI server in C on libuv and llhttp (--mode asgi)."""

from __future__ import annotations

import common
import fastpysgi

if __name__ == "__main__":
    arguments = common.arguments()
    served = common.asgi_app if arguments.mode == "asgi" else common.wsgi_app
    fastpysgi.run(served, host="127.0.0.1", port=arguments.port, workers=1)
