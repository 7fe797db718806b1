"""IPython: its prompt in a terminal, and its kernels."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ..base.log import log_failure
from .base import Dispatcher

#: A function that runs a toolkit's loop until its context's descriptor is readable.
Hook = Callable[[Any], object]


def shell() -> Any:
    """The IPython shell of this process; None: there is none."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None


def terminal() -> Any:
    """The shell of this terminal, if it has IPython's own prompt.

    IPython's simple prompt is Python's input().
    """
    found = shell()
    return found if getattr(found, "pt_app", None) is not None else None


def is_kernel() -> bool:
    """Whether this is the process of a notebook."""
    found = shell()
    return found is not None and not hasattr(found, "pt_app")


def install(dispatcher: Dispatcher, shell: Any) -> Callable[[], object]:
    """Run callbacks while the prompt waits, beside the loop that ``%gui`` has chosen, if any.

    This is not one of IPython's loops, because IPython can have only one.

    Returns:
        A function that undoes this.
    """
    session = shell.pt_app
    prompt, prompt_async = session.prompt, session.prompt_async

    def wrapped(*arguments: Any, inputhook: Hook | None = None, **named: Any) -> Any:
        def hook(context: Any) -> None:
            _Wait(dispatcher, context, inputhook).run()

        return prompt(*arguments, inputhook=hook, **named)

    async def wrapped_async(*arguments: Any, **named: Any) -> Any:  # with %gui asyncio
        with _on_loop(dispatcher):
            return await prompt_async(*arguments, **named)

    session.prompt, session.prompt_async = wrapped, wrapped_async

    def uninstall() -> None:
        for name, ours in (("prompt", wrapped), ("prompt_async", wrapped_async)):
            if session.__dict__.get(name) is ours:
                delattr(session, name)

    return uninstall


def run(dispatcher: Dispatcher) -> None:
    """Run the waiting callbacks. Ctrl-C, or a kernel's interrupt, ends the current one."""
    try:
        with interruptible():
            dispatcher.run()
    except KeyboardInterrupt as error:
        # The exception must not reach the prompt or the kernel: it would end them.
        log_failure("a callback", None, error)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt inside this block.

    While the prompt waits, Ctrl-C is a key for it and a signal for asyncio. An idle kernel ignores
    it.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    wakeup = signal.set_wakeup_fd(-1)
    restore = _terminal_signals()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        restore()
        signal.set_wakeup_fd(wakeup)


def _terminal_signals() -> Callable[[], object]:
    """Let the terminal turn Ctrl-C into a signal. Returns a function that undoes this."""
    import termios

    try:
        fd = sys.__stdin__.fileno() if sys.__stdin__ is not None else -1
        modes = termios.tcgetattr(fd)
    except (ValueError, OSError, termios.error):
        return lambda: None  # no terminal
    if modes[3] & termios.ISIG:
        return lambda: None
    with_signals = [*modes[:3], modes[3] | termios.ISIG, *modes[4:]]
    termios.tcsetattr(fd, termios.TCSANOW, with_signals)
    return lambda: termios.tcsetattr(fd, termios.TCSANOW, modes)


class _Wait:
    """One wait of the prompt. It is also the context that the toolkit's hook gets."""

    def __init__(self, dispatcher: Dispatcher, context: Any, hook: Hook | None) -> None:
        self._dispatcher = dispatcher
        self._hook = hook
        self._both = selectors.DefaultSelector()
        self._input = self._both.register(context.fileno(), selectors.EVENT_READ)
        self._both.register(dispatcher.fileno(), selectors.EVENT_READ)

    def run(self) -> None:
        """Run callbacks, and the toolkit's loop, until there is input."""
        with self._both:
            while True:
                run(self._dispatcher)
                if self._wait():
                    return

    def _wait(self) -> bool:
        """Wait for input or callbacks; return whether there is input."""
        due = self._dispatcher.timeout()
        if self._hook is not None:
            with _alarm(self._dispatcher, due):
                self._hook(self)
            if self.input_is_ready():
                due = 0
            else:
                self._hook = None  # the hook did not wait: there is no window or no display
        return any(key is self._input for key, _ in self._both.select(due))

    # --- for the toolkit's hook ---

    def fileno(self) -> int:
        """A descriptor that is readable when there is input, or a callback to run."""
        return self._both.fileno()

    def input_is_ready(self) -> bool:
        """Whether the hook must return."""
        return bool(self._both.select(0))


@contextlib.contextmanager
def _alarm(dispatcher: Dispatcher, due: float | None) -> Iterator[None]:
    """Make the descriptor of a dispatcher readable when its next timer is due."""
    if due is None:
        yield
        return
    timer = threading.Timer(due, dispatcher.source.wake)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def _on_loop(dispatcher: Dispatcher) -> Iterator[None]:
    """Run callbacks in the asyncio loop that runs on this thread."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def ready() -> None:
        nonlocal timer
        run(dispatcher)
        if timer is not None:
            timer.cancel()
        due = dispatcher.timeout()
        timer = loop.call_later(due, ready) if due is not None else None

    loop.add_reader(dispatcher.fileno(), ready)
    try:
        ready()
        yield
    finally:
        loop.remove_reader(dispatcher.fileno())
        if timer is not None:
            timer.cancel()
