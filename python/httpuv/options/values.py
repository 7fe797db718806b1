"""The checks of options that are values of their own; each names the option in its message."""

from __future__ import annotations

from os import PathLike

from ..base.checks import check_int, check_seconds, check_utf8
from .limits import Limits

_BROKER = ("start", "publish", "subscribe", "unsubscribe", "history", "health", "close")


def check_bool(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be bool, not {type(value).__name__}")


def check_access_log(name: str, value: object) -> None:
    if not isinstance(value, (bool, str)):
        raise TypeError(f"{name} must be bool or str, not {type(value).__name__}")
    check_utf8(name, value if isinstance(value, str) else "")


def check_file(name: str, value: object) -> None:
    if value is not None and not isinstance(value, (str, PathLike)):
        raise TypeError(f"{name} must be a path or None, not {type(value).__name__}")


def check_limits(name: str, value: object) -> None:
    if not isinstance(value, (Limits, type(None))):
        raise TypeError(f"{name} must be Limits or None, not {type(value).__name__}")


def check_timeout(name: str, value: object) -> None:
    if value is not None:
        check_seconds(name, value)


def check_fd(name: str, value: object) -> None:
    if value is not None:
        check_int(name, value, 0, 2**31 - 1)


def check_coroutines(name: str, value: object) -> None:
    if value not in ("callbacks", "thread"):
        raise ValueError(f"{name} must be 'callbacks' or 'thread', not {value!r}")


def check_wsgi_input(name: str, value: object) -> None:
    if value not in ("collect", "stream"):
        raise ValueError(f"{name} must be 'collect' or 'stream', not {value!r}")


def check_broker(name: str, value: object) -> None:
    missing = [each for each in _BROKER if not callable(getattr(value, each, None))]
    if value is not None and missing:
        raise TypeError(f"{name} must be a Broker or None; {value!r} has no {missing[0]}()")
