"""Bodies that the application reads while they arrive: ``onBodyData`` and ``streamBody``.

The core announces such a request when its head has arrived. At most ``limits.body_memory_bytes``
wait for the application; beyond that the core does not read from the client.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from .. import _core
from ..answers.presence import Disconnected
from ..base import fork
from ..dispatch import tasks
from .app import App, Environ
from .request import Input

#: Bytes of one piece of a body that is already complete.
_PIECE = 64 * 1024


class _Push:
    """Calls ``onBodyData`` with each piece, and ``call`` after the last one."""

    def __init__(
        self,
        on_data: Callable[[Environ, bytes], object],
        environ: Environ,
        upload: _core.Upload,
    ) -> None:
        self._on_data = on_data
        self._environ = environ
        self._upload = upload
        self._gone = environ["httpuv.disconnected"] = Disconnected()
        upload.resume()

    def data(self, piece: bytes) -> None:
        tasks.refuse("onBodyData", self._on_data(self._environ, piece))
        self._upload.consumed(len(piece))

    def end(self) -> None:
        pass

    def lost(self) -> None:
        self._gone._set()


class BodyReader:
    """The body of a request as it arrives: ``req["rook.input"]`` if the app has ``streamBody``.

    It is for asyncio, with one reader at a time::

        async def call(req):
            async for piece in req["rook.input"]:
                ...

    The server reads from the client only when the application reads, and at most
    ``limits.body_memory_bytes`` ahead of it. A client that waits for 100 (Continue) gets it at the
    first read. An answer that is complete before the body ends the reading.
    """

    def __init__(self, upload: _core.Upload | None, whole: Input | None = None) -> None:
        self._upload = upload
        self._whole = whole  # a body that is already complete
        self._begun = False
        self._lock = fork.lock()
        self._pieces: deque[bytes] = deque()  # guarded by _lock, like the members below
        self._offset = 0  # bytes already taken from the first piece
        self._ended = upload is None
        self._lost = False
        self._waiter: asyncio.Future[None] | None = None

    async def read(self, n: int = -1) -> bytes:
        """Read at most ``n`` bytes, as soon as any arrive; the whole rest if ``n`` is negative.

        Returns:
            ``b""`` at the end.

        Raises:
            ConnectionError: The client has gone, or was refused, before the end of the body.
            RuntimeError: Another task is reading.
        """
        if n < 0:
            return b"".join([piece async for piece in self])
        if self._whole is not None:
            return self._whole.read(n)
        if n == 0 or not await self._until_some():
            return b""
        with self._lock:
            first = self._pieces[0]
            taken = first[self._offset : self._offset + n]
            self._offset += len(taken)
            if self._offset == len(first):
                self._pieces.popleft()
                self._offset = 0
        assert self._upload is not None
        self._upload.consumed(len(taken))
        return taken

    def __aiter__(self) -> BodyReader:
        return self

    async def __anext__(self) -> bytes:
        piece = await self.read(_PIECE)
        if not piece:
            raise StopAsyncIteration
        return piece

    async def _until_some(self) -> bool:
        """Wait for a piece; False at the end."""
        if not self._begun and self._upload is not None:
            self._begun = True
            self._upload.resume()
        while True:
            with self._lock:
                if self._pieces:
                    return True
                if self._ended:
                    return False
                if self._lost:
                    raise ConnectionError("the client has gone before the end of the body")
                if self._waiter is not None:
                    raise RuntimeError("another task is reading this body")
                waiter = self._waiter = asyncio.get_running_loop().create_future()
            try:
                await waiter
            finally:
                self._waiter = None

    # --- the core's side; on the thread that runs the callbacks ---

    def data(self, piece: bytes) -> None:
        """A piece has come."""
        with self._lock:
            self._pieces.append(piece)
            self._wake()

    def end(self) -> None:
        """The body is complete."""
        with self._lock:
            self._ended = True
            self._wake()

    def lost(self) -> None:
        """The rest will not come."""
        with self._lock:
            self._lost = True
            self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            tasks.resolve_soon(waiter)


def opener(app: App) -> Callable[[Environ, _core.Upload], object] | None:
    """The function for the core to call when the head of a request with a body has come, or None.

    Raises:
        TypeError: ``onBodyData`` is a coroutine function.
        ValueError: The application has both ``onBodyData`` and ``streamBody``.
    """
    on_data = app.onBodyData
    if on_data is not None:
        if app.streamBody:
            raise ValueError("app: onBodyData and streamBody exclude each other")
        if tasks.is_async_function(on_data):
            raise TypeError(
                "app: onBodyData must be a plain function; with streamBody, call may await the body"
            )
        return lambda environ, upload: _Push(on_data, environ, upload)
    if not app.streamBody:
        return None

    def open_reader(environ: Environ, upload: _core.Upload) -> BodyReader:
        reader = environ["rook.input"] = BodyReader(upload)
        return reader

    return open_reader


def prepare(app: App, call: Callable[[Environ], Any] | None) -> Callable[[Environ], Any] | None:
    """``call`` for requests with a complete body.

    Such a request has no body, or a static path with ``fallthrough`` has waited for it.
    """
    on_data = app.onBodyData
    if call is None or (on_data is None and not app.streamBody):
        return call

    def with_data(environ: Environ) -> Any:
        body = environ["rook.input"]
        while piece := body.read(_PIECE):
            tasks.refuse("onBodyData", on_data(environ, piece))  # type: ignore[misc]
        return call(environ)

    def with_reader(environ: Environ) -> Any:
        body = environ["rook.input"]
        if not isinstance(body, BodyReader):
            environ["rook.input"] = BodyReader(None, body)
        return call(environ)

    return with_reader if on_data is None else with_data
