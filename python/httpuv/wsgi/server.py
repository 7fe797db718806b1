"""A server for one WSGI application, as a program."""

from __future__ import annotations

import contextlib
import inspect
import os
from typing import Any, Literal

from ..base.checks import check_seconds
from ..base.names import check_names
from ..gateways.interfaces import Mount, import_app
from ..options.server import DESCRIPTIONS
from ..servers.server import Server
from ..servers.start import (
    ended_by_sigterm,
    run_until_stopped,
    startPipeServer,
    startServer,
)


def run(
    app: Any,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    uds: str | os.PathLike[str] | None = None,
    threads: int = 1,
    root_path: str = "",
    scheme: Literal["http", "https"] = "http",
    quiet: bool = False,
    grace: float = 3.0,
    **options: Any,
) -> None:
    """Serve a WSGI application until Ctrl-C, SIGTERM or :func:`httpuv.interrupt`.

    Args:
        app: The application, or ``"module:attribute"``.
        host: An address of this machine, or a name.
        port: The port; 0 picks a free one.
        uds: The path of a Unix domain socket, instead of host and port.
        threads: How many requests the application answers at once. With one, the application runs
            on this thread, and long answers (generators) run between other requests. With
            several, ``wsgiInput="stream"`` lets it read bodies while they come.
        root_path: The prefix that a proxy in front removes from paths; ``SCRIPT_NAME`` begins with
            it.
        scheme: ``"http"`` or ``"https"``, as clients see it.
        quiet: Whether not to print the address, nor to log a failure to start.
        grace: Seconds for answers under way to finish; a second Ctrl-C cuts them off.
        options: What :func:`httpuv.startServer` takes by keyword, and ``staticPaths`` and
            ``staticPathOptions``.

    Raises:
        OSError: The address cannot be listened on.
        TypeError, ValueError: An option is wrong.
    """
    known = inspect.signature(run).parameters
    check_names(options, [*known, *DESCRIPTIONS, "staticPaths", "staticPathOptions"])
    if isinstance(app, str):
        app = import_app(app)
    mounts = dict(options.pop("mounts", None) or {})
    mounts["/"] = Mount(app, "wsgi", root_path=root_path, scheme=scheme)
    root = {
        "staticPaths": options.pop("staticPaths", None),
        "staticPathOptions": options.pop("staticPathOptions", None),
    }
    # One thread is this one; more are of their own, while this one waits.
    options = {"gzip": False, "dispatch": "service" if threads == 1 else threads, **options}
    options["mounts"] = mounts
    grace = check_seconds("grace", grace, zero=True)
    with contextlib.suppress(KeyboardInterrupt), ended_by_sigterm():
        server: Server
        if uds is not None:
            server = startPipeServer(uds, None, root, quiet, **options)
        else:
            server = startServer(host, port, root, quiet, **options)
        run_until_stopped(server, grace, say=not quiet)
