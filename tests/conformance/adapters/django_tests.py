"""pytest plugin: Django's tests of its live server, with httpuv in the place of that server.

``LiveServerTestCase`` runs the project in a thread while the tests send it requests. Its two server
classes are replaced by ones that run on httpuv. Django is set up as its own runner does it: sqlite
in memory, shared by the threads, without the tests that this database cannot pass.
"""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import django
import django.core.servers.basehttp
import httpuv
import pytest
from django.conf import settings
from django.db import connections
from django.test.runner import DiscoverRunner
from django.test.testcases import LiveServerThread
from django.utils.log import DEFAULT_LOGGING

#: Applications of Django itself; the folders of the tests are applications, too.
APPLICATIONS = ["contenttypes", "auth", "sites", "sessions", "messages", "staticfiles"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


class Server:
    """What LiveServerThread asks of a server: socketserver's names, and Django's ``set_app``."""

    threads = 1

    def __init__(
        self,
        address: tuple[str, int],
        handler: object,
        *,
        allow_reuse_address: bool = True,
        connections_override: Mapping[str, Any] | None = None,
    ) -> None:
        self.connections_override = connections_override or {}
        self._asked_to_end = threading.Event()
        self._server = httpuv.startServer(*address, {}, dispatch=self.threads)
        self.server_address = (self._server.getHost(), self._server.getPort())

    def set_app(self, app: Callable[..., Any]) -> None:
        self._server.set_app(httpuv.Mount(self._with_connections(app), "wsgi"))

    def serve_forever(self) -> None:
        self._asked_to_end.wait()

    def shutdown(self) -> None:
        self._asked_to_end.set()

    def server_close(self) -> None:
        self._server.stop()

    def _with_connections(self, app: Callable[..., Any]) -> Callable[..., Any]:
        """`app` with the database connections of the test, closed after each request."""

        def wrapped(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            for alias, connection in self.connections_override.items():
                connections[alias] = connection
            answer = app(environ, start_response)
            try:
                yield from answer
            finally:
                answer.close()
                self._close_connections()

        return wrapped

    def _close_connections(self) -> None:
        """A test overrides this."""
        connections.close_all()


class ThreadedServer(Server):
    threads = 8


django.core.servers.basehttp.WSGIServer = Server
django.core.servers.basehttp.ThreadedWSGIServer = ThreadedServer
LiveServerThread.server_class = ThreadedServer


def quiet_logging() -> dict[str, Any]:
    config = copy.deepcopy(DEFAULT_LOGGING)
    config["loggers"]["django"]["level"] = "ERROR"
    return config


@pytest.hookimpl
def pytest_configure() -> None:
    settings.configure(
        DATABASES={name: {"ENGINE": "django.db.backends.sqlite3"} for name in ("default", "other")},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=[
            *(f"django.contrib.{name}" for name in APPLICATIONS),
            *("servers", "staticfiles_tests", "file_storage"),
        ],
        LANGUAGE_CODE="en",
        LOGGING=quiet_logging(),
        MIDDLEWARE=MIDDLEWARE,
        MIGRATION_MODULES={"auth": None, "contenttypes": None, "sessions": None},
        ROOT_URLCONF="servers.urls",
        SECRET_KEY="of Django's tests",
        SITE_ID=1,
        STATIC_URL="static/",
        USE_TZ=False,
    )
    django.setup()


@pytest.hookimpl
def pytest_sessionstart(session: pytest.Session) -> None:
    os.environ["RUNNING_DJANGOS_TEST_SUITE"] = "true"  # marks the tests to skip
    runner = DiscoverRunner(verbosity=0, interactive=False)
    runner.setup_test_environment()
    session.config.add_cleanup(runner.teardown_test_environment)
    made = runner.setup_databases()
    session.config.add_cleanup(lambda: runner.teardown_databases(made))
