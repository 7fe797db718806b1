"""Where requests lead in the served directory."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote_to_bytes

Environ = dict[str, Any]
Response = dict[str, Any]

_HIDDEN_BUT_SERVED = ".well-known"


def resolve(root: str, url_path: str, *, dotfiles: bool, symlinks: bool) -> str | None:
    """The local path of a URL path below ``root``; it need not exist.

    Args:
        root: The served directory, absolute and without links in it.
        url_path: As the client sent it, percent-encoded.
        dotfiles: Whether names that begin with a dot may be named.
        symlinks: Whether links may lead out of the directory.

    Returns:
        None where the path leads out of the directory or to a hidden name.
    """
    try:
        decoded = unquote_to_bytes(url_path)
    except ValueError:
        return None
    parts = [os.fsdecode(part) for part in decoded.split(b"/") if part not in (b"", b".")]
    for part in parts:
        if ".." in part.split("\\") or "\0" in part:
            return None
        if part.startswith(".") and part != _HIDDEN_BUT_SERVED and not dotfiles:
            return None
    path = os.path.join(root, *parts)
    if not symlinks:
        real = os.path.realpath(path)
        if real != root and not real.startswith(os.path.join(root, "")):
            return None
    return path


def refusal(req: Environ, status: int, phrase: str, text: str | None = None) -> Response:
    """A small answer: a page for a browser that shows one, text for programs."""
    from .. import _core

    if text is None and "text/html" in req.get("HTTP_ACCEPT", ""):
        return {
            "status": status,
            "headers": {"Content-Type": "text/html; charset=utf-8", "Vary": "Accept"},
            "body": _core.error_page(status, phrase),
        }
    return {
        "status": status,
        "headers": {"Content-Type": "text/plain; charset=utf-8", "Vary": "Accept"},
        "body": text or phrase,
    }
