"""Load the application of the settings, in the process that serves it."""

from __future__ import annotations

from collections.abc import Callable

from . import logs
from .load import Application, load
from .options import envfile
from .options.settings import Settings
from .serving import Serving, Started, serving


def prepare(
    settings: Settings, fd: int | None, multiprocess: bool = False
) -> tuple[Application, Callable[[Started], Serving]]:
    """Load the application and set up its process.

    Args:
        settings: The settings of the command.
        fd: The listening socket; None: the settings have the address.
        multiprocess: Whether other processes serve the same application.

    Returns:
        The application, and a function that creates its server.

    Raises:
        Mistake, ApplicationFailed: It cannot be loaded.
    """
    if settings.env_file is not None:
        envfile.load(settings.env_file)
    application = load(settings.app, settings.interface, settings.app_dir)
    logs.set_up(settings.log_level)
    return application, lambda started: serving(application, settings, started, fd, multiprocess)
