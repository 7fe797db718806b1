"""Header fields of answers and static paths, by one rule.

A value is str (Latin-1 characters, as in the fields of a request), bytes, int, or an object for
:func:`operator.index` (numpy's integers). A list or tuple of values is a field that is sent several
times.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, SupportsIndex

from ..base.checks import described

Value = str | bytes | SupportsIndex
Headers = Mapping[str, Value | Sequence[Value]] | Iterable[tuple[str, Value | Sequence[Value]]]


def header_fields(headers: object) -> Iterator[tuple[str, str]]:
    """Header fields of any accepted shape as (name, value) pairs.

    Args:
        headers: A mapping, an iterable of pairs, or None.

    Raises:
        TypeError: The shape, a name or a value has a wrong type; the message names the header.
        ValueError: A value has a character that is not in Latin-1.
    """
    if headers is None:
        return
    if isinstance(headers, Mapping):
        pairs: Iterable[Any] = headers.items()
    elif isinstance(headers, Iterable) and not isinstance(headers, (str, bytes)):
        pairs = headers
    else:
        raise TypeError(
            "headers must be a dict, a list of (name, value) pairs or None,"
            f" not {described(headers)}"
        )
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"headers must hold (name, value) pairs, not {described(pair)}")
        name, value = pair
        if not isinstance(name, str):
            raise TypeError(f"the name of a header must be str, not {described(name)}")
        for each in value if isinstance(value, (list, tuple)) else (value,):
            # str() converts an instance of a subclass; the core requires a plain str.
            yield str(name), _text(name, each)


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        text = str(value)
        try:
            text.encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError(f"header {name!r} must be of Latin-1 characters: {value!r}") from None
        return text
    if isinstance(value, bytes):
        return value.decode("latin-1")
    # True and False are ints, but never meant as numbers.
    if not isinstance(value, bool):
        try:
            return str(operator.index(value))  # type: ignore[arg-type]
        except TypeError:
            pass
    raise TypeError(
        f"header {name!r} must be str, bytes, a whole number or a list of them,"
        f" not {described(value)}"
    )
