"""Options for the operator of a server: health, metrics, and their listener."""

from __future__ import annotations

import platform

from .. import _core
from ..base.checks import check_int, check_utf8

#: The file of all workers' metrics, and the place in it that the next server of this process takes.
_board: tuple[int, int] | None = None


def set_board(fd: int, place: int) -> None:
    """Let the next server of this process count in the file of all workers."""
    global _board
    _board = (fd, place)


def take_board() -> tuple[int, int] | None:
    """The file and place in which the new server counts; None: it counts alone."""
    global _board
    taken, _board = _board, None
    return taken


def build() -> list[tuple[str, str]]:
    """The labels of the metric ``httpuv_build_info``."""
    return [
        ("version", _core.__version__),
        ("python", platform.python_version()),
        ("implementation", platform.python_implementation()),
    ]


def check_path(name: str, value: object) -> None:
    """Raise TypeError or ValueError if it is neither None nor a path of a URL."""
    if value is None:
        return
    if not isinstance(value, str):
        raise TypeError(f"{name} must be str or None, not {type(value).__name__}")
    if not value.startswith("/") or not value.isascii() or any(c in value for c in " ?#"):
        raise ValueError(f"{name} must be a path that begins with a slash, not {value!r}")


def check_admin(name: str, value: object) -> None:
    """Raise TypeError or ValueError if the value names no address to listen on."""
    if value is None:
        return
    if isinstance(value, int) and not isinstance(value, bool):
        check_int(name, value, 0, 2**31 - 1)
    elif isinstance(value, str):
        if "/" not in value:
            host_and_port(name, value)
    else:
        raise TypeError(f"{name} must be str, int or None, not {type(value).__name__}")


def host_and_port(name: str, value: str) -> tuple[str, int]:
    """``"HOST:PORT"`` or ``"[HOST]:PORT"`` in two parts; without a host 127.0.0.1."""
    host, colon, port = value.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{name} must be HOST:PORT or the path of a Unix socket, not {value!r}")
    check_utf8(name, host)
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)
