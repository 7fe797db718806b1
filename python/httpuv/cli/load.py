"""Import the application that the command names."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from typing import Any

from ..base.names import closest
from ..gateways.interfaces import detect
from .console import ApplicationFailed, Mistake


@dataclass(frozen=True)
class Application:
    """An application and its interface: ``"asgi"``, ``"wsgi"`` or ``"rook"``."""

    app: Any
    interface: str


def load(name: str, interface: str, folder: str) -> Application:
    """Import an application, and call it if it is a factory.

    Args:
        name: ``module:attribute``.
        interface: ``"auto"``, or the application's interface.
        folder: The folder in which modules are looked for first.

    Raises:
        Mistake: The name does not exist, or is no application.
        ApplicationFailed: The application's code raised an exception.
    """
    if not os.path.isdir(folder):
        raise Mistake(f"--app-dir {folder}: there is no such directory")
    try:
        folder = os.path.abspath(folder)
    except FileNotFoundError:
        raise Mistake("the current directory does not exist any more") from None
    if folder not in sys.path[:1]:
        sys.path.insert(0, folder)
    app = _find(name, folder)
    if interface == "auto":
        interface = _detected(name, app)
        if interface == "asgi-factory":
            app = _made(name, app)
            interface = _detected(f"what {name}() returns", app)
            if interface == "asgi-factory":
                raise Mistake(f"{name}() returns no application but {app!r}")
    elif interface == "asgi-factory":
        app, interface = _made(name, app), "asgi"
    if interface != "rook" and not callable(app):
        raise Mistake(f"{name} is no {interface.upper()} application: it is {app!r}")
    return Application(app, interface)


def _find(name: str, folder: str) -> Any:
    module, colon, path = name.partition(":")
    if not colon or not module or not path:
        hint = module.removesuffix(".py").replace("/", ".").strip(".") or "module"
        raise Mistake(f"name the application like module:app, as in 'httpuv run {hint}:app'")
    if module.endswith(".py") or "/" in module:
        hint = module.removesuffix(".py").replace("/", ".").strip(".")
        raise Mistake(f"{module} is a file: name its module, as in 'httpuv run {hint}:{path}'")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ApplicationFailed(f"{module} could not be imported") from error
        raise Mistake(
            f"there is no module {error.name} in {folder} or where Python looks for modules:"
            " check the name, or say where it is with --app-dir"
        ) from None
    except Exception as error:
        raise ApplicationFailed(f"{module} could not be imported") from error
    where = module
    for attribute in path.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            near = closest(attribute, dir(found))
            end = f": did you mean {near}?" if near else ": check the name after the colon"
            raise Mistake(f"{where} has no attribute {attribute}{end}") from None
        where += f".{attribute}"
    return found


def _detected(name: str, app: Any) -> str:
    try:
        return detect(app)
    except TypeError:
        raise Mistake(
            f"cannot tell what {name} speaks (it is {app!r}): say it with --interface asgi,"
            " asgi-factory, wsgi or rook"
        ) from None


def _made(name: str, factory: Any) -> Any:
    if not callable(factory):
        raise Mistake(f"{name} is no function that makes an application: it is {factory!r}")
    try:
        return factory()
    except Exception as error:
        raise ApplicationFailed(f"{name}() failed") from error
