"""Checks of arguments that several modules share. Each message names the argument and its value."""

from __future__ import annotations

import operator
from collections.abc import Iterable


def check_int(name: str, value: object, low: int, high: int | None) -> int:
    """``value`` as an int within ``low..high`` (both included; ``None``: no upper bound).

    A float without a fraction counts (R's numbers are floats); a bool does not.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is out of range.
    """
    if isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    else:
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < low or (high is not None and number > high):
        bounds = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} must be {bounds}, not {number}")
    return number


def check_seconds(name: str, value: object, *, zero: bool = False) -> float:
    """``value`` as a number of seconds above 0 (or 0, if ``zero``), at most 1e9 (32 years).

    Raises:
        TypeError: It is no number.
        ValueError: It is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    number = float(value)
    if not (0 < number <= 1e9 or (zero and number == 0)):
        least = "from" if zero else "above"
        raise ValueError(f"{name} must be {least} 0 to 1e9 seconds, not {value!r}")
    return number


def check_utf8(name: str, text: str) -> str:
    """``text``, which must be possible in UTF-8, as the core has it.

    Raises:
        ValueError: It has half of a surrogate pair in it, as os.fsdecode() makes of other bytes.
    """
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{name} must be possible in UTF-8, not {text!r}") from None
    return text


def strings_of(value: object) -> list[str] | None:
    """A list or another iterable of str, as a list; None for any other value.

    A str is an iterable of str too, but it is never meant as one.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        return None
    result = list(value)
    return result if all(isinstance(each, str) for each in result) else None


def described(value: object) -> str:
    """A wrong value for a message: its type, and the value if that is short."""
    text = repr(value)
    name = type(value).__name__
    return name if value is None or len(text) > 80 else f"{name} ({text})"
