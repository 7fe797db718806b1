"""The range of a file that a client has requested.

Source: RFC 9110 section 14; an If-Range field as in section 13.1.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_RANGE = re.compile(rb"bytes=(\d*)-(\d*)")


class Part(NamedTuple):
    """The part of a file that is the answer, with its status and Content-Range."""

    status: int
    content_range: str
    offset: int
    length: int


def asked(fields: Mapping[bytes, bytes], size: int, etag: str, last_modified: str) -> Part | None:
    """The part that is the answer to a GET. None: the whole file is the answer.

    Args:
        fields: Of the request, with names in lower case.
        size: Of the file, in bytes.
        etag: Of the answer; "" if it has none.
        last_modified: Of the answer, likewise.
    """
    match = _RANGE.fullmatch(fields.get(b"range", b""))
    if match is None or match.group(0) == b"bytes=-":
        return None
    condition = fields.get(b"if-range")
    if condition is not None:
        known = [etag] if etag and not etag.startswith("W/") else []
        known.append(last_modified)
        if not condition or condition.decode("latin-1") not in known:
            return None
    first, last = match.groups()
    if first:
        begin = int(first)
        end = min(int(last), size - 1) if last else size - 1
        if last and int(last) < begin:
            return None
    else:
        begin = max(0, size - int(last))
        end = size - 1 if int(last) else -1
    if begin >= size or end < begin:
        return Part(416, f"bytes */{size}", 0, 0)
    return Part(206, f"bytes {begin}-{end}/{size}", begin, end - begin + 1)
