"""Keeps the interpreter occupied, as a long computation in the application would."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable

HOLD_MICROSECONDS = 3_000_000


def spin() -> None:
    """Pure Python without an end: the GIL changes hands only at the switch interval."""
    number = 0
    while True:
        number = (number + 1) % 1_000_003


def spin_while(wanted: Callable[[], bool]) -> None:
    """The same in a separate process, for as long as it is wanted."""
    while wanted():
        for number in range(100_000):
            number % 1_000_003


def hold() -> None:
    """C code that does not release the GIL: three seconds at a time, with a breath between."""
    usleep = ctypes.PyDLL(None).usleep  # PyDLL keeps the GIL while it calls
    while True:
        usleep(HOLD_MICROSECONDS)
        time.sleep(0.005)


def block(how: str) -> None:
    """Occupies this thread for three seconds: "spin" and "hold" keep the interpreter, too, "sleep"
    does not."""
    if how == "hold":
        ctypes.PyDLL(None).usleep(HOLD_MICROSECONDS)
    elif how == "sleep":
        time.sleep(HOLD_MICROSECONDS / 1e6)
    else:
        end = time.monotonic() + HOLD_MICROSECONDS / 1e6
        spin_while(lambda: time.monotonic() < end)


def occupy(how: str) -> None:
    """Starts a daemon thread: "spin", "hold", or nothing for ""."""
    if how:
        target = {"spin": spin, "hold": hold}[how]
        threading.Thread(target=target, daemon=True, name=how).start()
