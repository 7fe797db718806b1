"""The fields of a request: ``req["HEADERS"]``.

Names are stored in lower case and found in any case of letters (RFC 9110 section 5.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

_T = TypeVar("_T")


class Headers(dict[str, str]):
    """A dict of header fields by lower-case name; a name is found in any case of letters.

    The values of a repeated field are joined by ``", "`` (Cookie: ``"; "``). The core creates one
    object for each request.
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
        """The value of a field; ``default`` if it is missing."""
        return self[name] if name in self else default  # noqa: SIM401 (this is get)

    def __setitem__(self, name: str, value: str) -> None:
        dict.__setitem__(self, _lower(name), value)

    def __delitem__(self, name: str) -> None:
        dict.__delitem__(self, _lower(name))

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The value of a field; a missing field is set to ``default`` first."""
        return dict.setdefault(self, _lower(name), default)

    def pop(self, name: str, *default: Any) -> Any:
        """Remove a field and return its value; if it is missing, ``default`` or KeyError."""
        return dict.pop(self, _lower(name), *default)

    def update(  # type: ignore[override]
        self, other: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **named: str
    ) -> None:
        """Set fields."""
        for name, value in [*dict(other).items(), *named.items()]:
            self[name] = value

    def copy(self) -> Headers:
        """A copy, which also finds names in any case of letters."""
        return Headers(self)


def _lower(name: Any) -> Any:
    return name.lower() if isinstance(name, str) else name
