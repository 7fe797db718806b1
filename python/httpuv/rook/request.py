"""The two streams of a request's environment: ``rook.input`` and ``rook.errors``.

The environment itself is a plain ``dict`` that the core builds; ARCHITECTURE.md lists its keys.
Sources: the Rook specification, sections "The Input Stream" and "The Error Stream"; manual page
*startServer*.
"""

from __future__ import annotations

import io
import logging
import re
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, BinaryIO, NoReturn, cast

_log = logging.getLogger("httpuv")

# R's readLines() accepts each of the three as the end of a line.
_LINE_END = re.compile(rb"\r\n|\r|\n")


class Input:
    """The body of a request, ``req["rook.input"]``: a binary file open for reading.

    The body is complete when the application gets it, so reading never waits for the client. A
    small body is in memory, a large one in an unlinked temporary file. Besides the three Rook
    methods ``read``, ``read_lines`` and ``rewind`` the object has all methods of a binary file. It
    counts as an instance of :class:`io.BufferedIOBase`.

    The core creates one object for each request.
    """

    # Most requests have no body, and most handlers do not read it. So _open() does the work late.
    __slots__ = ("_body", "_file")

    def __init__(self, body: bytes | int = b"", length: int = -1, charge: object = None) -> None:
        """``Input(bytes)`` for a body in memory; ``Input(fd, length)`` adopts a descriptor.

        ``charge`` holds the body's share of the server's budget until the file is closed.
        """
        self._body = body
        self._file: BinaryIO | None = None if length < 0 else _Spool(cast(int, body), charge)

    def _open(self) -> BinaryIO:
        # Without a body the core does not call __init__(): then neither slot is set.
        file: BinaryIO | None = getattr(self, "_file", None)
        if file is None:
            file = self._file = io.BytesIO(cast(bytes, getattr(self, "_body", b"")))
            self._body = b""
        return file

    # --- Rook ---

    def read(self, l: int | None = -1) -> bytes:  # noqa: E741 (the name in the manual)
        """Read at most ``l`` bytes; the whole rest if ``l`` is negative or None."""
        return self._open().read(-1 if l is None else l)

    def read_lines(self, n: int | None = -1) -> list[str]:
        r"""Read at most ``n`` lines; the whole rest if ``n`` is negative or None.

        Lines end in ``\n``, ``\r\n`` or ``\r``. The lines are returned without their ends, also a
        last line that has none. Bytes that are not UTF-8 become lone surrogates
        (``errors="surrogateescape"``), so nothing is lost.
        """
        file = self._open()
        left = -1 if n is None else n
        lines: list[bytes] = []
        while left < 0 or len(lines) < left:
            chunk = file.readline()
            if not chunk:
                break
            # Usually this is one line. Bare "\r" in it make it several: keep as many as were asked
            # for, and seek back to the start of the next one.
            start = 0
            for end in _LINE_END.finditer(chunk):
                if 0 <= left <= len(lines):
                    break
                lines.append(chunk[start : end.start()])
                start = end.end()
            if start < len(chunk) and not 0 <= left <= len(lines):
                lines.append(chunk[start:])  # the last line, without an end
            elif start < len(chunk):
                file.seek(start - len(chunk), io.SEEK_CUR)
        return [line.decode("utf-8", "surrogateescape") for line in lines]

    def rewind(self) -> None:
        """Go back to the first byte."""
        self._open().seek(0)

    # --- a binary file ---

    def read1(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes."""
        return self._open().read(size)

    def readinto(self, buffer: Any, /) -> int:
        """Read into a writable buffer; return the number of bytes."""
        return cast(io.BufferedIOBase, self._open()).readinto(buffer)

    def readinto1(self, buffer: Any, /) -> int:
        """Read into a writable buffer; return the number of bytes."""
        return self.readinto(buffer)

    def readline(self, size: int | None = -1, /) -> bytes:
        r"""Read to the next ``\n`` and with it, at most ``size`` bytes."""
        return self._open().readline(-1 if size is None else size)

    def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        r"""Read the lines that are left, each with its ``\n``; stop after ``hint`` bytes."""
        return self._open().readlines(-1 if hint is None else hint)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._open())

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to an offset in bytes; return the new position."""
        return self._open().seek(offset, whence)

    def tell(self) -> int:
        """The position in bytes."""
        return self._open().tell()

    def fileno(self) -> int:
        """The descriptor of a body in a file.

        Raises:
            io.UnsupportedOperation: The body is in memory.
        """
        return self._open().fileno()

    def close(self) -> None:
        """Release the body; reading raises ValueError afterwards."""
        self._open().close()

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        file: BinaryIO | None = getattr(self, "_file", None)
        return file is not None and file.closed

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def writable(self) -> bool:
        """False."""
        return False

    def isatty(self) -> bool:
        """False."""
        return False

    def flush(self) -> None:
        """Do nothing: the stream is read-only."""

    def _refuse(self, *_: object) -> NoReturn:
        raise io.UnsupportedOperation("the body of a request can only be read")

    write = writelines = truncate = detach = _refuse

    def __enter__(self) -> Input:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


# A virtual subclass, because a real one costs each request three times as much.
io.BufferedIOBase.register(Input)


class _Spool(io.BufferedReader):
    """A spooled body. Applications need not close it, so there is no ResourceWarning."""

    def __init__(self, fd: int, charge: object) -> None:
        super().__init__(io.FileIO(fd, "rb"))
        self._charge = charge

    def close(self) -> None:
        super().close()
        self._charge = None

    def __del__(self) -> None:
        self.close()


class Errors:
    """The stream for error messages, ``req["rook.errors"]``: a text file open for writing.

    Every line becomes one record at level ERROR of the logger ``httpuv``. One object serves all
    requests of a server, on any thread.
    """

    def __init__(self) -> None:
        # Incomplete lines by thread, so that lines of two requests never mix.
        self._pending = threading.local()

    def cat(self, *values: object, sep: str = " ", fill: bool = False) -> None:
        """Log the values, converted to text and joined by ``sep``, as R's ``cat`` writes them.

        In R ``fill`` ends the line; here every call ends it.
        """
        self.write(sep.join(map(str, values)))
        self.flush()

    def write(self, text: str, /) -> int:
        """Add text and log each complete line. Returns the number of characters."""
        *lines, rest = (getattr(self._pending, "text", "") + text).split("\n")
        self._pending.text = rest
        for line in lines:
            self._emit(line)
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:
        """Add several pieces of text."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Log the incomplete line of this thread."""
        rest = getattr(self._pending, "text", "")
        self._pending.text = ""
        self._emit(rest)

    @staticmethod
    def _emit(line: str) -> None:
        if line.strip():
            _log.error("%s", line.rstrip("\r"))

    def writable(self) -> bool:
        """True."""
        return True

    def readable(self) -> bool:
        """False."""
        return False

    def seekable(self) -> bool:
        """False."""
        return False

    def isatty(self) -> bool:
        """False."""
        return False
