"""``--spa``: page navigations without a file are answered with the index page.

Other missing files (scripts, styles, data) stay 404, because HTML in place of a script is an error
that is hard to find.
"""

from __future__ import annotations

from .paths import Environ


def is_navigation(req: Environ) -> bool:
    """Whether a browser will show the answer as a page.

    Browsers send Sec-Fetch-Dest (W3C Fetch Metadata). For other clients the Accept field decides. A
    path with an extension in its last part is a file.
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
