"""Fields that every answer of an ASGI application has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_HEADS = ("http.response.start", "websocket.accept", "websocket.http.response.start")


def with_fields(app: Any, fields: Sequence[tuple[str, str]]) -> Any:
    """The same application, with fields in front of its own in each answer.

    Args:
        app: An ASGI application.
        fields: Names and values.

    Raises:
        TypeError: One of them is no pair of str.
    """
    for each in fields:
        if len(each) != 2 or not all(isinstance(part, str) for part in each):
            raise TypeError(f"headers must be pairs of str, not {each!r}")
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in fields]

    async def wrapped(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async def send_more(message: dict[str, Any]) -> None:
            if message["type"] in _HEADS:
                message = {**message, "headers": [*encoded, *message.get("headers", ())]}
            await send(message)

        await app(scope, receive, send if scope["type"] == "lifespan" else send_more)

    return wrapped
