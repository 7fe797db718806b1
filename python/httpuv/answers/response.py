"""Conversion of the results of ``call`` and ``onHeaders`` to the core's types.

The core itself converts the plain shape: a dict with an int ``status``, a dict of str headers or
none, and a str, bytes or no ``body``. Everything else goes to :mod:`httpuv.answers.asyncapp`.
Results that are neither awaited nor streamed go to :func:`convert`.

Source: manual page *startServer*, section "Response Values".
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import logging
import operator
import os
import stat
from collections.abc import Mapping
from typing import Any

from .. import _core
from ..base.checks import described as _described
from ..base.log import write
from ..base.names import hint
from ..options.headers import header_fields

_KEYS = ("status", "headers", "body")
#: Keys of responses that were logged, and how many at most.
_told: set[object] = set()
_MOST_TOLD = 100

Headers = list[tuple[str, str]]
Body = bytes | _core.File | None
Normal = tuple[int, Headers, Body]


def convert(result: object, environ: dict[str, Any], mime: _core.MimeTable) -> Normal:
    """Convert an application's answer.

    Args:
        result: A mapping with

            * ``status``: a whole number from 200 to 999;
            * ``headers``: a mapping from names to values - str, bytes (Latin-1), whole numbers, or
              lists of them for a field that is sent several times -, an iterable of
              (name, value) pairs, or None;
            * ``body``: str (sent as UTF-8), bytes-like, None, or
              ``{"file": path, "owned": bool}``; an owned file is deleted when it has been sent.
              GET and HEAD get a file as from a static path: with Content-Type, ETag and
              Last-Modified unless ``headers`` has them, and with ranges and conditions.
              :mod:`httpuv.answers.streaming` sends iterables of text or bytes.
        environ: The request.
        mime: Media types by file extension.

    Returns:
        Status, header fields, body.

    Raises:
        TypeError: Something has the wrong type.
        ValueError: Something has the right type and an impossible value.
        OSError: The file of the body cannot be opened.
    """
    if not isinstance(result, Mapping):
        if inspect.iscoroutine(result):
            result.close()  # avoids Python's warning that it was never awaited
        raise TypeError(
            "a response must be a dict with 'status', 'headers' and 'body',"
            f" not {_described(result)}"
        )
    _check_keys(result)
    status = _status(result["status"])
    headers = list(header_fields(result.get("headers")))
    return status, headers, _body(result.get("body"), environ, mime)


def head_of(result: Mapping[Any, Any]) -> tuple[int, Headers, int | None]:
    """Convert the head of an answer with a streamed body.

    Returns:
        Status, header fields without Content-Length, and the length or None.

    Raises:
        TypeError, ValueError: As for :func:`convert`.
    """
    _check_keys(result)
    headers: Headers = []
    length: int | None = None
    for name, value in header_fields(result.get("headers")):
        if name.lower() != "content-length":
            headers.append((name, value))
        elif not value.isascii() or not value.isdigit() or length not in (None, int(value)):
            raise ValueError(f"Content-Length must be a number of bytes, not {value!r}")
        else:
            length = int(value)
    return _status(result["status"]), headers, length


def _check_keys(result: Mapping[Any, Any]) -> None:
    """Raise TypeError if there is no status; log each unknown key once."""
    if "status" not in result:
        raise TypeError(f"a response must have a 'status'; this one has {_keys(result)}")
    for key in result:
        if key in _KEYS or key in _told or len(_told) >= _MOST_TOLD:
            continue
        _told.add(key)
        meant = hint(str(key), _KEYS)
        write(logging.WARNING, "a response has the key %r, which is ignored%s", key, meant)


def _status(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)  # R's numbers are floats
    if not isinstance(value, bool):
        try:
            return operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise TypeError(f"status must be a whole number, not {_described(value)}")


def _body(body: object, environ: dict[str, Any], mime: _core.MimeTable) -> Body:
    if body is None:
        return None
    if isinstance(body, str):
        return body.encode("utf-8")
    if isinstance(body, bytes):
        return bytes(body)
    if isinstance(body, Mapping):
        return _file(body, environ, mime)
    try:
        memoryview(body).release()  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            "body must be str, bytes-like, None or {'file': path, 'owned': bool},"
            f" not {_described(body)}"
        ) from None
    return _core.to_bytes(body, "body")


def _file(body: Mapping[Any, Any], environ: dict[str, Any], mime: _core.MimeTable) -> _core.File:
    unknown = set(body) - {"file", "owned"}
    if "file" not in body or unknown:
        raise TypeError(
            "body must be str, bytes-like, None or {'file': path, 'owned': bool},"
            f" not a dict that has {_keys(body)}"
        )
    owned = body.get("owned", False)
    if not isinstance(owned, bool):
        raise TypeError(f"'owned' of a body must be bool, not {_described(owned)}")
    path = os.fspath(body["file"])
    # Non-blocking, because opening a FIFO would block; regular files ignore the flag.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            code = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
            raise OSError(code, "a body must be a regular file", path)
        if owned:
            # The name is removed now; the system frees the file when it has been sent.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    except BaseException:
        os.close(fd)
        raise
    return _core.File(fd, os.fsdecode(path), mime, environ)


def _keys(mapping: Mapping[Any, Any]) -> str:
    return ", ".join(map(repr, mapping)) if mapping else "no entries"
