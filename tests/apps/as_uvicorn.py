"""Runs a program that starts its server by uvicorn's names, on httpuv.

    as_uvicorn.py FILE.py|MODULE:FUNCTION ARGUMENT...

The names are those that a program may reach: of the package, and where it defines them.
"""

from __future__ import annotations

import importlib
import runpy
import sys

import httpuv.asgi
import uvicorn
import uvicorn.config
import uvicorn.main
import uvicorn.server


def replace() -> None:
    for module in (uvicorn, uvicorn.config, uvicorn.main, uvicorn.server):
        for name in ("Config", "Server", "run"):
            if hasattr(module, name):
                setattr(module, name, getattr(httpuv.asgi, name))


if __name__ == "__main__":
    replace()
    program, sys.argv = sys.argv[1], sys.argv[1:]
    if program.endswith(".py"):
        runpy.run_path(program, run_name="__main__")
    else:
        module, _, function = program.partition(":")
        getattr(importlib.import_module(module), function)()
