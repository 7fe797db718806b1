"""Base64."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from .. import _core


def rawToBase64(x: bytes | bytearray | memoryview | Sequence[int]) -> str:
    """Encode bytes as Base64 (RFC 4648 section 4), with padding and without line breaks.

    Args:
        x: Bytes-like, or a list or tuple of whole numbers from 0 to 255.

    Raises:
        TypeError, ValueError: ``x`` is something else.

    Source: manual page *rawToBase64*.
    """
    if isinstance(x, (list, tuple)):
        try:
            x = bytes(x)
        except ValueError:
            raise ValueError("x must hold numbers from 0 to 255") from None
        except TypeError:
            raise TypeError("x must hold whole numbers") from None
    else:
        try:
            memoryview(x).release()  # type: ignore[arg-type]
        except TypeError:
            raise TypeError(
                f"x must be bytes-like or a list of numbers, not {type(x).__name__}"
            ) from None
        x = _core.to_bytes(x, "x")
    return base64.b64encode(x).decode("ascii")
