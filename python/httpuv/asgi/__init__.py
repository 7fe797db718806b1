"""Run ASGI applications: FastAPI, Starlette, Django, Quart, Litestar and their like.

>>> import httpuv.asgi
>>> httpuv.asgi.run(app, host="127.0.0.1", port=8000)

Has the names that programs use of uvicorn, so that ``import httpuv.asgi as uvicorn`` runs them.
"""

from ..gateways.asgi.lifespan import LifespanError
from .config import Config
from .server import Server, run, serve

__all__ = ["Config", "LifespanError", "Server", "run", "serve"]
