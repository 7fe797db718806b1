"""One worker process, from the side of the command that started it."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import socket
import subprocess
import sys
import time

from ..options.settings import Settings
from ..shared.board import Board

#: Seconds beyond --graceful-timeout until a worker that does not end by itself is killed.
_MARGIN = 1.0


class Child:
    """A worker process.

    The processes use a socket pair, with lines of JSON. The command sends the settings, then new
    keys of session tickets, and at last ``stop``; the worker reports that it is ready. The end of
    one process closes its end of the pair, which the other one notices.

    Args:
        settings: The settings of the command.
        listening: The descriptor of the listening socket.
        admin: The descriptor for health and metrics; None: there is none.
        board: The shared metrics.

    Raises:
        OSError: The process could not be started.
    """

    def __init__(self, settings: Settings, listening: int, admin: int | None, board: Board) -> None:
        self.control, theirs = socket.socketpair()
        self._grace = settings.graceful_timeout
        self._unread = b""
        self.ready = False
        self.stopping = False
        #: The time at which it is killed; None: it was not told to stop.
        self.deadline: float | None = None
        #: The interface that the worker has reported when it was ready.
        self.interface = ""
        self.started = time.monotonic()
        self._board = board
        self.place = board.take()
        #: The request count of its place at which it is replaced; None: no limit.
        self.most: int | None = None
        if settings.max_requests > 0:
            more = random.randint(0, settings.max_requests_jitter)
            self.most = board.requests(self.place) + settings.max_requests + more
        #: Whether it was reported that its Python is stuck.
        self.told_stuck = False
        numbers = {"control": theirs.fileno(), "listening": listening, "board": board.fd}
        if admin is not None:
            numbers["admin"] = admin
        # Signals of the terminal stay blocked until the worker has its handlers.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "httpuv.cli.processes.worker"),
                    json.dumps({**numbers, "place": self.place}),
                ],
                pass_fds=list(numbers.values()),
            )
        except BaseException:
            self.control.close()
            board.leave(self.place)
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
        ):  # the process has ended, which another place handles
            self.control.sendall(line.encode() + b"\n")

    def read(self) -> bool:
        """Read its messages; return False when it has closed its end."""
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
        """Tell it to finish its answers and end."""
        if self.stopping:
            return
        self.stopping = True
        self.deadline = time.monotonic() + self._grace + _MARGIN
        self._send(json.dumps("stop"))

    def share(self, ticket_keys: str) -> None:
        """Send it new keys of session tickets."""
        self._send(json.dumps({"ticket_keys": ticket_keys}))

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def ended(self) -> bool:
        """Whether its process has ended."""
        return self.process.poll() is not None

    def close(self) -> None:
        """Release its resources; the process has ended."""
        self.control.close()
        self._board.leave(self.place)

    def how_it_ended(self) -> str:
        """The end of the process in words."""
        status = self.process.returncode
        if status >= 0:
            return f"ended with status {status}"
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"
