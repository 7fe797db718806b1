"""What coroutines of an exchange wait for, and that its client has gone."""

from __future__ import annotations

import asyncio
import contextlib
import threading
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
    """Mixed into exchanges: coroutines of one loop that wait for a change. Without an
    ``__init__``.
    """

    _waiters: list[asyncio.Future[None]] | None = None
    _loop: asyncio.AbstractEventLoop | None = None  # of the coroutines, since the first has waited
    _thread = 0  # the loop's

    def _wake(self) -> None:
        """Something has changed."""
        waiters, self._waiters = self._waiters, None
        if waiters is None:
            return
        here = threading.get_ident() == self._thread
        for each in waiters:
            if not here:
                tasks.resolve_soon(each)
            elif not each.done():
                each.set_result(None)

    def _new_waiter(self) -> asyncio.Future[None]:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.get_ident()
        future = self._loop.create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(future)
        return future

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
            future = self._new_waiter()
            try:
                # Checked again afterwards: a change from here on resolves this future.
                if not until():
                    await future
            finally:
                if self._waiters is not None:
                    with contextlib.suppress(ValueError):
                        self._waiters.remove(future)
