"""Worker processes: started, restarted, replaced and stopped.

One loop on the main thread waits for signals, messages of workers, changes of files and timers. A
worker is started when the previous one is ready, so that an error is reported only once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import selectors
import signal
import socket
import time

from ...brokers.hub import SHARED, Hub
from ..announce import announce
from ..console import FAILED, complain, say
from ..life import OF_OTHERS
from ..listen import Listening
from ..options.settings import Settings
from ..shared.board import Board
from ..shared.tickets import TicketKeys
from .child import Child

#: Seconds until a crashed worker is started again: after the first crash, and at most.
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 30.0
#: A worker that has lived so many seconds was healthy: the next crash counts as the first.
_WELL = 30.0
#: Seconds between two checks of stuck workers and request counts.
_LOOK = 0.5

_SIGNALS = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGHUP),
    *(signal.SIGTTIN, signal.SIGTTOU, signal.SIGCHLD),
    *OF_OTHERS,
)


class Supervisor:
    """Keeps workers running until a signal ends them.

    Args:
        settings: The settings of the command.
        listening: The listening socket.
        admin: The listener for health and metrics; None: there is none.
        board: The shared metrics.
        redirect: The address for plain HTTP, which redirects to HTTPS; None: there is none.
        patient: Whether the command waits for :meth:`change` if no worker can start.
    """

    def __init__(
        self,
        settings: Settings,
        listening: Listening,
        admin: Listening | None,
        board: Board,
        redirect: str | None = None,
        patient: bool = False,
    ) -> None:
        self._settings = settings
        self._listening = listening
        self._admin = admin
        self._board = board
        self._redirect = redirect
        self._looks = settings.stuck_timeout > 0 or settings.max_requests > 0
        self._patient = patient
        self._target = settings.workers
        self._children: list[Child] = []
        self._replaced: list[Child] = []  # workers to stop, each when a new one is ready
        self._announced = False
        self._ending = False
        self._status = 0
        self._delay = 0.0
        self._next_start = 0.0  # a time of time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._tickets = None if settings.tls_cert is None else TicketKeys()
        self._woken, self._wake = socket.socketpair()
        for each in (self._woken, self._wake):
            each.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)

    def change(self) -> None:
        """Replace the workers, as SIGHUP does; from any thread."""
        with contextlib.suppress(BlockingIOError):  # the pipe is full of equal bytes
            self._wake.send(bytes([signal.SIGHUP]))

    def run(self) -> int:
        """Run workers until a signal ends them, or none can start; return the exit status."""
        for taken in _SIGNALS:
            signal.signal(taken, lambda number, frame: None)
        hub = Hub()
        os.environ[SHARED] = hub.path  # for the workers
        # The numbers of signals are written to it.
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        try:
            while not self._ending or self._children:
                self._balance()
                for key, _ in self._selector.select(self._patience()):
                    if key.fileobj is self._woken:
                        for number in self._woken.recv(4096):
                            self._signalled(number)
                    else:
                        self._heard(key.data)
                self._bury()
                self._share_tickets()
                if self._looks and not self._ending:
                    self._look()
            return self._status
        finally:
            signal.set_wakeup_fd(-1)
            for each in self._children:
                each.kill()
                each.process.wait()
            hub.close()
            self._selector.close()
            self._woken.close()
            self._wake.close()

    # --- events ---

    def _signalled(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            if self._ending:
                for each in self._children:
                    each.kill()
                self._status = 128 + number
            else:
                self._end(0)
        elif number == signal.SIGHUP and not self._ending:
            # One that is starting may have read old sources, or hang.
            for each in self._children:
                if not each.ready:
                    each.stop()
            self._replaced = self._serving()
            self._next_start = 0.0
            say("New workers replace the old ones.")
        elif number == signal.SIGTTIN:
            self._target += 1
        elif number == signal.SIGTTOU:
            self._target = max(1, self._target - 1)
        elif number in OF_OTHERS:
            say(f"{signal.Signals(number).name} has no effect; log files are opened again by name.")

    def _heard(self, child: Child) -> None:
        was_ready = child.ready
        if not child.read():
            self._unwatch(child)
        if child.ready and not was_ready:
            self._is_ready(child)

    def _unwatch(self, child: Child) -> None:
        with contextlib.suppress(KeyError):  # it was removed when its end closed
            self._selector.unregister(child.control)

    def _is_ready(self, child: Child) -> None:
        if not self._announced and len(self._serving()) >= self._target:
            self._announced = True
            self._announce(child)

    def _announce(self, child: Child) -> None:
        announce(
            self._settings,
            child.interface,
            self._listening.address,
            self._target,
            self._admin,
            self._redirect,
        )

    def _bury(self) -> None:
        """Remove workers that have ended, and kill those that are late."""
        for each in list(self._children):
            if each.ended():
                self._heard(each)  # its last message
                self._children.remove(each)
                self._unwatch(each)
                each.close()
                self._has_ended(each)
            elif each.deadline is not None and time.monotonic() >= each.deadline:
                each.deadline = None
                complain(f"worker {each.pid} did not end in time and is killed")
                each.kill()
        _reap_orphans({each.pid for each in self._children})

    def _look(self) -> None:
        """Handle workers that are stuck, or have had their number of requests."""
        for each in self._serving():
            self._look_at_python(each)
            if each.most is None or each in self._replaced:
                continue
            if self._board.requests(each.place) >= each.most:
                say(f"worker {each.pid} has had its requests (--max-requests) and is replaced")
                self._replaced.append(each)

    def _look_at_python(self, child: Child) -> None:
        longest = self._settings.stuck_timeout
        stuck = self._board.stuck(child.place)
        if longest <= 0 or stuck < longest:
            if child.told_stuck:
                say(f"worker {child.pid}: Python goes on")
            child.told_stuck = False
        elif not child.told_stuck:
            child.told_stuck = True
            what = f"worker {child.pid}: Python has been stuck for {stuck:.0f} s (--stuck-timeout)"
            if not self._settings.stuck_replace:
                complain(what)
                return
            complain(f"{what}; it is killed")
            child.kill()

    def _has_ended(self, child: Child) -> None:
        replaced = child in self._replaced
        if replaced:
            self._replaced.remove(child)
        if child.stopping or self._ending:
            return
        if child.told_stuck and self._settings.stuck_replace:
            self._back_off(True)  # it was killed because it was stuck
        elif child.ready:
            complain(f"worker {child.pid} {child.how_it_ended()}; another takes its place")
            self._back_off(time.monotonic() - child.started > _WELL)
        elif self._replaced and not replaced:
            self._replaced = []
            how = child.how_it_ended()
            complain(f"the new worker could not start ({how}): the old ones go on")
        elif self._serving():
            complain(f"worker {child.pid} could not start ({child.how_it_ended()})")
            self._back_off(False)
        elif self._patient:
            complain("no worker could start: waiting for a change")
            self._next_start = float("inf")
        else:
            status = child.process.returncode
            if status <= 0 or self._announced:
                complain(f"worker {child.pid} could not start: it {child.how_it_ended()}")
            self._end(status if status > 0 else FAILED)

    # --- actions ---

    def _serving(self) -> list[Child]:
        return [each for each in self._children if each.ready and not each.stopping]

    def _starting(self) -> bool:
        return any(not each.ready and not each.stopping for each in self._children)

    def _balance(self) -> None:
        """Start or stop one worker if the number is wrong."""
        if self._ending or self._starting():
            return
        serving = self._serving()
        wanted = self._target + bool(self._replaced)
        if len(serving) > self._target:
            (self._replaced.pop(0) if self._replaced else serving[-1]).stop()
            self._balance()
        elif len(serving) < wanted and time.monotonic() >= self._next_start:
            try:
                admin = None if self._admin is None else self._admin.socket.fileno()
                listening = self._listening.socket.fileno()
                child = Child(self._settings_of_worker(), listening, admin, self._board)
            except OSError as error:
                complain(f"a worker could not be started: {error}")
                self._back_off(False)
                return
            self._children.append(child)
            self._selector.register(child.control, selectors.EVENT_READ, child)

    def _settings_of_worker(self) -> Settings:
        if self._tickets is None:
            return self._settings
        return dataclasses.replace(self._settings, ticket_keys=self._tickets.text())

    def _share_tickets(self) -> None:
        """Send new keys to all workers when they are due."""
        if self._tickets is not None and time.monotonic() >= self._tickets.due:
            self._tickets.rotate()
            for each in self._children:
                each.share(self._tickets.text())

    def _back_off(self, well: bool) -> None:
        self._delay = 0.0 if well else min(_LONGEST_DELAY, max(_FIRST_DELAY, 2 * self._delay))
        self._next_start = time.monotonic() + self._delay

    def _end(self, status: int) -> None:
        self._ending = True
        self._status = status
        for each in self._children:
            each.stop()

    def _patience(self) -> float | None:
        """Seconds until the next timer is due."""
        times = [each.deadline for each in self._children if each.deadline is not None]
        if self._tickets is not None:
            times.append(self._tickets.due)
        fewer = len(self._serving()) < self._target + bool(self._replaced)
        if fewer and not self._ending and not self._starting():
            times.append(self._next_start)
        if self._looks and self._children and not self._ending:
            times.append(time.monotonic() + _LOOK)
        first = min(times, default=float("inf"))
        return None if first == float("inf") else max(0.0, first - time.monotonic())


def _reap_orphans(own: set[int]) -> None:
    """Reap orphaned children in process 1, so that none stays a zombie."""
    if os.getpid() != 1:
        return
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in own:
            return
        os.waitpid(found.si_pid, 0)
