"""httpuv with applications of other interfaces: --mode wsgi, asgi, fastapi, or live.

live: asgi with static files and health, which the server answers by itself.

The applications are those of the peers that have the interface, so that all run the same code.
"""

from __future__ import annotations

from typing import Any

import common
import httpuv
import httpuv.asgi
import httpuv.wsgi


def main() -> None:
    arguments = common.arguments()
    options: dict[str, Any] = {"port": arguments.port}
    if arguments.tls:
        options["tls"] = httpuv.TLS(f"{arguments.tls}/cert.pem", f"{arguments.tls}/key.pem")
    if arguments.mode == "live":
        options.update(staticPaths={"/static": arguments.root}, health="/livez")
    if arguments.mode == "wsgi":
        httpuv.wsgi.run(common.wsgi_app, quiet=True, **options)
        return
    # By default a server has fewer connections than the 10,000 that one scenario opens.
    options["limits"] = httpuv.Limits(max_connections=16_000)
    app = common.fastapi_app() if arguments.mode == "fastapi" else common.asgi_app
    httpuv.asgi.run(app, lifespan="off", ws_per_message_deflate=False, **options)


if __name__ == "__main__":
    main()
