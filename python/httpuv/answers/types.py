"""Types of answers, for type checkers; at run time they are plain dicts.

Source: manual page *startServer*, "Response Values".
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict, Union

if TYPE_CHECKING:
    from typing_extensions import Required

#: A value of a field; several are sent as several fields.
FieldValue = Union[str, bytes, int, "list[str]", "tuple[str, ...]"]


class FileBody(TypedDict, total=False):
    """A body that is a file."""

    file: Required[str | os.PathLike[str]]
    #: Whether it is deleted when it has been sent.
    owned: bool


class Response(TypedDict, total=False):
    """What ``call`` returns: an answer."""

    #: 200 to 999.
    status: Required[int]
    headers: Mapping[str, FieldValue] | Sequence[tuple[str, FieldValue]] | None
    body: (
        str
        | bytes
        | bytearray
        | memoryview
        | FileBody
        | Iterable[str]
        | Iterable[bytes]
        | AsyncIterable[str]
        | AsyncIterable[bytes]
        | None
    )
