"""``--spa``: page navigations that lead to no file are answered with the index page.

What a page asks for besides (scripts, styles, data) stays 404: HTML in the place of a script gives
an error that is hard to find.
"""

from __future__ import annotations

from .paths import Environ


def is_navigation(req: Environ) -> bool:
    """Whether a browser wants to show what it gets as a page.

    Browsers say so (Sec-Fetch-Dest, W3C Fetch Metadata); of others the Accept field tells. A path
    whose last part has an extension names a file.
    """
    if req["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return False
    name = req["PATH_INFO"].rsplit("/", 1)[-1]
    if "." in name and not name.lower().endswith((".html", ".htm")):
        return False
    destination = req.get("HTTP_SEC_FETCH_DEST")
    if destination is not None:
        return bool(destination in ("document", "iframe", "frame"))
    return "text/html" in req.get("HTTP_ACCEPT", "")
