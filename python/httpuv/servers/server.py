"""The common base of all servers, which run from :func:`startServer` to :func:`stopServer`.

Source: manual page *startServer*, which names :class:`WebServer` and :class:`PipeServer`.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from .. import _core
from ..answers.asyncapp import Answers
from ..base import fork, log
from ..base.checks import check_seconds
from ..base.log import log_failure, log_notice
from ..dispatch import tasks
from ..dispatch.choice import choose
from ..gateways.interfaces import Applications
from ..gateways.types import AnyApp
from ..options.limits import Limits
from ..options.mime import mime_table
from ..options.observe import host_and_port
from ..options.server import WebOptions
from ..options.settings import complete, core_settings
from ..options.static import routes
from ..options.topic_options import check_topics
from ..rook import request, upload, websocket
from ..rook.app import App
from ..rook.headers import Headers
from ..rook.subscription import Gate
from . import registry, replacing
from .access import AccessLog
from .embedding import Embedded
from .publishing import Publishing
from .routed import Routed
from .stats import Stats

if TYPE_CHECKING:
    from typing_extensions import Unpack

_core.register_input(request.Input)
_core.register_headers(Headers)

#: Seconds that an interrupted stop() waits for the end of the server.
_LAST_MOMENT = 0.05

_Self = TypeVar("_Self", bound="Server")


class Server(Routed, Publishing, Embedded):
    """The common base of :class:`WebServer` and :class:`PipeServer`.

    A server runs from its construction until :meth:`stop`, on its own thread, which never runs
    Python. Requests that need Python wait until a thread runs the callbacks (``service()``,
    ``runServer()``). The object is a context manager, which stops the server at the end of the
    block. All methods may be called on any thread, and inside a callback.
    """

    def __init__(self, app: object, **options: Unpack[WebOptions]) -> None:
        options = complete(options)
        call_timeout, apart = options["callTimeout"], options["coroutines"] == "thread"
        self._replace = options["replace"]
        self._applications = Applications(app, options["mounts"])
        self._given = app
        self._app = self._applications.app
        mime = _core.MimeTable(mime_table(options["mimeTypes"]))
        Routed.__init__(self, self._app.staticPaths, self._app.staticPathOptions, mime)
        Publishing.__init__(self, options)
        Embedded.__init__(self)
        self._swapping = fork.lock()
        self._dispatcher = choose(options["dispatch"], self._applications.only_asgi)
        self._gate = Gate(self._app.onSubscribe)
        self._answers = Answers(
            self._dispatcher.source,
            call_timeout,
            mime,
            apart,
            self._gate.enter,
            self._gate.entered,
        )
        self._expect_coroutines(self._applications)
        self._attached: list[bool] = []  # has an entry while attached to the dispatcher
        self._listens = False  # its address is known, so that others may see it
        self._stopping = fork.lock()
        self._stop_calls: list[Callable[[], object]] = []
        self._limits = options["limits"] or Limits()
        self._streams_input = options["wsgiInput"] == "stream"
        self._environ: dict[str, object] = {
            "SCRIPT_NAME": "",
            "rook.version": "1.1-0",
            "rook.url_scheme": "http" if options["tls"] is None else "https",
            "rook.errors": request.Errors(),
            "httpuv.version": _core.__version__,
        }
        self._tls = options["tls"]
        self._scheme = "http" if self._tls is None else "https"
        if self._tls is not None:
            self._environ["HTTPS"] = "on"
        self._admin = options["admin"]
        self._core = _core.Server(
            self._dispatcher.source.queue,
            on_error=log_failure,
            on_notice=log_notice,
            convert=self._answers,
            environ=self._environ,
            settings=core_settings(options),
            access_log=AccessLog() if options["accessLog"] is True else None,
            mounts=self._mounts(self._applications),
            **self._callbacks(self._app),
            topics=check_topics(options["topics"]),
            brokered=options["broker"] is not None,
        )

    def _expect_coroutines(self, applications: Applications) -> None:
        if not self._answers.apart and applications.have_coroutines:
            self._dispatcher.source.expect_coroutines()

    def _start(self, coroutine: Coroutine[Any, Any, None], at_end: Callable[[], object]) -> object:
        return tasks.runner(self._answers.apart).start(coroutine, at_end)

    def _callbacks(self, app: App) -> dict[str, Any]:
        """The functions that the core calls for requests outside all mounts."""
        return {
            "call": upload.prepare(app, self._answers.prepare(app.call)),
            "on_headers": app.onHeaders,
            "on_ws_open": app.onWSOpen and self._open_socket(app.onWSOpen),
            "open_upload": upload.opener(app),
            "call_first": app.streamBody,
            "ws_waits": app.wsWaits,
            "allow_connect": app.allowConnect,
        }

    def _mounts(self, applications: Applications) -> list[dict[str, Any]]:
        return applications.options(
            self._answers,
            self._limits,
            self._dispatcher.threads,
            self._streams_input,
            self._environ,
            self._answers.prepare,
            self._open_socket,
        )

    def _open_socket(self, on_open: Callable[[Any], object]) -> Callable[..., object]:
        return websocket.opener(on_open, self._start, self._gate, self._answers)

    @property
    def app(self) -> object:
        """The application, as it was given. Assigning to it calls :meth:`set_app`."""
        return self._given

    @app.setter
    def app(self, app: AnyApp) -> None:
        self.set_app(app)

    def set_app(self, app: AnyApp) -> None:
        """Replace the application while the server runs; the next request goes to the new one.

        Running callbacks continue, and open WebSockets keep their callbacks. WebSockets of an ASGI
        application are closed when its lifespan ends, after at most 3 s. Static paths of the new
        application are added, as by :meth:`setStaticPath`. Other static paths, ``mounts`` and all
        options of the server stay. The new application may have another interface.

        Args:
            app: As for :func:`startServer`.

        Raises:
            TypeError, ValueError: It is no application. The old one stays.
            ValueError: Only one of the two has ``streamBody`` or ``onBodyData``. The delivery of
                bodies cannot change in a running server; use ``startServer(..., replace=True)``.
            LifespanError: The new ASGI application has failed to start.
            RuntimeError: The server was stopped.
        """
        applications = Applications(app, None)
        new = applications.app
        with self._swapping:
            if not self.isRunning():
                raise RuntimeError(f"{self!r} is not running")
            for name in () if applications.mounts else ("streamBody", "onBodyData"):
                if bool(getattr(new, name)) != bool(getattr(self._app, name)):
                    raise ValueError(
                        f"app: {name} cannot be set or taken away while the server runs:"
                        " use startServer(..., replace=True)"
                    )
            if new.staticPaths:
                self.setStaticPath(new.staticPaths)
            if new.staticPathOptions.as_dict():
                self.setStaticPathOption(new.staticPathOptions)
            self._expect_coroutines(applications)
            root = self._mounts(applications)
            applications.startup()
            self._core.set_program(root=root, **self._callbacks(new))
            self._given = app
            if not applications.mounts:
                self._app = new
                self._gate.on_subscribe = new.onSubscribe
            self._applications.replace_root(applications, replacing.GRACE)

    def _listen(self, quiet: bool) -> None:
        """Start to listen; on failure leave nothing behind."""
        # Registered before its thread starts: a fork() in between must find the server.
        registry.servers.append(self)
        try:
            self._dispatcher.attach()
            self._attached.append(True)
            self._applications.startup()
            if self._paths:
                self._core.set_routes(routes(self._paths, self._options), self._mime)
            self._bind_admin()
            self._bind()
            self._listens = True
            relay = self._start_relay()
            if relay is not None:
                self._gate.wanted = relay.want
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError) and not quiet:
                log.write(logging.ERROR, "cannot start %s: %s", self._name(), error)
            raise
        if self not in registry.servers:
            self.stop()  # stop() was called during the start, when there was nothing to stop
        log.write(logging.INFO, "%s", repr(self))  # text, since a handler may keep the record

    def _bind_admin(self) -> None:
        admin = self._admin
        if isinstance(admin, int):
            self._core.listen_admin_fd(admin)
        elif admin is not None and "/" in admin:
            self._core.listen_admin_pipe(os.fsencode(admin))
        elif admin is not None:
            host, port = self._core.listen_admin_tcp(*host_and_port("admin", admin))
            self._admin = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def _bind(self) -> None:
        raise NotImplementedError

    def _name(self) -> str:
        raise NotImplementedError

    def getAdmin(self) -> str | None:
        """The address of the listener ``admin``, with the real port; None: there is none, or it is
        a descriptor.
        """
        return None if isinstance(self._admin, int) else self._admin

    def isRunning(self) -> bool:
        """Whether the server has not been stopped."""
        return self._core.running

    def stop(self, timeout: float = 0.0) -> None:
        """Stop listening and close all connections.

        The call returns when the address is free and the server has ended. It may be called twice.

        Args:
            timeout: Seconds for answers under way to finish; 0 cuts them off. Event streams end at
                once; WebSockets are closed with 1001 (Going Away) in any case.

        Raises:
            TypeError, ValueError: ``timeout`` is no number of seconds.
            KeyboardInterrupt: Ctrl-C was pressed; it is raised within 100 ms, and answers under way
                are cut off.

        Source: manual page *stopServer*.
        """
        timeout = check_seconds("timeout", timeout, zero=True)
        self._begin_stop(timeout)
        try:
            if timeout > 0 and self._dispatcher.blocked_by(threading.get_ident()):
                self._stop_and_serve(timeout)
            else:
                self._stop_core(timeout)
        finally:
            if self._core.stopped:
                self._retire()

    def _begin_stop(self, timeout: float) -> None:
        if timeout > 0:
            self._answers.end_events()
            self._applications.drain(timeout)
        self._core.begin_stop(timeout)  # also if another stop() has granted more time
        for each in self._stop_calls:
            each()

    def _on_stopping(self, func: Callable[[], object]) -> None:
        """Call a function on any thread when the server begins to stop. It must not raise.

        The caller checks :meth:`isRunning` afterwards, because the server may have stopped before.
        """
        self._stop_calls.append(func)

    def _end_stop(self, timeout: float) -> None:
        """Wait for the end of the server, on a thread that runs no callbacks."""
        try:
            self._stop_core(timeout)
        finally:
            if self._core.stopped:
                self._retire()

    def _retire(self) -> None:
        registry.remove(self)
        if self._relay is not None:
            self._relay.close()
        self._answers.close()
        self._applications.shutdown()
        try:
            self._attached.pop()
        except IndexError:
            pass  # it was never attached, or another stop() detaches it
        else:
            self._dispatcher.detach()
        self._ended.set()
        self._dispatcher.source.wake()  # a runServer() that waits returns

    def _stop_core(self, timeout: float) -> None:
        # A second caller waits here, in Python. If a daemon thread waited in C++ at the exit of the
        # interpreter, CPython would end the thread there, and the process would crash.
        with self._stopping:
            self._core.stop(timeout)

    def _stop_and_serve(self, timeout: float) -> None:
        """Stop, and run the callbacks of answers under way meanwhile."""
        source = self._dispatcher.source

        def stop() -> None:
            self._stop_core(timeout)
            source.wake()

        stopper = threading.Thread(target=stop, name="httpuv stop", daemon=True)
        stopper.start()
        try:
            while stopper.is_alive():
                source.serve(0.05, until=lambda: not stopper.is_alive())
        except BaseException:  # Ctrl-C ends the time for answers under way
            self._core.begin_stop(0)
            stopper.join(_LAST_MOMENT)
            raise
        stopper.join()

    async def aclose(self, timeout: float = 0.0) -> None:
        """:meth:`stop` for asyncio: coroutines of this loop continue meanwhile."""
        import asyncio

        await asyncio.to_thread(self.stop, timeout)

    def stats(self) -> Stats:
        """Counters of the server, and the bytes that it holds now. May be called after its end.

        :class:`httpuv.servers.stats.Stats` describes the counters.
        """
        return {**self._core.stats(), "metrics": self._core.metrics()}

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "running" if self.isRunning() else "stopped"
        return f"<{type(self).__name__} {self._name()} {state}>"
