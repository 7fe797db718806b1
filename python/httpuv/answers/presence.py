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

    For plain functions that take long: they keep the thread that would learn of it otherwise, so
    each call asks the I/O thread (some ten microseconds). A client has gone when it has reset the
    connection, or has taken nothing of an answer for ``limits.write_timeout``. One that only says
    that it will send no more still waits for its answer (RFC 9112 section 9.6). Coroutine functions
    have ``req["httpuv.disconnected"]``, which can be waited for.

    Raises:
        RuntimeError: Not inside of ``call`` or ``onHeaders``, or on another thread than theirs.
    """
    return _core.client_gone()


class Disconnected:
    """Whether the client of a request has gone: ``req["httpuv.disconnected"]``.

    Coroutine functions find it in every request, ``onBodyData`` too; other callbacks in one that
    they answer with something to wait for or to iterate over, from their return on. True as an
    object once the client has gone: it has reset the connection, has taken nothing of an answer for
    ``limits.write_timeout``, or has left in the middle of its request. One that only says that it
    will send no more still waits for its answer (RFC 9112 section 9.6). May be used on any thread,
    and awaited in asyncio.
    """

    # The core makes an instance for each request of a coroutine function, without __init__().
    _gone = False
    _listeners: tuple[Callable[[], object], ...] = ()  # by _lock

    def is_set(self) -> bool:
        """Whether the client has gone."""
        return self._gone

    __bool__ = is_set

    def wait(self, timeout: float | None = None) -> Any:
        """Wait until the client has gone; False if so many seconds have passed before.

        In a coroutine it is to be awaited (``await gone.wait()``), and the asyncio loop goes on. A
        plain function waits in its thread.

        Raises:
            RuntimeError: In a plain function on the thread of an asyncio loop, which it would stop.
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
            # Equal is enough: a bound method is another object each time.
            self._listeners = tuple(each for each in self._listeners if each != func)

    def _set(self) -> None:
        with _lock:
            self._gone = True
            listeners, self._listeners = self._listeners, ()
        for func in listeners:
            func()
