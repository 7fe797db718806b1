"""The fields of a request: ``req["HEADERS"]``.

Names are stored in lower case and found in any (RFC 9110 section 5.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

_T = TypeVar("_T")


class Headers(dict[str, str]):
    """A dict of header fields, by lower-case name; a name is found in any case of its letters.

    A field that a client sent several times has its values joined by ``", "`` (Cookie: ``"; "``).
    The core makes one for each request.
    """

    __slots__ = ()

    def __missing__(self, name: str) -> str:
        lower = _lower(name)
        if lower == name or not dict.__contains__(self, lower):
            raise KeyError(name)
        return dict.__getitem__(self, lower)

    def __contains__(self, name: object) -> bool:
        return dict.__contains__(self, name) or dict.__contains__(self, _lower(name))

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a field; ``default`` without it."""
        return self[name] if name in self else default  # noqa: SIM401 (this is get)

    def __setitem__(self, name: str, value: str) -> None:
        dict.__setitem__(self, _lower(name), value)

    def __delitem__(self, name: str) -> None:
        dict.__delitem__(self, _lower(name))

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The value of a field, which is set to ``default`` if it is not there."""
        return dict.setdefault(self, _lower(name), default)

    def pop(self, name: str, *default: Any) -> Any:
        """Remove a field and return its value; without it ``default``, or KeyError."""
        return dict.pop(self, _lower(name), *default)

    def update(  # type: ignore[override]
        self, other: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **named: str
    ) -> None:
        """Set fields."""
        for name, value in [*dict(other).items(), *named.items()]:
            self[name] = value

    def copy(self) -> Headers:
        """A copy that finds names in any case, too."""
        return Headers(self)


def _lower(name: Any) -> Any:
    return name.lower() if isinstance(name, str) else name
