"""One worker process, as the command that started it sees it."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time

from .settings import Settings

#: Seconds beyond --graceful-timeout until a worker that does not end by itself is killed.
_MARGIN = 1.0


class Child:
    """A worker process.

    The two talk over a socket pair: the settings go to the worker, then ``stop``; the worker says
    ``ready``. Its end of the pair closes with it, and the end of this process tells the worker.

    Args:
        settings: What it serves.
        listening: The descriptor that it accepts from.

    Raises:
        OSError: The process could not be started.
    """

    def __init__(self, settings: Settings, listening: int) -> None:
        self.control, theirs = socket.socketpair()
        self._grace = settings.graceful_timeout
        self._unread = b""
        self.ready = False
        self.stopping = False
        #: When it is killed; None: it has not been told to stop.
        self.deadline: float | None = None
        #: What the worker said when it was ready.
        self.interface = ""
        self.started = time.monotonic()
        numbers = {"control": theirs.fileno(), "listening": listening}
        # Signals of the terminal wait until the worker has its handlers.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "httpuv.cli.worker", json.dumps(numbers)],
                pass_fds=list(numbers.values()),
            )
        except BaseException:
            self.control.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self._send(json.dumps(settings.as_dict()))
        self.control.setblocking(False)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def _send(self, line: str) -> None:
        with contextlib.suppress(
            BrokenPipeError, ConnectionResetError
        ):  # it has ended: seen elsewhere
            self.control.sendall(line.encode() + b"\n")

    def read(self) -> bool:
        """Read what it says; False when it has closed its end."""
        try:
            data = self.control.recv(65536)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        self._unread += data
        while b"\n" in self._unread:
            line, _, self._unread = self._unread.partition(b"\n")
            self.interface = json.loads(line)["interface"]
            self.ready = True
        return bool(data)

    def stop(self) -> None:
        """Have it answer what runs, and end."""
        if self.stopping:
            return
        self.stopping = True
        self.deadline = time.monotonic() + self._grace + _MARGIN
        self._send("stop")

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def ended(self) -> bool:
        """Whether its process has ended."""
        return self.process.poll() is not None

    def close(self) -> None:
        """The process has ended: close what was for it."""
        self.control.close()

    def how_it_ended(self) -> str:
        """For people."""
        status = self.process.returncode
        if status >= 0:
            return f"ended with status {status}"
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"
