"""The interface of an application (Rook, ASGI or WSGI), and the applications of a server.

Sources: manual page *startServer*; ASGI specification 3.0; PEP 3333.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..base.checks import check_utf8
from ..base.names import checked_class
from ..dispatch import tasks
from ..rook.app import CALLBACKS, DOCUMENTED, App, normalize_app
from .asgi.gateway import AsgiGateway, BlockingLifespan
from .asgi.lifespan import Lifespan, check_lifespan
from .wsgi import WsgiGateway

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..answers.asyncapp import Answers
    from ..options.limits import Limits

Interface = Literal["rook", "asgi", "asgi-factory", "wsgi"]
INTERFACES: tuple[Interface, ...] = ("rook", "asgi", "asgi-factory", "wsgi")

#: Seconds that an application may take to stop.
_SHUTDOWN = 10.0


@checked_class
@dataclass(frozen=True)
class Mount:
    """An application with its interface and settings, for ``mounts`` and ``app``.

    Args:
        app: The application.
        interface: ``"rook"``, ``"asgi"``, ``"asgi-factory"`` (a function that returns an ASGI
            application) or ``"wsgi"``; None: the signature decides.
        root_path: The prefix that a proxy in front removes from paths. It becomes a part of
            ``root_path`` (ASGI) and ``SCRIPT_NAME`` (WSGI).
        lifespan: ASGI: ``"auto"``, ``"on"`` or ``"off"``, or a lifespan that the caller starts and
            stops.
        scheme: ``"http"`` or ``"https"``, as clients see it. A server with ``tls`` uses https.
        websocket: ASGI: whether the application gets WebSockets.
        multiprocess: WSGI: whether other processes serve the same application.

    Raises:
        TypeError: ``app`` cannot be called, and ``interface`` is not ``"rook"``.
        ValueError: ``interface``, ``lifespan`` or ``scheme`` is none of these.
    """

    app: Any
    interface: Interface | None = None
    root_path: str = ""
    lifespan: Literal["auto", "on", "off"] | Lifespan = "auto"
    scheme: Literal["http", "https"] = "http"
    websocket: bool = True
    multiprocess: bool = False

    def __post_init__(self) -> None:
        if self.interface is not None and self.interface not in INTERFACES:
            raise ValueError(
                f"interface must be one of {', '.join(INTERFACES)}, not {self.interface!r}"
            )
        if self.interface not in (None, "rook") and not callable(self.app):
            kind = "a WSGI" if self.interface == "wsgi" else "an ASGI"
            raise TypeError(f"app must be {kind} application, not {type(self.app).__name__}")
        check_lifespan(self.lifespan)
        if self.scheme not in ("http", "https"):
            raise ValueError(f"scheme must be 'http' or 'https', not {self.scheme!r}")


def detect(app: object) -> Interface:
    """Find out the interface of an application.

    Returns:
        ``"rook"``, ``"asgi"``, ``"asgi-factory"`` or ``"wsgi"``. The parameters of the application
        decide: ``(scope, receive, send)``, ``(environ, start_response)``, one, or none.

    Raises:
        TypeError: It is no application, or the signature does not decide.
    """
    if isinstance(app, Mapping) or any(
        getattr(app, name, None) is not None for name in DOCUMENTED if name != "call"
    ):
        return "rook"
    if isinstance(app, (list, tuple)) and not app:
        return "rook"  # list() in R: nothing
    if not callable(app):
        if getattr(app, "call", None) is not None:
            return "rook"
        raise TypeError(
            f"app must be a dict, an object with some of the attributes {', '.join(DOCUMENTED)},"
            f" or a function; not {type(app).__name__}"
        )
    try:
        parameters = list(inspect.signature(app).parameters.values())
    except (TypeError, ValueError):
        parameters = []
        needed = -1
    else:
        positional = [
            each
            for each in parameters
            if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
        ]
        needed = sum(each.default is each.empty for each in positional)
        names = [each.name for each in positional]
        variadic = any(each.kind is each.VAR_POSITIONAL for each in parameters)
        if needed == 3 or names[:3] == ["scope", "receive", "send"]:
            return "asgi"
        if needed == 2 or names[:2] == ["environ", "start_response"]:
            return "wsgi"
        if needed == 1 and not variadic:
            return "rook"
        if needed == 0 and len(positional) == 1:
            return "rook"
        if needed == 0 and not parameters:
            return "asgi-factory"
    if getattr(app, "call", None) is not None:
        return "rook"
    raise TypeError(
        f"cannot tell whether {app!r} is a Rook, ASGI or WSGI application: wrap it in"
        " httpuv.Mount(app, interface=...) with 'rook', 'asgi', 'asgi-factory' or 'wsgi'"
    )


def resolve(mount: Mount) -> Mount:
    """The same mount with a known interface; a factory is replaced by its application.

    Raises:
        TypeError: As for :func:`detect`, or a factory has not returned an ASGI application.
    """
    app, interface = mount.app, mount.interface or detect(mount.app)
    if interface == "asgi-factory":
        app = app()
        interface = detect(app) if mount.interface is None else "asgi"
        if interface not in ("asgi", "wsgi"):
            raise TypeError(f"the factory {mount.app!r} has returned no application but {app!r}")
    return Mount(
        app,
        interface,
        mount.root_path,
        mount.lifespan,
        mount.scheme,
        mount.websocket,
        mount.multiprocess,
    )


def import_app(name: str) -> Any:
    """The object that ``"module:attribute"`` names.

    Raises:
        ImportError: There is no such module, or the name has no ``:`` in it.
        AttributeError: The module has no such attribute.
    """
    module, colon, path = name.partition(":")
    if not colon or not module or not path:
        raise ImportError(f"an application is named like 'module:attribute', not {name!r}")
    found: Any = importlib.import_module(module)
    for attribute in path.split("."):
        found = getattr(found, attribute)
    return found


_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")


def _prefix(url: object) -> str:
    if not isinstance(url, str):
        raise TypeError(f"mounts: a URL path must be str, not {url!r}")
    segments = [segment for segment in url.split("/") if segment]
    if any(segment in (".", "..") for segment in segments) or _UNSAFE.search(url):
        raise ValueError(f"mounts: a URL path must not have '.', '..' or controls: {url!r}")
    return check_utf8("mounts: a URL path", "".join("/" + segment for segment in segments))


class Applications:
    """The applications of one server: its root application and its mounts.

    Args:
        app: Of any interface.
        mounts: URL paths to applications of any interface.

    Raises:
        TypeError, ValueError: An object is no application, or a URL path is wrong.
    """

    def __init__(self, app: object, mounts: Mapping[str, object] | None) -> None:
        if mounts is not None and not isinstance(mounts, Mapping):
            raise TypeError(
                f"mounts must be a dict from URL paths to applications, not {type(mounts).__name__}"
            )
        self.mounts: dict[str, Mount] = {}
        self._asgi: list[AsgiGateway] = []
        self._blocking: list[BlockingLifespan] = []
        for url, each in (mounts or {}).items():
            given = each if isinstance(each, Mount) else Mount(each)
            prefix = _prefix(url)
            if prefix in self.mounts:
                raise ValueError(f"mounts: {url!r} is there twice")
            self.mounts[prefix] = resolve(given)
        root = resolve(app if isinstance(app, Mount) else Mount(app))
        #: The root application.
        self.app: App = App()
        if root.interface == "rook":
            self.app = normalize_app(root.app)
            if "" in self.mounts and any(getattr(self.app, name) for name in CALLBACKS):
                raise ValueError("mounts: '/' hides the callbacks of app")
        elif "" in self.mounts:
            raise ValueError("mounts: '/' hides app")
        else:
            self.mounts[""] = root

    @property
    def only_asgi(self) -> bool:
        """Whether all applications are ASGI applications."""
        rook = any(getattr(self.app, name) for name in CALLBACKS)
        return (
            not rook
            and bool(self.mounts)
            and all(each.interface == "asgi" for each in self.mounts.values())
        )

    @property
    def have_coroutines(self) -> bool:
        """Whether an application has coroutine functions, as far as the signature shows."""
        callbacks = [self.app.call, self.app.onWSOpen]
        for each in self.mounts.values():
            if each.interface == "asgi":
                return True
            if each.interface == "rook":
                app = normalize_app(each.app)
                callbacks += [app.call, app.onWSOpen]
        return any(map(tasks.is_async_function, callbacks))

    # --- for the core ---

    def options(
        self,
        answers: Answers,
        limits: Limits,
        threads: int,
        streams_input: bool,
        environ: dict[str, Any],
        prepare: Callable[[Any], Any],
        open_socket: Callable[[Any], Any],
    ) -> list[dict[str, Any]]:
        """The mounts, as the core takes them."""
        result = []
        secure = environ["rook.url_scheme"] == "https"
        for prefix, mount in self.mounts.items():
            scheme = "https" if secure else mount.scheme
            if mount.interface == "asgi":
                lifespan = mount.lifespan
                if isinstance(lifespan, str):
                    lifespan = Lifespan(mount.app, lifespan)
                gateway = AsgiGateway(
                    mount.app,
                    answers,
                    prefix,
                    mount.root_path,
                    lifespan,
                    mount.websocket,
                    scheme,
                )
                gateway.starts_lifespan = isinstance(mount.lifespan, str)
                self._asgi.append(gateway)
                result.append(gateway.options(limits))
            elif mount.interface == "wsgi":
                wsgi = WsgiGateway(
                    *(mount.app, prefix, mount.root_path, threads, mount.multiprocess, scheme),
                    feed=answers.feed,
                    streams=streams_input,
                    gathers=limits.body_memory_bytes,
                )
                result.append(wsgi.options())
            else:
                result.append(_rook_options(prefix, mount, environ, prepare, open_socket))
        return result

    # --- starting and stopping ---

    def startup(self) -> None:
        """Start the ASGI applications that have a lifespan.

        If an asyncio loop runs on this thread, the call does not wait; requests wait instead.

        Raises:
            LifespanError: An application has failed to start.
        """
        for gateway in self._asgi:
            lifespan = gateway.lifespan
            loop = gateway.loop = tasks.running_loop()
            if not gateway.starts_lifespan or lifespan is None:
                continue
            if loop is not None:
                gateway.begin_lifespan(loop)
                continue
            blocking = BlockingLifespan(lifespan, tasks.runner().loop)
            blocking.startup()
            self._blocking.append(blocking)

    def drain(self, timeout: float) -> None:
        """Tell running exchanges that the server stops; cancel the rest in the end."""
        for gateway in self._asgi:
            if gateway.open:
                self._in_loop(gateway, gateway.drain(timeout))

    def replace_root(self, other: Applications, timeout: float) -> None:
        """Replace the root application by that of another object, which has been started.

        Running exchanges of the old application have ``timeout`` seconds; then its lifespan ends.
        """
        old = [each for each in self._asgi if not each.prefix]
        self._asgi = [each for each in self._asgi if each.prefix] + other._asgi
        ended = [each.lifespan for each in old]
        self._blocking = [each for each in self._blocking if each.lifespan not in ended]
        self._blocking += other._blocking
        self.app = other.app
        self.mounts.pop("", None)
        self.mounts.update(other.mounts)
        for gateway in old:
            self._in_loop(gateway, self._end(gateway, timeout))

    @staticmethod
    async def _end(gateway: AsgiGateway, timeout: float) -> None:
        if gateway.open:
            await gateway.drain(timeout)
        if gateway.starts_lifespan and gateway.lifespan is not None:
            await gateway.lifespan.shutdown(_SHUTDOWN)

    def shutdown(self) -> None:
        """Cancel what still runs and stop the applications: the server has stopped."""
        for gateway in self._asgi:
            if gateway.open:
                self._in_loop(gateway, gateway.drain(0.0))
            lifespan = gateway.lifespan
            if gateway.starts_lifespan and lifespan is not None and gateway.loop is not None:
                self._in_loop(gateway, lifespan.shutdown(_SHUTDOWN))
        blocking, self._blocking = self._blocking, []
        for each in blocking:
            each.shutdown(_SHUTDOWN)

    def cancel(self) -> None:
        """Cancel running exchanges, in the loop that runs here."""
        for gateway in self._asgi:
            gateway.cancel()

    @staticmethod
    def _in_loop(gateway: AsgiGateway, coroutine: Any) -> None:
        loop = gateway.loop or tasks.runner().loop
        if tasks.running_loop() is loop:
            tasks.keep(loop.create_task(coroutine))
            return
        try:
            asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:  # it was closed
            coroutine.close()


def _rook_options(
    prefix: str,
    mount: Mount,
    environ: dict[str, Any],
    prepare: Callable[[Any], Any],
    open_socket: Callable[[Any], Any],
) -> dict[str, Any]:
    app = normalize_app(mount.app)
    for name in ("onHeaders", "onBodyData", "streamBody", "staticPaths"):
        if getattr(app, name):
            raise ValueError(
                f"mounts: {prefix!r}: an application below a path may have 'call' and 'onWSOpen',"
                f" {name!r} belongs to the server's own"
            )
    return {
        "interface": "rook",
        "prefix": prefix,
        "call": prepare(app.call),
        "on_ws_open": None if app.onWSOpen is None else open_socket(app.onWSOpen),
        "ws_waits": app.wsWaits,
        "environ": dict(environ),
    }
