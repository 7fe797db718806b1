"""``--auth user:password``: Basic authentication (RFC 7617), checked by the I/O thread."""

from __future__ import annotations

import base64
import hmac
from typing import Any

#: The challenge that makes browsers ask for user and password.
CHALLENGE = 'Basic realm="files", charset="UTF-8"'


def credentials(text: str) -> str:
    """The value of Authorization for ``user:password``.

    Raises:
        ValueError: There is no colon, or a control character.
    """
    user, colon, password = text.partition(":")
    if not colon or not user:
        raise ValueError("auth must be of the form USER:PASSWORD")
    if not text.isprintable():
        raise ValueError("auth must not have control characters in it")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def static_options(text: str) -> dict[str, Any]:
    """Options of a static path that allow only this user."""
    return {"validation": f'"authorization" = "{credentials(text)}"', "challenge": CHALLENGE}


def allowed(req: dict[str, Any], text: str) -> bool:
    """Whether a request that ``call`` answers carries the credentials."""
    given = req.get("HTTP_AUTHORIZATION", "")
    return hmac.compare_digest(given.encode("latin-1", "replace"), credentials(text).encode())
