"""The sources of options: the command line, then the environment, then a file."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...base.names import closest
from ...options.limits import Limits
from ..console import MISUSED, Mistake, complain
from .settings import LIMITS, OPTIONS, Settings

#: One source: its name of an option, and its value of the option.
_Found = tuple[str, object]


def gather(given: Mapping[str, object], environ: Mapping[str, str], folder: Path) -> Settings:
    """Combine the options of all sources.

    Args:
        given: The options of the command line by name, also ``app``.
        environ: The environment.
        folder: The folder of ``httpuv.toml`` or ``pyproject.toml``.

    Raises:
        Mistake: A value is wrong; the message names the option as it was written.
    """
    _warn_of_variables(environ)
    file = _file(folder)
    values: dict[str, Any] = {}
    limits: dict[str, float] = {}
    for option in OPTIONS:
        found = _first(given, environ, file, option.name, option.flag, option.variable)
        if found is None:
            continue
        name, value = found
        try:
            read = option.kind(value)
        except ValueError as error:
            shown = value[0] if isinstance(value, tuple) and len(value) == 1 else value
            raise Mistake(f"{name} {error}, not {shown!r}", MISUSED) from None
        if option.name not in LIMITS:
            values[option.name] = read
            continue
        assert isinstance(read, (int, float))
        limits[option.name] = read
        try:
            Limits(**{option.name: read})  # type: ignore[arg-type]  # by name
        except ValueError as error:
            raise Mistake(f"{name}: {error}", MISUSED) from None
    app = _first(given, environ, file, "app", "MODULE:APP", "HTTPUV_APP")
    if values.get("access_log_file") is not None and not values.get("access_log"):
        raise Mistake("--access-log-file needs --access-log", MISUSED)
    if values.get("uds_mode") is not None and values.get("uds") is None:
        raise Mistake("--uds-mode needs --uds, the Unix socket", MISUSED)
    if app is None:
        raise Mistake("say what to run: httpuv run MODULE:APP", MISUSED)
    if not isinstance(app[1], str):
        raise Mistake(f"{app[0]} must be a text, not {app[1]!r}", MISUSED)
    return Settings(app=app[1], limits=limits, **values)


def _warn_of_variables(environ: Mapping[str, str]) -> None:
    """Name variables that look like misspelt options. Others may belong to the application."""
    known = {"HTTPUV_APP", *(option.variable for option in OPTIONS)}
    for name in environ.keys() - known:
        near = closest(name, known, 0.9) if name.startswith("HTTPUV_") else None
        if near is not None:
            complain(f"{name} has no effect; did you mean {near}?")


def _first(
    given: Mapping[str, object],
    environ: Mapping[str, str],
    file: Mapping[str, _Found],
    name: str,
    flag: str,
    variable: str,
) -> _Found | None:
    if name in given:
        return flag, given[name]
    if environ.get(variable):  # an empty variable counts as unset
        return variable, environ[variable]
    return file.get(name)


def _file(folder: Path) -> dict[str, _Found]:
    own = folder / "httpuv.toml"
    if own.is_file():
        return _checked(own, _read(own))
    project = folder / "pyproject.toml"
    if project.is_file():
        text = project.read_bytes()
        if b"httpuv" in text:  # files of other projects need no TOML reader
            tools = _read(project).get("tool", {})
            table = tools.get("httpuv", {}) if isinstance(tools, dict) else {}
            if not isinstance(table, dict):
                raise Mistake(f"{project.name}: tool.httpuv must be a table", MISUSED)
            return _checked(project, table)
    return {}


def _read(path: Path) -> dict[str, Any]:
    module = "tomllib" if sys.version_info >= (3, 11) else "tomli"
    try:
        toml = importlib.import_module(module)
    except ImportError:
        raise Mistake(f"{path.name} needs {module} to be read: pip install 'httpuv[cli]'") from None
    try:
        read: dict[str, Any] = toml.loads(path.read_text("utf-8"))
    except UnicodeDecodeError:
        raise Mistake(f"{path.name} must be UTF-8", MISUSED) from None
    except (OSError, toml.TOMLDecodeError) as error:
        raise Mistake(f"{path.name} cannot be read: {error}", MISUSED) from None
    return read


def _checked(path: Path, table: Mapping[str, object]) -> dict[str, _Found]:
    return dict(_entries(path, table))


def _entries(path: Path, table: Mapping[str, object]) -> Iterator[tuple[str, _Found]]:
    known = {"app", *(option.name for option in OPTIONS)}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            near = closest(name, known)
            meant = f"; did you mean {near}?" if near else ""
            raise Mistake(f"{path.name}: there is no option {key}{meant}", MISUSED)
        yield name, (f"{path.name}: {key}", value)
