"""A worker process: ``python -m httpuv.cli.processes.worker``, started by :mod:`.child`."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

from ...options import observe
from ...options.tls import TLS
from ...servers.server import Server
from ..console import ApplicationFailed, Mistake, tell_of
from ..life import Life, nothing
from ..options.settings import Settings
from ..prepare import prepare
from ..serving import run_to_the_end
from ..tls import take_ticket_keys


class Control:
    """The worker's end of the socket pair to the command."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._reader = self._socket.makefile("rb")

    def settings(self) -> Settings:
        """Receive the settings."""
        return Settings(**json.loads(self._reader.readline()))

    def ready(self, interface: str) -> None:
        """Report that requests are answered."""
        self._socket.sendall(json.dumps({"interface": interface}).encode() + b"\n")

    def ticket_keys(self) -> Iterator[str]:
        """Yield new keys of session tickets when they arrive.

        Ends when the worker must stop, or the command's process has ended.
        """
        for line in self._reader:
            told = json.loads(line)
            if told == "stop":
                return
            yield told["ticket_keys"]


def main(numbers: str) -> int:
    """Serve until told to stop; return the exit status."""
    given = json.loads(numbers)
    control = Control(given["control"])
    settings = control.settings()
    if "admin" in given:
        settings = dataclasses.replace(settings, admin=given["admin"])
    observe.set_board(given["board"], given["place"])
    life = Life(settings.graceful_timeout)
    _take_signals(life)

    serving: list[Server] = []
    newest: list[str] = []  # keys that have come since the settings

    def seal() -> None:
        for server in serving:
            if newest and isinstance(server._tls, TLS):
                take_ticket_keys(server._tls, newest[0])

    def listen() -> None:
        for keys in control.ticket_keys():
            newest[:] = [keys]
            seal()
        life.end()

    threading.Thread(target=listen, name="httpuv control", daemon=True).start()
    try:
        application, serve = prepare(settings, given["listening"], settings.workers > 1)

        def started(server: Server) -> None:
            os.close(given["listening"])  # the server has its own descriptor
            os.close(given["board"])
            serving.append(server)
            seal()
            control.ready(application.interface)

        served = serve(started)
        _take_signals(life)
        life.begins(served.stop)
        run_to_the_end(served)
    except (Mistake, ApplicationFailed) as error:
        return tell_of(error)
    return 0


def _take_signals(life: Life) -> None:
    # A terminal sends these signals to all of its processes: the command's process decides.
    for each in (signal.SIGINT, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(each, nothing)
    # The whole process group may be told to end, and then the command's process tells it once more.
    life.take_signals([signal.SIGTERM], second_exits=False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
