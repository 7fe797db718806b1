"""A program in a pseudo-terminal of its own, typed to and read from like a person does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

from support import PATIENCE

# Makes its standard input its terminal, so that Ctrl-C there is a signal, and becomes the program.
_ADOPT = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    " os.execv(sys.argv[1], sys.argv[1:])"
)
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[@-~]|\x1b[=>]|\x1b\][^\x07]*\x07|[\x01\x02]")


class Terminal:
    """One program; `text` is its output that expect() has not taken, without control codes."""

    def __init__(self, *command: str, **environment: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 50, 1000, 0, 0))
        modes = termios.tcgetattr(slave)
        modes[3] |= termios.NOFLSH  # Ctrl-C drops nothing that was written meanwhile
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _ADOPT, *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", **environment},
        )
        os.close(slave)
        self.text = ""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.master)

    def type(self, line: str) -> None:
        """Type a line, with Enter at its end."""
        self.press(line + "\r")

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def expect(self, pattern: str) -> re.Match[str]:
        """Wait for what it writes; what comes before is passed over."""
        until = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.text)) is None:
            assert time.monotonic() < until, f"no {pattern!r} in:\n{self.text}"
            assert self._read(0.1), f"it ended without {pattern!r}:\n{self.text}"
        self.text = self.text[found.end() :]
        return found

    def end(self) -> str:
        """Wait for its end, which must be a success. Returns what it wrote last."""
        until = time.monotonic() + PATIENCE
        while self._read(0.1):
            assert time.monotonic() < until, f"it goes on:\n{self.text}"
        status = self.process.wait(PATIENCE)
        assert status == 0, f"exit status {status}:\n{self.text}"
        return self.text

    def _read(self, seconds: float) -> bool:
        """Read what is there. False at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: the other end is closed
            return False
        if b"\x1b[6n" in data:  # where is the cursor?
            os.write(self.master, b"\x1b[1;1R")
        self.text = _CONTROLS.sub("", self.text + data.decode(errors="replace"))
        return bool(data)
