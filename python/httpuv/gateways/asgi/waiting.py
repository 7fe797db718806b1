"""What coroutines of an exchange wait for, and that its client has gone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ...dispatch import tasks


class ClientGone(ConnectionError):
    """``send()`` after the client has gone: the OSError of the ASGI specification (2.4)."""


def caused_by_client(error: BaseException | None) -> bool:
    """Whether the reason of an exception is that the client has gone."""
    while error is not None:
        if isinstance(error, ClientGone):
            return True
        error = error.__cause__ or error.__context__
    return False


class Waiting:
    """Mixed into exchanges: coroutines that wait for a change. Without an ``__init__``."""

    _waiters: list[asyncio.Future[None]] | None = None

    def _wake(self) -> None:
        """Something has changed."""
        waiters, self._waiters = self._waiters, None
        for each in waiters or ():
            tasks.resolve_soon(each)

    async def _wait(
        self, until: Callable[[], bool], ask: Callable[[], object] | None = None
    ) -> None:
        """Wait until a condition holds, which a change may have made true.

        Args:
            until: The condition.
            ask: Called before each wait; it asks for the change.
        """
        while not until():
            if ask is not None:
                ask()
            future = asyncio.get_running_loop().create_future()
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(future)
            try:
                # Checked again afterwards: a change from here on resolves this future.
                if not until():
                    await future
            finally:
                if self._waiters is not None:
                    with contextlib.suppress(ValueError):
                        self._waiters.remove(future)
