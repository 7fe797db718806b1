"""``--zip``: a folder as a ZIP archive, made while it is sent."""

from __future__ import annotations

import os
import stat
import time
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

_PIECE = 256 * 1024

#: Types that are already compressed; compressing them again saves nothing.
_PACKED = {
    ".7z", ".avif", ".br", ".bz2", ".gif", ".gz", ".jpeg", ".jpg", ".m4a", ".mkv", ".mov", ".mp3",
    ".mp4", ".ogg", ".opus", ".parquet", ".png", ".rar", ".tgz", ".webm", ".webp", ".woff2", ".xz",
    ".zip", ".zst",
}  # fmt: skip


class _Pipe:
    """The output of zipfile. It cannot seek, so each entry's size follows its data."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self.size += len(piece)
        return len(piece)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        """The bytes that were written since the last call."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return data


def _files(folder: str, *, dotfiles: bool) -> Iterator[tuple[str, str]]:
    """(path, name in the archive) of each file; links and special files are left out."""
    for where, folders, names in os.walk(folder):
        if not dotfiles:
            folders[:] = [name for name in folders if not name.startswith(".")]
        folders.sort()
        for name in sorted(names):
            path = os.path.join(where, name)
            if (dotfiles or not name.startswith(".")) and not os.path.islink(path):
                yield path, os.path.relpath(path, folder)


def _entry(path: str, name: str) -> zipfile.ZipInfo:
    # ZIP can store the years 1980 to 2107.
    modified = time.localtime(min(max(os.stat(path).st_mtime, 315_619_200), 4_354_732_799))
    entry = zipfile.ZipInfo(name.encode("utf-8", "replace").decode(), modified[:6])
    packed = os.path.splitext(name)[1].lower() in _PACKED
    entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def zipped(folder: str, *, dotfiles: bool = False) -> Iterator[bytes]:
    """The archive of a folder in pieces. A file that is removed meanwhile is left out."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", allowZip64=True) as archive:  # type: ignore[call-overload]
        for path, name in _files(folder, dotfiles=dotfiles):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except OSError:
                continue
            with open(descriptor, "rb") as file:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    continue
                with archive.open(_entry(path, name), "w", force_zip64=True) as into:
                    while piece := file.read(_PIECE):
                        into.write(piece)
                        if pipe.size >= _PIECE:
                            yield pipe.take()
    yield pipe.take()


def answer(folder: str, *, dotfiles: bool = False) -> dict[str, Any]:
    """The answer that sends the archive."""
    name = os.path.basename(folder.rstrip("/")) or "files"
    return {
        "status": 200,
        "headers": {
            "Content-Type": "application/zip",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}.zip",
            "Cache-Control": "no-store",
        },
        "body": zipped(folder, dotfiles=dotfiles),
    }
