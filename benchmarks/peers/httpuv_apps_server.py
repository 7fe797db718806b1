"""httpuv with applications of other interfaces: --mode wsgi, asgi or fastapi.

The applications are those of the peers that have the interface, so that all run the same code.
"""

from __future__ import annotations

import common
import httpuv.asgi
import httpuv.wsgi


def main() -> None:
    arguments = common.arguments()
    if arguments.mode == "wsgi":
        httpuv.wsgi.run(common.wsgi_app, port=arguments.port, quiet=True)
    else:
        app = common.asgi_app if arguments.mode == "asgi" else common.fastapi_app()
        httpuv.asgi.run(app, port=arguments.port, lifespan="off", ws_per_message_deflate=False)


if __name__ == "__main__":
    main()
