"""Whether the client of a request is still there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from typing import Any

from .. import _core
from ..base import fork
from ..dispatch import tasks

_lock = fork.lock()


def disconnected() -> bool:
    """Whether the client of the request that is being answered on this thread has gone.

    This is for plain functions that take long. Each call asks the I/O thread, which takes about ten
    microseconds. A client has gone when it has reset the connection, or has taken nothing of an
    answer for ``limits.write_timeout``. A client that only closes its sending side still waits for
    its answer (RFC 9112 section 9.6). Coroutine functions have ``req["httpuv.disconnected"]``,
    which can be awaited.

    Raises:
        RuntimeError: It was not called by ``call`` or ``onHeaders`` on their own thread.
    """
    return _core.client_gone()


class Disconnected:
    """Whether the client of a request has gone: ``req["httpuv.disconnected"]``.

    Coroutine functions and ``onBodyData`` find it in every request. Other callbacks find it after
    their return, if they have answered with an awaitable or an iterable. The object is true once
    the client has gone: the client has reset the connection, has taken nothing of an answer for
    ``limits.write_timeout``, or has left in the middle of its request. A client that only closes
    its sending side still waits for its answer (RFC 9112 section 9.6). The object may be used on
    any thread, and awaited in asyncio.
    """

    # The core creates an instance for each request of a coroutine function, without __init__().
    _gone = False
    _listeners: tuple[Callable[[], object], ...] = ()  # guarded by _lock

    def is_set(self) -> bool:
        """Whether the client has gone."""
        return self._gone

    __bool__ = is_set

    def wait(self, timeout: float | None = None) -> Any:
        """Wait until the client has gone; return False if ``timeout`` seconds pass first.

        A coroutine awaits it (``await gone.wait()``), and the asyncio loop goes on. A plain
        function blocks its thread.

        Raises:
            RuntimeError: A plain function on the thread of an asyncio loop called it. It would
                block the loop.
        """
        if tasks.running_loop() is not None:
            if asyncio.current_task() is None:
                raise RuntimeError(
                    "wait() would stop the asyncio loop; await it in a coroutine, or ask"
                    " httpuv.disconnected()"
                )
            return self._wait_at_most(timeout)
        event = threading.Event()
        self._listen(event.set)
        try:
            return event.wait(timeout)
        finally:
            self._ignore(event.set)

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    async def _wait_at_most(self, timeout: float | None) -> bool:
        try:
            await asyncio.wait_for(self._wait(), timeout)
        except asyncio.TimeoutError:
            return False
        return True

    async def _wait(self) -> None:
        future = asyncio.get_running_loop().create_future()

        def wake() -> None:
            tasks.resolve_soon(future)

        self._listen(wake)
        try:
            await future
        finally:
            self._ignore(wake)

    def _listen(self, func: Callable[[], object]) -> None:
        with _lock:
            if not self._gone:
                self._listeners = (*self._listeners, func)
                return
        func()

    def _ignore(self, func: Callable[[], object]) -> None:
        with _lock:
            # Equality, not identity: a bound method is another object each time.
            self._listeners = tuple(each for each in self._listeners if each != func)

    def _set(self) -> None:
        with _lock:
            self._gone = True
            listeners, self._listeners = self._listeners, ()
        for func in listeners:
            func()
