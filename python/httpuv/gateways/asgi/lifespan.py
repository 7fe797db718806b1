"""The lifespan of an ASGI application: the events of startup and shutdown.

Source: ASGI specification, *Lifespan Protocol* 2.0.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ...base.log import log_failure, write

Message = dict[str, Any]


def check_lifespan(value: object) -> None:
    """Raise ValueError if it is neither a :class:`Lifespan` nor the name of a mode."""
    if not isinstance(value, Lifespan) and value not in ("auto", "on", "off"):
        raise ValueError(f"lifespan must be 'auto', 'on' or 'off', not {value!r}")


class LifespanError(RuntimeError):
    """The application could not start. The message comes from the application."""


class Lifespan:
    """One application's lifespan, in the asyncio loop that runs it.

    Args:
        app: The application.
        mode: ``"auto"``: an application without a lifespan is accepted; ``"on"``: it must have a
            lifespan; ``"off"``: the lifespan is not used.
    """

    def __init__(self, app: Any, mode: str = "auto") -> None:
        if mode not in ("auto", "on", "off"):
            raise ValueError(f"lifespan must be 'auto', 'on' or 'off', not {mode!r}")
        self.app = app
        self.mode = mode
        #: The state that the application has set for its requests.
        self.state: dict[str, Any] = {}
        #: Whether the application takes part.
        self.supported = False
        self._to_app: asyncio.Queue[Message] | None = None
        self._started: asyncio.Future[None] | None = None
        self._stopped: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Start the application.

        Raises:
            LifespanError: It has failed to start, or has no lifespan and ``mode`` is ``"on"``.
        """
        if self.mode == "off":
            return
        loop = asyncio.get_running_loop()
        self._to_app = asyncio.Queue()
        self._started, self._stopped = loop.create_future(), loop.create_future()
        self._to_app.put_nowait({"type": "lifespan.startup"})
        self._task = loop.create_task(self._run())
        await self._started

    async def shutdown(self, timeout: float | None = None) -> None:
        """Stop the application; wait at most ``timeout`` seconds."""
        task = self._task
        if task is None or self._to_app is None or self._stopped is None:
            return
        if self.supported and not task.done():
            self._to_app.put_nowait({"type": "lifespan.shutdown"})
            done, _ = await asyncio.wait([self._stopped], timeout=timeout)
            if not done:
                write(
                    logging.WARNING,
                    "the application's shutdown has taken longer than %g s",
                    timeout,
                )
        self._task = None
        if not task.done():
            # The application has a moment to return; after that it is cancelled.
            await asyncio.wait([task], timeout=0.1)
            task.cancel()

    async def _run(self) -> None:
        started, stopped = self._started, self._stopped
        assert started is not None and stopped is not None
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        error: BaseException | None = None
        try:
            await self.app(scope, self._receive, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as raised:
            error = raised
            if not isinstance(raised, Exception):
                raise
        finally:
            self._ended(error)

    def _ended(self, error: BaseException | None) -> None:
        """The application's coroutine has ended, as expected or not."""
        started, stopped = self._started, self._stopped
        assert started is not None and stopped is not None
        if not started.done():
            if self.mode == "on":
                what = "has no lifespan" if error is None else f"has failed to start: {error!r}"
                started.set_exception(LifespanError(f"the application {what}"))
                started.exception()  # marks the exception as retrieved
            else:
                write(logging.DEBUG, "the application has no lifespan", error=error)
                started.set_result(None)
        elif error is not None and not started.exception():
            log_failure("the application's lifespan", None, error)
        if not stopped.done():
            stopped.set_result(None)

    async def _receive(self) -> Message:
        assert self._to_app is not None
        return await self._to_app.get()

    async def _send(self, message: Message) -> None:
        started, stopped = self._started, self._stopped
        assert started is not None and stopped is not None
        kind = message["type"]
        if kind == "lifespan.startup.complete" and not started.done():
            self.supported = True
            started.set_result(None)
        elif kind == "lifespan.startup.failed" and not started.done():
            text = message.get("message", "")
            started.set_exception(LifespanError(text or "the application has failed to start"))
            started.exception()
        elif kind == "lifespan.shutdown.complete" and started.done():
            if not stopped.done():
                stopped.set_result(None)
        elif kind == "lifespan.shutdown.failed" and started.done():
            write(
                logging.ERROR, "the application has failed to stop: %s", message.get("message", "")
            )
            if not stopped.done():
                stopped.set_result(None)
        else:
            raise RuntimeError(f"unexpected ASGI message {kind!r}")
