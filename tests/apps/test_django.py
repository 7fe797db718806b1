"""Django by ASGI and by WSGI, with its admin and the admin's static files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

django = pytest.importorskip("django")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A project in this process: settings, URLs, a database with a user."""
    from django.conf import settings

    folder = tmp_path_factory.mktemp("django")
    settings.configure(
        DEBUG=True,
        SECRET_KEY="x" * 50,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="django_urls",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        DATABASES={
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "db.sqlite3")}
        },
        STATIC_URL="/static/",
        USE_TZ=True,
    )
    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    get_user_model().objects.create_superuser("admin", "a@example.com", "secret")
    from django.db import connections

    connections.close_all()
    return django


@pytest.mark.parametrize("interface", ["asgi", "wsgi", "wsgi with threads"])
def test_django(project: Any, interface: str, request: pytest.FixtureRequest) -> None:
    from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler, StaticFilesHandler
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application

    serve: Callable[..., Any] = request.getfixturevalue(interface.partition(" ")[0])
    if interface == "asgi":
        site = serve(ASGIStaticFilesHandler(get_asgi_application()))
    else:
        threads = 4 if "threads" in interface else 1
        site = serve(StaticFilesHandler(get_wsgi_application()), threads)
    http = site.http
    assert http.get("/echo?a=%C3%A9").json() == {"a": "é", "path": "/echo"}
    assert http.post("/size", content=b"x" * 1_000_000).text == "1000000"
    assert http.post("/size", content=iter([b"x" * 1000] * 3)).text == "3000"
    with http.stream("GET", "/events") as events:
        assert events.headers["content-type"] == "text/event-stream"
        assert next(events.iter_lines()).startswith("id: ")
    assert http.get("/stream").text == "".join(map(str, range(100)))
    assert http.get("/file").content == Path(__file__).read_bytes()
    page = http.get("/admin/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token is not None
    data = {"username": "admin", "password": "secret", "csrfmiddlewaretoken": token[1]}
    answer = http.post("/admin/login/?next=/admin/", data=data, headers={"Referer": site.url})
    assert answer.status_code == 302, answer.text
    page = http.get("/admin/")
    assert "Site administration" in page.text
    style = re.search(r'href="(/static/admin/css/[^"]+)"', page.text)
    assert style is not None
    assert "--primary" in http.get("/static/admin/css/base.css").text
    with contextlib.suppress(Exception):
        from django.db import connections

        connections.close_all()
