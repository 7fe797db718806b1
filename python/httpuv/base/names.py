"""Names that do not exist: messages and checks that say which name was probably meant."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

_Callable = TypeVar("_Callable", bound=Callable[..., object])
_Class = TypeVar("_Class", bound=type)


def closest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known name that is most like this one; None if none is.

    Args:
        likeness: How much two names have in common at least, from 0 to 1.
    """
    return next(iter(difflib.get_close_matches(name, list(known), 1, likeness)), None)


def hint(name: str, known: Iterable[str]) -> str:
    """The end of a message about a name that does not exist; ``""`` if no known name is like it."""
    meant = closest(name, known)
    return "" if meant is None else f"; did you mean {meant!r}?"


def check_names(given: Iterable[str], known: Iterable[str]) -> None:
    """Raise TypeError if a keyword argument is not among those that are known."""
    known = list(known)
    for name in given:
        if name not in known:
            raise TypeError(f"unexpected keyword argument {name!r}{hint(name, known)}")


def checked(function: _Callable) -> _Callable:
    """Let a function say which keyword argument was meant. (Python itself does from 3.13 on.)

    The names are those of its signature: ``__signature__`` where it has one.
    """
    known = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> object:
        check_names(kwargs, known)
        return function(*args, **kwargs)

    return cast(_Callable, call)


def checked_class(made: _Class) -> _Class:
    """The same for the arguments of a class."""
    made.__init__ = checked(made.__init__)  # type: ignore[misc]
    return made
