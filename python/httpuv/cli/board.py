"""What all workers of a command count together, and how they are seen to be."""

from __future__ import annotations

import os
import tempfile

from .._core import MetricsBoard


class Board:
    """The memory that the workers count in: a place for each of their I/O threads.

    A worker that takes the place of one that has ended counts on there, so that sums never fall.

    Args:
        io_threads: How many a worker has.

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
        """The first of the places for a worker, the lowest that are free."""
        numbers = range(len(self._taken) + 1)
        place = next(each for each in numbers if each * self._each not in self._taken) * self._each
        self._taken.add(place)
        return place

    def leave(self, place: int) -> None:
        """The worker with the places from there on has ended."""
        self._metrics.leave(place, self._each)
        self._taken.discard(place)

    def stuck(self, place: int) -> float:
        """Seconds for which its Python has been stuck."""
        return self._metrics.stuck(place, self._each)

    def requests(self, place: int) -> int:
        """Requests that the workers with its places have had."""
        return self._metrics.requests(place, self._each)

    def close(self) -> None:
        """Close the memory; what workers still count is lost."""
        os.close(self.fd)
