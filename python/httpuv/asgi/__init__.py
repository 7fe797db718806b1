"""Run ASGI applications: FastAPI, Starlette, Django, Quart, Litestar and others.

>>> import httpuv.asgi
>>> httpuv.asgi.run(app, host="127.0.0.1", port=8000)

The module has the names of uvicorn that programs use, so ``import httpuv.asgi as uvicorn`` works.
"""

from ..gateways.asgi.lifespan import LifespanError
from .config import Config
from .server import Server, run, serve

__all__ = ["Config", "LifespanError", "Server", "run", "serve"]
