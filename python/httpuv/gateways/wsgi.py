"""The gateway of one WSGI application of a server.

Source: PEP 3333.
"""

from __future__ import annotations

import contextvars
import io
import os
import stat
import time
from collections.abc import Callable, Iterator
from typing import Any

from .. import _core
from ..base.log import log_failure
from ..rook.request import Errors

#: Bytes of an answer that may be on their way from the application to the kernel.
_WINDOW = 256 * 1024
#: Seconds that one iterable may run before other callbacks run.
_SLICE = 0.005
#: Bytes of a body that is still coming, for lines and short reads.
_PIECE = 64 * 1024


class FileWrapper:
    """``wsgi.file_wrapper``: an iterable over a file; the kernel sends the file if possible.

    Args:
        filelike: An object with ``read()``.
        blksize: The number of bytes of one read.
    """

    def __init__(self, filelike: Any, blksize: int = 64 * 1024) -> None:
        self.filelike = filelike
        self.blksize = blksize
        close = getattr(filelike, "close", None)
        if close is not None:
            self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece: bytes = self.filelike.read(self.blksize)
        if not piece:
            raise StopIteration
        return piece


def open_file(wrapper: FileWrapper) -> tuple[int, int, int] | None:
    """Descriptor, offset and length of the rest of a file; None: it has to be read."""
    filelike = wrapper.filelike
    try:
        fd = filelike.fileno()
        status = os.fstat(fd)
        offset = filelike.tell()
    except (AttributeError, OSError, ValueError):  # io.UnsupportedOperation is both of the last
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return os.dup(fd), offset, max(0, status.st_size - offset)


class _Rest:
    """The rest of an iterable, which runs between callbacks if one thread runs all callbacks.

    Args:
        iterator: The rest of the pieces.
        iterable: The object to close at the end.
        environ: The request.
        reply: The answer; its head was sent.
        context: The context of the application's call.
        left: Bytes of the Content-Length that were not sent yet; None if there was none.
    """

    def __init__(
        self,
        iterator: Iterator[bytes],
        iterable: object,
        environ: dict[str, Any],
        reply: _core.Reply,
        context: contextvars.Context,
        left: int | None,
    ) -> None:
        self.iterator = iterator
        self.iterable = iterable
        self.environ = environ
        self.reply = reply
        self.context = context
        self.left = left
        self.sent = 0
        self.taken = 0
        self.running = False
        self.over = False
        reply.on_taken = self._on_taken
        reply.on_abandoned = self._gone
        # The client may first have to read the pieces before; the core reports when it has.
        reply.write(b"", True)
        self._post()

    def _post(self) -> None:
        self.reply.call_soon(lambda: self.reply.gather(self._step))

    def _on_taken(self, total: int) -> None:
        waited = self.sent >= _WINDOW
        self.sent = 0  # bytes sent so far
        if waited:
            self._post()

    def _gone(self) -> None:
        if not self.running:
            self._close()

    def _step(self) -> None:
        if self.running or self.over:
            return  # the iterable itself runs callbacks at this moment
        self.running = True
        try:
            self.context.run(self._advance)
        except BaseException as error:
            self.reply.cut()
            log_failure("the WSGI application", self.environ, error)
            self._close()
            if not isinstance(error, Exception):
                raise
        finally:
            self.running = False

    def _advance(self) -> None:
        until = time.monotonic() + _SLICE
        for piece in self.iterator:
            if not isinstance(piece, bytes):
                raise TypeError(f"a WSGI application must give bytes, not {type(piece).__name__}")
            if self.reply.done:
                break
            if piece:
                self._write(piece)
            if self.sent >= _WINDOW:
                return  # _on_taken() goes on
            if time.monotonic() >= until:
                return self._post()
        if self.left and not self.reply.done:
            raise ValueError("the body is shorter than its Content-Length")
        self.reply.end()
        self._close()

    def _write(self, piece: bytes) -> None:
        given = len(piece)
        if self.left is not None:
            piece = piece[: self.left]
            self.left -= len(piece)
        self.sent += len(piece)
        self.reply.write(piece, self.sent >= _WINDOW)
        if len(piece) < given:
            self.reply.end()
            raise ValueError("the body is longer than its Content-Length")

    def _close(self) -> None:
        if self.over:
            return
        self.over = True
        reply = self.reply
        reply.on_taken = reply.on_abandoned = None
        close = getattr(self.iterable, "close", None)
        if close is None:
            return
        try:
            self.context.run(close) if not self.running else close()
        except Exception as error:
            log_failure("close() of a WSGI iterable", self.environ, error)


class _Arriving(io.RawIOBase):
    """A body that has not come yet: reading waits for the client."""

    def __init__(self, pipe: _core.BodyPipe) -> None:
        super().__init__()
        self._pipe = pipe

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._pipe.readinto(buffer)


def open_input(pipe: _core.BodyPipe) -> io.BufferedReader:
    """``wsgi.input`` while the body is still coming."""
    return io.BufferedReader(_Arriving(pipe), _PIECE)


class WsgiGateway:
    """One WSGI application of one server.

    Args:
        app: The application.
        prefix: The path of the mount, decoded and without a slash at its end; ``""`` is the root.
        root_path: The prefix that a proxy in front removes from paths.
        threads: How many callbacks may run at once.
        multiprocess: Whether other processes serve the same application.
        scheme: ``"http"`` or ``"https"``, as clients see it.
        feed: Has topics make the body of an answer; see ``Answers.feed``.
        streams: Whether the application reads bodies while they come; those of a known length up
            to ``gathers`` bytes still come as a whole.
        gathers: See ``streams``.

    Raises:
        ValueError: ``streams``, and one thread runs all callbacks: a slow client would hold it.
    """

    def __init__(
        self,
        app: Any,
        prefix: str = "",
        root_path: str = "",
        threads: int = 1,
        multiprocess: bool = False,
        scheme: str = "http",
        *,
        feed: Callable[..., None],
        streams: bool = False,
        gathers: int = 0,
    ) -> None:
        if streams and threads < 2:
            raise ValueError(
                "wsgiInput='stream' needs several threads for callbacks, such as dispatch=8: one"
                " that waits for a slow client must not be the only one"
            )
        self.app = app
        self.feed = feed
        self.prefix = prefix
        self.root_path = root_path
        self.threads = threads
        self.multiprocess = multiprocess
        self.scheme = scheme
        self.streams = streams
        self.gathers = gathers

    def options(self) -> dict[str, Any]:
        """The mount, as the core takes it."""
        return {
            "interface": "wsgi",
            "prefix": self.prefix,
            "root_path": self.root_path,
            "app": self.app,
            "file_wrapper": FileWrapper,
            "open_file": open_file,
            "go_on": _Rest,
            "feed": self.feed,
            "open_input": open_input,
            "stream_body": self.streams,
            "gather_body": self.gathers,
            "blocking": self.threads > 1,
            "environ": {
                "SERVER_NAME": "",
                "SERVER_PORT": "",
                "wsgi.version": (1, 0),
                "wsgi.url_scheme": self.scheme,
                "wsgi.errors": Errors(),
                "wsgi.multithread": self.threads > 1,
                "wsgi.multiprocess": self.multiprocess,
                "wsgi.run_once": False,
                "wsgi.file_wrapper": FileWrapper,
                "wsgi.input_terminated": True,
                "SERVER_SOFTWARE": f"httpuv/{_core.__version__}",
                **({"HTTPS": "on"} if self.scheme == "https" else {}),
            },
        }
