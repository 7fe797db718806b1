"""The shared metrics of all workers of a command, and their state."""

from __future__ import annotations

import os
import tempfile

from ..._core import MetricsBoard


class Board:
    """The shared memory of the workers' metrics, with a place for each of their I/O threads.

    A new worker continues to count in the place of a worker that has ended, so sums never fall.

    Args:
        io_threads: The number of I/O threads of a worker.

    Raises:
        OSError: There is no such memory.
    """

    def __init__(self, io_threads: int) -> None:
        if hasattr(os, "memfd_create"):
            self.fd = os.memfd_create("httpuv metrics", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile() as file:
                self.fd = os.dup(file.fileno())
        self._metrics = MetricsBoard(self.fd)
        self._each = io_threads
        self._taken: set[int] = set()

    def take(self) -> int:
        """Reserve the lowest free places for a worker; return the first of them."""
        numbers = range(len(self._taken) + 1)
        place = next(each for each in numbers if each * self._each not in self._taken) * self._each
        self._taken.add(place)
        return place

    def leave(self, place: int) -> None:
        """Free the places of a worker that has ended."""
        self._metrics.leave(place, self._each)
        self._taken.discard(place)

    def stuck(self, place: int) -> float:
        """Seconds for which its Python has been stuck."""
        return self._metrics.stuck(place, self._each)

    def requests(self, place: int) -> int:
        """The number of requests that workers with these places have had."""
        return self._metrics.requests(place, self._each)

    def close(self) -> None:
        """Close the memory; later counts of workers are lost."""
        os.close(self.fd)
