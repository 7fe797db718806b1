"""Bodies that the application gets while they come: ``onBodyData`` and ``streamBody``.

The core announces such a request when its head has come, and reads on only as far as the
application keeps up: at most ``limits.body_memory_bytes`` wait for it, beyond that the client does.
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

#: Bytes of a piece of a body that is there as a whole.
_PIECE = 64 * 1024


class _Push:
    """Has ``onBodyData`` called with each piece; ``call`` comes after the last."""

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
    """The body of a request as it comes: ``req["rook.input"]`` where the app has ``streamBody``.

    For asyncio, one reader at a time::

        async def call(req):
            async for piece in req["rook.input"]:
                ...

    Nothing is read from the client before the application reads, and never more than
    ``limits.body_memory_bytes`` ahead of it; a client that waits for a 100 (Continue) gets it then.
    An answer that is complete before the body ends the reading.
    """

    def __init__(self, upload: _core.Upload | None, whole: Input | None = None) -> None:
        self._upload = upload
        self._whole = whole  # a body that is there already
        self._begun = False
        self._lock = fork.lock()
        self._pieces: deque[bytes] = deque()  # guarded by _lock, as is all that follows
        self._offset = 0  # what was taken of the first piece
        self._ended = upload is None
        self._lost = False
        self._waiter: asyncio.Future[None] | None = None

    async def read(self, n: int = -1) -> bytes:
        """Read at most ``n`` bytes, as soon as some are there; all the rest if ``n`` is negative.

        Returns:
            ``b""`` at the end.

        Raises:
            ConnectionError: The client has gone, or was refused, before the end of the body.
            RuntimeError: Somebody else is reading.
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
        """No more will come."""
        with self._lock:
            self._lost = True
            self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            tasks.resolve_soon(waiter)


def opener(app: App) -> Callable[[Environ, _core.Upload], object] | None:
    """What the core is to call when the head of a request with a body has come; None: nothing.

    Raises:
        TypeError: ``onBodyData`` is a coroutine function.
        ValueError: It is there together with ``streamBody``.
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
    """``call``, for requests whose bodies are there as a whole.

    They have none, or a static path with ``fallthrough`` has waited for it.
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
