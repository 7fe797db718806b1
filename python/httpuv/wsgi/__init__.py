"""Run WSGI applications: Flask, Django, Bottle and others.

>>> import httpuv.wsgi
>>> httpuv.wsgi.run(app, host="127.0.0.1", port=8000)
"""

from ..gateways.wsgi import FileWrapper
from .server import run

__all__ = ["FileWrapper", "run"]
