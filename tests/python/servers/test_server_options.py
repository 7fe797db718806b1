"""The description of a server's options: names, checks, and that the core knows the same ones."""

import functools
import inspect
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpuv
import httpuv.asgi
import httpuv.testing
import httpuv.wsgi
import pytest
from conftest import Serve
from httpuv import _core, brokers
from httpuv.options import server as options
from httpuv.options import settings as made
from httpuv.options.limits import Limits
from support import address, fetch, request

TCP = options.TcpOptions.__annotations__


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mimetypes", "mimeTypes"),
        ("wscompression", "wsCompression"),
        ("allowed_hosts", "allowedHosts"),
        ("limit", "limits"),
    ],
)
def test_wrong_name_says_which_was_meant(name: str, meant: str) -> None:
    message = f"unexpected keyword argument {name!r}; did you mean {meant!r}"
    for start in (httpuv.startServer, httpuv.WebServer):
        with pytest.raises(TypeError, match=message):
            start("127.0.0.1", 0, {}, **{name: None})  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("call", "name", "meant"),
    [
        (functools.partial(httpuv.startServer, "127.0.0.1", 0, {}), "quiett", "quiet"),
        (functools.partial(httpuv.startPipeServer, "s", 0, {}), "quite", "quiet"),
        (functools.partial(httpuv.runServer, "127.0.0.1", 0, {}), "grce", "grace"),
        (httpuv.runStaticServer, "brows", "browse"),
        (httpuv.runStaticServer, "indexHtml", "indexhtml"),
        (functools.partial(httpuv.staticPath, os.curdir), "indexHtml", "indexhtml"),
        (httpuv.staticPathOptions, "gzi", "gzip"),
        (httpuv.Limits, "max_conections", "max_connections"),
        (functools.partial(httpuv.TLS, "cert.pem"), "minimum_verson", "minimum_version"),
        (httpuv.Topic, "histroy", "history"),
        (httpuv.EventStream, "topcs", "topics"),
        (functools.partial(httpuv.Mount, print), "interfce", "interface"),
        (functools.partial(brokers.Redis, "redis://localhost"), "prefx", "prefix"),
        (functools.partial(httpuv.asgi.run, print), "hst", "host"),
        (functools.partial(httpuv.asgi.Config, print), "ssl_certfle", "ssl_certfile"),
        (functools.partial(httpuv.wsgi.run, print), "threds", "threads"),
        (functools.partial(httpuv.testing.client, {}), "dispach", "dispatch"),
    ],
    ids=lambda value: getattr(getattr(value, "func", value), "__name__", value),
)
def test_wrong_name_in_each_public_call(call: Callable[..., object], name: str, meant: str) -> None:
    message = f"unexpected keyword argument {name!r}; did you mean {meant!r}"
    with pytest.raises(TypeError, match=message):
        call(**{name: "x"})


def test_name_like_no_other() -> None:
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'xyzzy'$"):
        httpuv.startServer("127.0.0.1", 0, {}, xyzzy=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", options.DESCRIPTIONS)
def test_each_is_shown_and_described(name: str) -> None:
    shown = inspect.signature(httpuv.startServer).parameters[name]
    assert shown.default == options.DESCRIPTIONS[name].default
    text = inspect.getdoc(httpuv.startServer) or ""
    assert f"\n    {name}: " in text
    assert (name in (inspect.getdoc(httpuv.startPipeServer) or "")) == (name not in TCP)


@pytest.mark.parametrize("name", sorted(set(options.DESCRIPTIONS) - {"dispatch", "mounts"}))
def test_each_is_checked(name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=name):
        made.complete({name: object()})


#: What os.fsdecode() makes of a byte that is no UTF-8.
HALF = os.fsdecode(b"x\xff")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowedHosts", [HALF]),
        ("allowedOrigins", [f"http://{HALF}"]),
        ("wsProtocols", [HALF]),
        ("mimeTypes", {HALF: "text/plain"}),
        ("mimeTypes", {"x": f"text/{HALF}"}),
        ("accessLog", "{status}" + HALF),
        ("forwardedAllowIps", HALF),
        ("health", f"/{HALF}"),
        ("metrics", f"/{HALF}"),
        ("admin", f"{HALF}:0"),
        ("mounts", {f"/{HALF}": lambda req: {}}),
        ("topics", {HALF: httpuv.Topic()}),
    ],
)
def test_text_that_is_not_possible_in_utf8(name: str, value: object) -> None:
    """The core has UTF-8; such text is an error that names the option, not one of a conversion."""
    with pytest.raises(ValueError, match=name):
        httpuv.startServer("127.0.0.1", 0, {}, **{name: value})  # type: ignore[arg-type, misc]


def test_arguments_that_are_not_possible_in_utf8(serve: Serve, tmp_path: Path) -> None:
    server = serve({})
    calls: dict[str, Callable[[], object]] = {
        "host": lambda: httpuv.startServer(HALF, 0, {}),
        "static URL path": lambda: server.setStaticPath(f"/{HALF}", tmp_path),
        "not_found": lambda: httpuv.staticPath(tmp_path, not_found=HALF),
        "listing_tools": lambda: httpuv.staticPath(tmp_path, listing_tools=HALF),
        "validation": lambda: httpuv.staticPath(tmp_path, validation=f'"a" == "{HALF}"'),
        "topic": lambda: server.publish(HALF, "message"),
        "event": lambda: server.publish("topic", "message", event=HALF),
        "certfile": lambda: httpuv.TLS(HALF),
        "ciphers": lambda: httpuv.TLS("file", ciphers=HALF),
        "password": lambda: httpuv.TLS("file", password=HALF),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=name):
            call()


def test_names_of_files_need_not_be_utf8(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / HALF
    folder.mkdir()
    (folder / HALF).write_text("the index")
    static = httpuv.staticPath(folder, index_names=[HALF])
    server = serve({"staticPaths": {"/": static}}, admin=str(tmp_path / f"{HALF}admin"))
    assert fetch(address(server), request("/")).body == b"the index"
    assert stat.S_ISSOCK((tmp_path / f"{HALF}admin").stat().st_mode)
    with httpuv.startPipeServer(folder / "socket", None, {}):
        assert stat.S_ISSOCK((folder / "socket").stat().st_mode)


def test_each_limit_has_a_text() -> None:
    fields = Limits.__dataclass_fields__.values()
    assert all(len(field.metadata["text"]) > 20 for field in fields)


def _server(settings: dict[str, Any]) -> None:
    callbacks: Any = {"call": None, "on_headers": None, "on_error": print, "convert": print}
    _core.Server(_core.Queue(), environ={}, settings=settings, **callbacks)


def test_the_core_knows_the_same_settings() -> None:
    settings = made.core_settings(made.complete({}))
    _server(settings)
    for name in settings:
        with pytest.raises(KeyError, match=name):
            _server({each: value for each, value in settings.items() if each != name})
    with pytest.raises(TypeError, match="surplus"):
        _server({**settings, "surplus": 1})
    limits: Any = settings["limits"]
    for name in limits:
        with pytest.raises(KeyError, match=name):
            _server({**settings, "limits": {n: v for n, v in limits.items() if n != name}})
    with pytest.raises(TypeError, match="surplus"):
        _server({**settings, "limits": {**limits, "surplus": 1}})
