"""What describes an option of a server, and the signatures and texts that are made of it."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ..base import names

_Function = TypeVar("_Function", bound=Callable[..., object])


def _unchecked(name: str, value: object) -> None:
    """The part that uses the option checks it."""


@dataclass(frozen=True)
class Option:
    """The description of an option, besides its name and type.

    Args:
        default: The default value.
        text: What it does, as reStructuredText.
        check: Raises TypeError or ValueError, with the name in the message, for a wrong value.
    """

    default: object
    text: str
    check: Callable[[str, Any], object] = _unchecked


def descriptions(options: type) -> dict[str, Option]:
    """The description of each option of a TypedDict, by name."""
    return {name: hint.__metadata__[0] for name, hint in options.__annotations__.items()}


class Described(Protocol):
    """What has a description, as reStructuredText."""

    @property
    def text(self) -> str: ...


def documentation(options: Mapping[str, Described]) -> str:
    """The options as the "Args" section of a docstring lists them."""
    return "\n".join(
        textwrap.fill(
            f"{name}: {' '.join(option.text.split())}",
            width=96,
            initial_indent=" " * 8,
            subsequent_indent=" " * 12,
            break_on_hyphens=False,
            break_long_words=False,
        )
        for name, option in options.items()
    )


def takes(options: type, *, described: bool = False) -> Callable[[_Function], _Function]:
    """Let help() show the ``**options`` of a function by name, and check the names of a call.

    Args:
        options: The TypedDict of the options.
        described: Whether the docstring describes the options; otherwise it refers to
            startServer(). The text replaces the line that begins with ``options: ``.
    """
    known = descriptions(options)

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)
        *own, _ = signature.parameters.values()
        shown = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=option.default,
                annotation=options.__annotations__[name].__origin__,
            )
            for name, option in known.items()
        ]
        function.__signature__ = signature.replace(parameters=[*own, *shown])  # type: ignore[attr-defined]
        if function.__doc__:  # python -OO has none
            text = documentation(known) if described else _reference(known)
            function.__doc__ = re.sub(
                "^        options: .*$", lambda _: text, function.__doc__, flags=re.MULTILINE
            )
        return names.checked(function)

    return decorate


def _reference(options: Iterable[str]) -> str:
    """The options as one-line entries of an "Args" section that refer to startServer()."""
    lines: list[str] = []
    for name in options:
        longer = f"{lines[-1]}, {name}" if lines else ""
        if longer and len(longer) <= 60:
            lines[-1] = longer
        else:
            lines.append(name)
    return "\n".join(f"        {line}: As for :func:`startServer`." for line in lines)
