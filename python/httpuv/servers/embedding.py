"""The methods of :class:`Server` for notebooks, GUI programs and ``async with``."""

from __future__ import annotations

import html
import threading
import webbrowser
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ..base.checks import check_int, check_seconds
from ..dispatch import ipython, tasks

if TYPE_CHECKING:
    from ..dispatch.base import Dispatcher

_Self = TypeVar("_Self", bound="Embedded")


class Embedded:
    """Mixed into :class:`Server`."""

    _dispatcher: Dispatcher

    def __init__(self) -> None:
        self._ended = threading.Event()

    if TYPE_CHECKING:

        def isRunning(self) -> bool: ...

        async def aclose(self, timeout: float = 0.0) -> None: ...

    @property
    def url(self) -> str:
        """The URL of the server for a browser.

        Raises:
            AttributeError: The server listens on a Unix socket, which has no URL.
        """
        raise AttributeError(f"{self!r} has no URL")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the server is stopped; run its callbacks if this thread has to run them.

        Args:
            timeout: Seconds to wait at most; None: for ever.

        Returns:
            Whether the server was stopped.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; it is raised within 100 ms. The server goes on.
            RuntimeError: An asyncio loop runs on this thread, and would be blocked.
        """
        if timeout is not None:
            timeout = check_seconds("timeout", timeout, zero=True)
        if tasks.running_loop() is not None:
            raise RuntimeError("wait() would block the asyncio loop: await asyncio.to_thread(wait)")
        if self._dispatcher.blocked_by(threading.get_ident()):
            self._dispatcher.source.serve(timeout, until=lambda: not self.isRunning())
            return not self.isRunning()
        return self._ended.wait(timeout)

    async def __aenter__(self: _Self) -> _Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def show(self, height: int = 400) -> Any:
        """Show the server's page: in a frame below the cell of a notebook, or in a browser.

        Args:
            height: Pixels of the frame.

        Raises:
            AttributeError: The server listens on a Unix socket.
            TypeError, ValueError: ``height`` is no positive whole number.
        """
        height = check_int("height", height, 1, None)
        url = self.url
        if not ipython.is_kernel():
            webbrowser.open(url)
            return None
        from IPython.display import IFrame, display

        display(IFrame(url, "100%", height))  # type: ignore[no-untyped-call]
        return None

    def _repr_html_(self) -> str:
        """The server with a link, for notebooks."""
        state = "running" if self.isRunning() else "stopped"
        try:
            url = html.escape(self.url)
        except AttributeError:
            return f"<code>{html.escape(repr(self))}</code>"
        name = type(self).__name__
        link = f'<a href="{url}" target="_blank" rel="noopener">{url}</a>'
        return f"<code>{name}</code> {link if self.isRunning() else url} <small>{state}</small>"
